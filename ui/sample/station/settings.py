"""The numbers that the station runs by. Times are in the unit that the name or the comment says."""

HERON_RETENTION = 400  # days; a little more than a year, so that two yearly counts overlap
WATER_RETENTION = 60  # days

RISE_LIMIT = 0.08  # metres within one hour
FLOOD_LIMIT = 0.25  # metres within one hour

SILENCE_LIMIT = 45  # minutes
