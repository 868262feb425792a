"""The SQLite file that holds a workspace's spans: its tables, what is written to it, and its bounds."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from itertools import groupby
from pathlib import Path

from agent.trace_rollup import RollUp, SpanRow, rolled_up

VERSION = 3
"""Of the tables. Version 1 had spans without their kind and tracer, and no row for each trace; version 2 kept what
people thought of an answer in a table of its own, `feedback`, beside the scores."""

VALUE_BYTES = 8192
KEEP_DAYS = 30
MAX_BYTES = 500_000_000
# What a span's fixed columns and index entries take on disk: 170 bytes, measured on 10,000 spans with short names.
ROW_BYTES = 170

_SPANS = """
CREATE TABLE spans(
    trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT, name TEXT NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, status TEXT NOT NULL, status_text TEXT NOT NULL,
    attributes TEXT NOT NULL, events TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'INTERNAL', scope TEXT NOT NULL DEFAULT '', PRIMARY KEY(trace_id, span_id))
"""
_TRACES = (
    """
    CREATE TABLE traces(
        trace_id TEXT PRIMARY KEY, name TEXT NOT NULL, rooted INTEGER NOT NULL,
        question TEXT, session TEXT, evaluation TEXT, started_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL,
        spans INTEGER NOT NULL, bytes INTEGER NOT NULL, runs INTEGER NOT NULL, abstained INTEGER, citations INTEGER,
        unverified INTEGER, stopped TEXT, reused INTEGER NOT NULL, error TEXT, error_type TEXT, calls INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
        priced REAL NOT NULL, unpriced INTEGER NOT NULL, model_seconds REAL NOT NULL, first_token_seconds REAL NOT NULL)
    """,
    "CREATE INDEX traces_by_start ON traces(started_ns)",
    "CREATE INDEX traces_by_end ON traces(ended_ns)",
)
# A version 2 has them where something was scored. By trace and name; `at` is in seconds since 1970.
_SCORES = """
CREATE TABLE IF NOT EXISTS scores(
    trace_id TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, comment TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY(trace_id, name))
"""
_FEEDBACK_SCORED = (
    "INSERT OR IGNORE INTO scores SELECT trace_id, 'user', good, coalesce(note, ''), given_ns / 1e9 FROM feedback"
)

_COLUMNS = [field.name for field in fields(RollUp)]
_TOLD = {"question", "session", "evaluation", "abstained", "citations", "unverified", "stopped", "error", "error_type"}


def _merged(column: str) -> str:
    """How a trace's row takes up what further spans say."""
    new = f"excluded.{column}"
    if column == "name":
        return "name = iif(excluded.rooted OR (NOT rooted AND excluded.started_ns < started_ns), excluded.name, name)"
    if column in _TOLD:
        # The root ends last, and what it says stands before what the run inside it said.
        return f"{column} = coalesce({new}, {column})"
    if column in ("started_ns", "ended_ns", "rooted", "reused"):
        return f"{column} = {'min' if column == 'started_ns' else 'max'}({column}, {new})"
    return f"{column} = {column} + {new}"


