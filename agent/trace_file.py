"""The SQLite file that holds a workspace's spans: its tables, what is written to it, and its bounds."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

VERSION = 1
VALUE_BYTES = 8192
KEEP_DAYS = 30
MAX_BYTES = 200_000_000
# What a span's fixed columns and index entries take on disk: 250 bytes, measured on 10,000 spans with short names.
ROW_BYTES = 250

Row = tuple[str, str, str | None, str, int, int, str, str, str, str]

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS spans(
    trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT,
    name TEXT NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    status TEXT NOT NULL, status_text TEXT NOT NULL, attributes TEXT NOT NULL, events TEXT NOT NULL,
    PRIMARY KEY(trace_id, span_id));
CREATE INDEX IF NOT EXISTS spans_by_trace ON spans(trace_id, start_ns);
CREATE INDEX IF NOT EXISTS spans_by_end ON spans(end_ns);
PRAGMA user_version = {VERSION};
"""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the file, private to the user, in WAL mode, so that readers never wait.

    Raises sqlite3.Error or OSError when the file is damaged, unwritable or of a later version.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # One thread at a time uses it: the batch processor's worker, or the thread that flushes, under its lock.
    connection = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise sqlite3.DatabaseError(f"its version is {version}, this program writes {VERSION}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def insert(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Write spans in one transaction; a span written again is replaced."""
    with connection:
        connection.executemany("INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def prune(connection: sqlite3.Connection, *, keep_days: float = KEEP_DAYS, max_bytes: int = MAX_BYTES) -> int:
    """Delete the traces that ended over `keep_days` ago, and the oldest ones beyond `max_bytes`; return how many.

    Costs two look-ups where nothing is over its bound. When the file is too large it goes down to four fifths, so
    that the next run does not prune again.
    """
    cutoff = time.time_ns() - int(keep_days * 86_400e9)
    oldest = connection.execute("SELECT min(end_ns) FROM spans").fetchone()[0]
    large = _used_bytes(connection) > max_bytes
    if oldest is None or (oldest >= cutoff and not large):
        return 0
    gone = [
        trace_id
        for trace_id, newest, bytes_kept in connection.execute(
            "SELECT trace_id, newest, sum(bytes) OVER (ORDER BY newest DESC, trace_id) FROM ("
            " SELECT trace_id, max(end_ns) AS newest,"
            " sum(length(attributes) + length(events) + length(status_text) + ?) AS bytes"
            " FROM spans GROUP BY trace_id)",
            (ROW_BYTES,),
        )
        if newest < cutoff or (large and bytes_kept > 0.8 * max_bytes)
    ]
    with connection:
        connection.executemany("DELETE FROM spans WHERE trace_id = ?", [(trace_id,) for trace_id in gone])
    # Stepping through the result is what frees the pages.
    connection.execute("PRAGMA incremental_vacuum").fetchall()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return len(gone)


def _used_bytes(connection: sqlite3.Connection) -> int:
    size, pages, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free)


def as_json(attributes: Mapping[str, object]) -> str:
    """Attributes as one JSON object of ASCII, each value cut at VALUE_BYTES."""
    return json.dumps({clean(key): _bounded(value) for key, value in attributes.items()})


def clean(text: str) -> str:
    """Text that SQLite can store: lone surrogates, which model output and file names may hold, become `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def cut(text: str) -> str:
    """Text of at most VALUE_BYTES of UTF-8, with an ellipsis where something was cut."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= VALUE_BYTES:
        return encoded.decode("utf-8")
    return encoded[: VALUE_BYTES - 3].decode("utf-8", "ignore") + "…"


def _bounded(value: object) -> object:
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        whole = json.dumps(list(value), default=str)
        return list(value) if len(whole) <= VALUE_BYTES else cut(whole)
    return value if isinstance(value, bool | int | float) else cut(str(value))
