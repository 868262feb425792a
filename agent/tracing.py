"""Tracing: where spans go, and how they are read back.

Every layer opens spans with OpenTelemetry's API (`trace.get_tracer("hoplite.retrieval")`), which does nothing until
`start_tracing` gives them a file. Attribute names are those of OpenTelemetry's GenAI conventions where there is one.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

from agent import trace_file
from ingest.errors import UserError

QUESTION = "hoplite.question"  # on the root span of a run
MODEL = "gen_ai.request.model"
# On the span of each model call and on no span above it: a trace's total is their sum.
TOKENS_IN = "gen_ai.usage.input_tokens"
TOKENS_OUT = "gen_ai.usage.output_tokens"

LINE = 160


class Tracing:
    """Spans are being written to one file, until `close`."""

    def __init__(self, flush: Callable[[], object], close: Callable[[], None]) -> None:
        self._flush = flush
        self._close = close

    def flush(self) -> None:
        """Write the spans that have ended so far, which otherwise happens twice a second."""
        self._flush()

    def close(self) -> None:
        """Write what has ended, within three seconds, and stop. Closing twice is no error, nor is never closing."""
        self._close()


def start_tracing(path: Path, log: logging.Logger | None = None) -> Tracing:
    """Write every span that ends from now on to the SQLite file at `path`, in batches and off the caller's thread.

    Started again it changes to the new file, the last one being completed first. A file that cannot be written is
    one warning on `log`, and the run goes on without a trace. Spans of forked workers are not written.
    """
    log = log or logging.getLogger("hoplite.tracing")

    def warn(reason: str) -> None:
        log.warning("This run is not traced: %s cannot be written (%s). Move it away to start a new one.", path, reason)

    try:
        with ExitStack() as undo:
            connection = undo.enter_context(closing(trace_file.open_for_writing(path)))
            trace_file.prune(connection)
            undo.pop_all()
    except (OSError, sqlite3.Error) as error:
        warn(str(error))
        return Tracing(flush=lambda: None, close=lambda: None)
    from agent import scores
    from agent.span_export import CLOSE_SECONDS, SpanFile, switch

    file, target = SpanFile(connection, warn), switch()
    target.point(file)
    scores.begin(path)

    def close() -> None:
        last = Thread(target=scores.end, args=(path, CLOSE_SECONDS), daemon=True)
        last.start()
        target.release(file)
        last.join()

    return Tracing(flush=target.force_flush, close=close)


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One trace in a list.

    `started` is in seconds since 1970, `seconds` runs from the first span's start to the last one's end, the tokens
    are those of all model calls. `question` is None where none was asked, as in indexing. `error` is the root's.
    """

    id: str
    name: str
    question: str | None
    started: float
    seconds: float
    spans: int
    tokens_in: int
    tokens_out: int
    error: str | None


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One span as it was written. `depth` is its distance from its root; times are nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    status: str
    status_text: str
    attributes: Mapping[str, object]
    events: Sequence[Mapping[str, object]]
    depth: int


def traces(path: Path, limit: int = 20) -> list[TraceSummary]:
    """Return the newest traces, newest first; also those whose root has not ended, named after their first span.

    Raises UserError when there is no file or it cannot be read.
    """
    with _reading(path) as connection:
        newest = connection.execute(
            "SELECT trace_id, min(start_ns) AS started FROM spans GROUP BY trace_id"
            " ORDER BY started DESC, trace_id LIMIT ?",
            (limit,),
        ).fetchall()
        return [_summary(connection, trace_id) for trace_id, _ in newest]


def _summary(connection: sqlite3.Connection, trace_id: str) -> TraceSummary:
    start, end, count, tokens_in, tokens_out = connection.execute(
        "SELECT min(start_ns), max(end_ns), count(*),"
        " sum(json_extract(attributes, ?)), sum(json_extract(attributes, ?))"
        " FROM spans WHERE trace_id = ?",
        (f'$."{TOKENS_IN}"', f'$."{TOKENS_OUT}"', trace_id),
    ).fetchone()
    name, status, status_text, attributes = connection.execute(
        "SELECT name, status, status_text, attributes FROM spans WHERE trace_id = ?"
        " ORDER BY parent_id IS NOT NULL, start_ns, span_id LIMIT 1",
        (trace_id,),
    ).fetchone()
    question = json.loads(attributes).get(QUESTION)
    return TraceSummary(
        id=trace_id,
        name=name,
        question=None if question is None else str(question),
        started=start / 1e9,
        seconds=(end - start) / 1e9,
        spans=count,
        tokens_in=int(tokens_in or 0),
        tokens_out=int(tokens_out or 0),
        error=(status_text or "failed") if status == "ERROR" else None,
    )


