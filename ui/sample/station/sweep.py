"""The nightly sweep: folds old raw readings into daily means, then deletes them."""

import sqlite3
from datetime import datetime, timedelta

from .settings import HERON_RETENTION, WATER_RETENTION


def sweep(readings: sqlite3.Connection, now: datetime) -> int:
    """Fold and delete what is past its time; return how many raw readings went."""
    fold_into_means(readings, now)
    return delete_expired(readings, "heron", HERON_RETENTION, now) + delete_expired(
        readings, "water", WATER_RETENTION, now
    )


def fold_into_means(readings: sqlite3.Connection, now: datetime) -> None:
    """Write the mean of every whole day that has none yet. Running it twice changes nothing."""
    readings.execute(
        "INSERT OR IGNORE INTO means SELECT kind, buoy, date(taken), avg(value) FROM readings"
        " WHERE taken < ? GROUP BY kind, buoy, date(taken)",
        (now.date().isoformat(),),
    )


def delete_expired(readings: sqlite3.Connection, kind: str, days: int, now: datetime) -> int:
    """Delete raw readings of one kind that were taken more than `days` ago; return how many."""
    oldest = now - timedelta(days=days)
    return readings.execute("DELETE FROM readings WHERE kind = ? AND taken < ?", (kind, oldest.isoformat())).rowcount
