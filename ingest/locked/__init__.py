"""A fresh Python process, locked by the kernel, for code and bytes that nobody vouches for.

The child (`child.py`, with `landlock.py`, `seccomp.py` and `rlimits.py`) uses the standard library alone and is started
by path, never imported. The parent's half is `process.LockedChild`, over `wire`, `clock` and `outcome`; `report` says
how strong the lock is. Documents are read under the same lock, each in a process of its own: `documents` and
`child_documents.py`.

What the lock does not stop: a kernel bug, whatever a callback of the parent allows, and asking whether a path exists
and how big it is (`stat` cannot be limited by path, and imports need it).
"""