def trace(path: Path, id_or_prefix: str) -> list[SpanRecord]:
    """Return one trace's spans, each before its children and children by their start.

    Raises UserError when no trace or several begin with `id_or_prefix`, or the file cannot be read.
    """
    prefix = id_or_prefix.strip().lower()
    with _reading(path) as connection:
        found = [
            trace_id
            for (trace_id,) in connection.execute(
                "SELECT DISTINCT trace_id FROM spans WHERE substr(trace_id, 1, ?) = ? LIMIT 3", (len(prefix), prefix)
            )
        ]
        if len(found) != 1:
            many = "more than one trace begins" if found else "no trace begins"
            raise UserError(f"{many} with {visible(id_or_prefix)!r}; `hoplite trace list` shows their ids.")
        connection.row_factory = sqlite3.Row
        rows = connection.execute(
            "SELECT * FROM spans WHERE trace_id = ? ORDER BY start_ns, span_id",
            found,
        ).fetchall()
        return _as_tree([_record(row) for row in rows])


def _record(row: sqlite3.Row) -> SpanRecord:
    values: dict[str, Any] = dict(row)
    for name in ("attributes", "events"):
        values[name] = json.loads(values[name])
    return SpanRecord(**values, depth=0)


def _as_tree(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Depth first. A span whose parent was never written, as in a killed run, stands as a root of its own."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[SpanRecord]] = {}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    ordered: list[SpanRecord] = []
    waiting = [(span, 0) for span in reversed(children.get(None, []))]
    while waiting:
        span, depth = waiting.pop()
        ordered.append(replace(span, depth=depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
    return ordered


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise UserError(f"There are no traces at {path} yet; `hoplite ask` and `hoplite index` write them.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)) as connection:
            yield connection
    except (sqlite3.Error, json.JSONDecodeError) as error:
        raise UserError(
            f"The traces in {path} cannot be read ({error}). Move the file away to start a new one."
        ) from error


def prune(path: Path, *, keep_days: float = trace_file.KEEP_DAYS, max_bytes: int = trace_file.MAX_BYTES) -> int:
    """Delete the traces that ended over `keep_days` ago and the oldest beyond `max_bytes`; return how many.

    Raises UserError where the file cannot be written.
    """
    try:
        with closing(trace_file.open_for_writing(path)) as connection:
            return trace_file.prune(connection, keep_days=keep_days, max_bytes=max_bytes)
    except (OSError, sqlite3.Error) as error:
        raise UserError(
            f"The traces in {path} cannot be pruned ({error}). Move the file away to start a new one."
        ) from error


def render_tree(records: Sequence[SpanRecord]) -> str:
    """Lay out a trace, one line a span: start and length in seconds, the name, tokens, the error, the attributes.

    Whatever is not printable is escaped, since names and attributes may hold text from documents and models.
    """
    if not records:
        return ""
    origin = min(record.start_ns for record in records)
    lines = ["   start   seconds  span"]
    for record in records:
        start, seconds = (record.start_ns - origin) / 1e9, (record.end_ns - record.start_ns) / 1e9
        line = f"{start:8.3f}  {seconds:8.3f}  {'  ' * record.depth}{visible(record.name)}{visible(_details(record))}"
        lines.append(line if len(line) <= LINE else line[: LINE - 1] + "…")
    return "\n".join(lines)


def _details(record: SpanRecord) -> str:
    parts = []
    if TOKENS_IN in record.attributes or TOKENS_OUT in record.attributes:
        parts.append(f"{record.attributes.get(TOKENS_IN, 0)} tokens in, {record.attributes.get(TOKENS_OUT, 0)} out")
    if record.status == "ERROR":
        parts.append(f"error: {record.status_text or 'failed'}")
    parts += [
        f"{key}={str(value)[:60]}" for key, value in record.attributes.items() if key not in (TOKENS_IN, TOKENS_OUT)
    ]
    return "".join(f"  {part}" for part in parts)


def visible(text: str) -> str:
    """Text with control, format (bidirectional, zero-width) and line-breaking characters written as escapes."""
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char
        for char in text
    )
