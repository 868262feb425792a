"""The commands, one file each or each small family. Lower floors are imported when a command runs, not before."""
