"""The morning chart: a line a buoy, grey where it has been silent."""

from datetime import datetime, timedelta

from .settings import SILENCE_LIMIT


def is_silent(last_heard: datetime, now: datetime) -> bool:
    """Tell whether a buoy has sent nothing for SILENCE_LIMIT minutes."""
    return now - last_heard > timedelta(minutes=SILENCE_LIMIT)


def colour(buoy: str, last_heard: datetime, now: datetime) -> str:
    """Return the colour of a buoy's line."""
    return "grey" if is_silent(last_heard, now) else {"Alder": "green", "Bulrush": "brown", "Coot": "blue"}[buoy]