_ROLL_UP = (
    f"INSERT INTO traces({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
    f" ON CONFLICT(trace_id) DO UPDATE SET {', '.join(_merged(c) for c in _COLUMNS if c != 'trace_id')}"
)
_SPAN = (
    "INSERT INTO spans(trace_id, span_id, parent_id, name, start_ns, end_ns, status, status_text, attributes, events,"
    " kind, scope) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the file, private to the user, in WAL mode, so that readers never wait. One of version 1 is brought up.

    Raises sqlite3.Error or OSError when the file is damaged, unwritable or of a later version.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # One thread at a time uses it: the batch processor's worker, or the thread that flushes, under its lock.
    connection = sqlite3.connect(path, timeout=1.0, check_same_thread=False, isolation_level=None)
    try:
        if _version(connection) != VERSION:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            _bring_up(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise sqlite3.DatabaseError(f"its version is {version}, this program writes {VERSION}")
    return version


def _bring_up(connection: sqlite3.Connection) -> None:
    """Make the tables, or of version 1's spans the rows that version 2 has beside them, all in one transaction."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)  # again: another process may have been faster
        if version == VERSION:
            return
        connection.execute(_SCORES)
        if version == 2:
            connection.execute(_FEEDBACK_SCORED)
            connection.execute("DROP TABLE feedback")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            return
        if version == 0:
            connection.execute(_SPANS)
        else:
            for index in ("spans_by_trace", "spans_by_end"):
                connection.execute(f"DROP INDEX IF EXISTS {index}")
            connection.execute("ALTER TABLE spans ADD COLUMN kind TEXT NOT NULL DEFAULT 'INTERNAL'")
            connection.execute("ALTER TABLE spans ADD COLUMN scope TEXT NOT NULL DEFAULT ''")
        for statement in _TRACES:
            connection.execute(statement)
        for _, rows in groupby(_stored(connection), lambda row: row.trace_id):
            spans = list(rows)
            sizes = {s.span_id: ROW_BYTES + len(json.dumps(s.attributes)) + len(json.dumps(s.events)) for s in spans}
            connection.executemany(_ROLL_UP, map(astuple, rolled_up(spans, sizes)))
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _stored(connection: sqlite3.Connection) -> Iterator[SpanRow]:
    columns = ", ".join(SpanRow._fields)
    for values in connection.execute(f"SELECT {columns} FROM spans ORDER BY trace_id"):  # noqa: S608
        yield span_row(values)


def span_row(values: Sequence[object]) -> SpanRow:
    """Return a span from its columns, in the order of SpanRow's fields.

    Raises sqlite3.DatabaseError for what is none.
    """
    *plain, attributes, events = values
    try:
        read = [json.loads(text) for text in (attributes, events) if isinstance(text, str)]
        if [type(each) for each in read] != [dict, list]:
            raise ValueError("its attributes are no object, or its events no list")
        return SpanRow(*plain, *read)  # type: ignore[arg-type]  # as the table has them
    except ValueError as error:
        raise sqlite3.DatabaseError(f"a span is damaged: {error}") from error


def insert(connection: sqlite3.Connection, rows: Sequence[SpanRow]) -> None:
    """Write spans, none of which was written before, and add them to their traces, in one transaction."""
    written = []
    sizes = {}
    for row in rows:
        attributes, events = json.dumps(bounded(row.attributes)), json.dumps(row.events)
        sizes[row.span_id] = ROW_BYTES + len(row.status_text) + len(attributes) + len(events)
        written.append((*row[:4], *row[6:10], attributes, events, row.kind, row.scope))
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_SPAN, written)
        connection.executemany(_ROLL_UP, map(_storable, rolled_up(rows, sizes)))


def _storable(trace: RollUp) -> tuple[object, ...]:
    return tuple(cut(value) if isinstance(value, str) else value for value in astuple(trace))


def prune(connection: sqlite3.Connection, *, keep_days: float = KEEP_DAYS, max_bytes: int = MAX_BYTES) -> int:
    """Delete the traces that ended over `keep_days` ago, and the oldest ones beyond `max_bytes`; return how many.

    Costs two look-ups where nothing is over its bound. When the file is too large it goes down to four fifths, so
    that the next run does not prune again.
    """
    cutoff = time.time_ns() - int(keep_days * 86_400e9)
    connection.execute("DELETE FROM scores WHERE at < ?", (cutoff / 1e9,))  # also of traces that were never written
    oldest = connection.execute("SELECT min(ended_ns) FROM traces").fetchone()[0]
    large = _used_bytes(connection) > max_bytes
    if oldest is None or (oldest >= cutoff and not large):
        return 0
    kept = "SELECT trace_id, ended_ns, sum(bytes) OVER (ORDER BY ended_ns DESC, trace_id) AS so_far FROM traces"
    most = 0.8 * max_bytes if large else float("inf")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        gone = connection.execute(
            f"SELECT trace_id FROM ({kept}) WHERE ended_ns < ? OR so_far > ?",  # noqa: S608
            (cutoff, most),
        ).fetchall()
        for table in ("spans", "traces", "scores"):
            connection.executemany(f"DELETE FROM {table} WHERE trace_id = ?", gone)  # noqa: S608
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


def bounded(attributes: Mapping[str, object]) -> dict[str, object]:
    """Attributes as JSON has them, each value cut at VALUE_BYTES."""
    return {clean(key): _bounded(value) for key, value in attributes.items()}


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
