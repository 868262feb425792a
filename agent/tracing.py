"""Tracing: where spans go, and how they are read back.

Every layer opens spans with OpenTelemetry's API (`trace.get_tracer("hoplite.retrieval")`), which does nothing until
`start_tracing` gives them a file. What they are called and carry is in docs/tracing.md.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Literal

from agent import trace_file
from agent.guard import visible
from agent.trace_rollup import SpanRow, Spent, spent
from ingest.errors import UserError

_LONGEST_REASON = 120


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
        log.warning(
            "This run is not traced: %s cannot be written (%s). Check the disk's space, or move the file away to start "
            "a new one.",
            path,
            _in_a_line(reason),
        )

    try:
        with ExitStack() as undo:
            connection = undo.enter_context(closing(trace_file.open_for_writing(path)))
            trace_file.prune(connection)
            undo.pop_all()
    except (OSError, sqlite3.Error) as error:
        warn(str(error))
        return Tracing(flush=lambda: None, close=lambda: None)
    from agent import scores
    from agent.span_export import ABROAD_SECONDS, SpanFile, switch

    file, target = SpanFile(connection, warn), switch()
    target.point(file)
    scores.begin(path)

    def close() -> None:
        last = Thread(target=scores.end, args=(path, ABROAD_SECONDS), daemon=True)
        last.start()
        target.release(file)
        last.join()

    return Tracing(flush=target.force_flush, close=close)


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One trace in a list.

    `started` is in seconds since 1970, `seconds` runs from the first span's start to the last one's end, `spent` is
    what all its model calls took and `dollars` their cost, None where that of one is not known. `question` is None
    where none was asked, as in indexing. `session` is the conversation's or the evaluation's, `evaluation` the latter.
    `complete`: its root has ended. `abstained` is None where no question was answered; `stopped` says what ended a run
    early. `error` is the root's or the run's.
    """

    id: str
    name: str
    question: str | None
    session: str | None
    evaluation: str | None
    started: float
    seconds: float
    spans: int
    complete: bool
    spent: Spent
    dollars: float | None
    abstained: bool | None
    stopped: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One conversation or evaluation: its runs together. Times as in TraceSummary; `seconds` are its runs' own."""

    id: str
    evaluation: bool
    started: float
    runs: int
    failed: int
    seconds: float
    spent: Spent
    dollars: float | None


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One span as it was written. `depth` is its distance from its root, `spent` what the model calls at and below it
    took."""

    span: SpanRow
    depth: int
    spent: Spent

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.span.end_ns - self.span.start_ns) / 1e9


_SPENT = ("calls", "input_tokens", "cached_tokens", "output_tokens", "priced", "unpriced")
_TIMES = ("model_seconds", "first_token_seconds")
SPENT_SUMS = ", ".join(f"sum({column}) AS {column}" for column in (*_SPENT, *_TIMES))
_SESSIONS = (
    "SELECT session, max(evaluation) AS evaluation, min(started_ns) AS started_ns, sum(runs) AS runs,"  # noqa: S608
    f" sum(error IS NOT NULL) AS failed, sum(ended_ns - started_ns) AS took_ns, {SPENT_SUMS}"
    " FROM traces WHERE session IS NOT NULL GROUP BY session ORDER BY max(started_ns) DESC, session LIMIT ?"
)


Only = Literal["all", "questions", "evaluations", "other", "failed", "declined", "bad"]
"""Which traces are listed: of questions that people asked, of those of evaluations, of none (indexing, searches); runs
that failed, that found no answer, that somebody thought badly of."""

_ONLY: Mapping[Only, str] = {
    "all": "1",
    "questions": "runs > 0 AND evaluation IS NULL",
    "evaluations": "evaluation IS NOT NULL",
    "other": "runs = 0",
    "failed": "error IS NOT NULL",
    "declined": "abstained = 1",
    "bad": "trace_id IN (SELECT trace_id FROM scores WHERE name = 'user' AND value < 0.5)",
}


def traces(
    path: Path, limit: int = 20, *, session: str | None = None, only: Only = "all", asked: str = ""
) -> list[TraceSummary]:
    """Return the newest traces, newest first; also those whose root has not ended, named after their first span.

    `session` names one conversation or evaluation, `asked` is a part of the question. Raises UserError when there is no
    file or it cannot be read.
    """
    newest = (
        f"SELECT * FROM traces WHERE {_ONLY[only]} AND session IS coalesce(?1, session)"  # noqa: S608
        " AND (?2 = '' OR instr(lower(question), lower(?2))) ORDER BY started_ns DESC, trace_id LIMIT ?3"
    )
    with reading(path) as connection:
        return [_summary(row) for row in connection.execute(newest, (session, asked, limit))]


def _summary(row: sqlite3.Row) -> TraceSummary:
    return TraceSummary(
        id=row["trace_id"],
        name=row["name"],
        question=row["question"],
        session=row["session"],
        evaluation=row["evaluation"],
        started=row["started_ns"] / 1e9,
        seconds=(row["ended_ns"] - row["started_ns"]) / 1e9,
        spans=row["spans"],
        complete=bool(row["rooted"]),
        spent=spent_of(row),
        dollars=spent_of(row).dollars,
        abstained=None if row["abstained"] is None else bool(row["abstained"]),
        stopped=row["stopped"],
        error=row["error"],
    )


def spent_of(row: sqlite3.Row) -> Spent:
    """Return what a row of the table, or a sum of such rows, says was spent."""
    return Spent(*(row[column] or 0 for column in (*_SPENT, *_TIMES)))


def sessions(path: Path, limit: int = 20) -> list[SessionSummary]:
    """Return the newest conversations and evaluations, newest first. Raises UserError as `traces` does."""
    with reading(path) as connection:
        return [
            SessionSummary(
                id=row["session"],
                evaluation=row["evaluation"] is not None,
                started=row["started_ns"] / 1e9,
                runs=row["runs"],
                failed=row["failed"],
                seconds=row["took_ns"] / 1e9,
                spent=spent_of(row),
                dollars=spent_of(row).dollars,
            )
            for row in connection.execute(_SESSIONS, (limit,))
        ]


def trace(path: Path, id_or_prefix: str) -> list[SpanRecord]:
    """Return one trace's spans, each before its children and children by their start.

    Raises UserError when no trace or several begin with `id_or_prefix`, or the file cannot be read.
    """
    with reading(path) as connection:
        return as_tree(spans_of(connection, _only(connection, id_or_prefix)))


def _only(connection: sqlite3.Connection, id_or_prefix: str) -> str:
    prefix = id_or_prefix.strip().lower()
    # "g" comes after every hexadecimal digit.
    begins = "SELECT trace_id FROM traces WHERE trace_id >= ? AND trace_id < ? || 'g' LIMIT 2"
    found = [str(row["trace_id"]) for row in connection.execute(begins, (prefix, prefix))] if prefix else []
    if len(found) != 1:
        many = "more than one trace begins" if found or not prefix else "no trace begins"
        raise UserError(f"{many} with {visible(id_or_prefix)!r}; `hoplite trace list` shows their ids.")
    return found[0]


def spans_of(connection: sqlite3.Connection, trace_id: str) -> list[SpanRow]:
    """Return a trace's spans by their start. Raises sqlite3.DatabaseError for one that is damaged."""
    columns = ", ".join(SpanRow._fields)
    chosen = f"SELECT {columns} FROM spans WHERE trace_id = ? ORDER BY start_ns, span_id"  # noqa: S608
    return [trace_file.span_row(tuple(row)) for row in connection.execute(chosen, (trace_id,))]


def as_tree(spans: Sequence[SpanRow]) -> list[SpanRecord]:
    """Depth first. A span whose parent was never written, as in a killed run, stands as a root of its own."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[SpanRow]] = {}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    ordered: list[tuple[SpanRow, int]] = []
    waiting = [(span, 0) for span in reversed(children.get(None, []))]
    while waiting:
        span, depth = waiting.pop()
        ordered.append((span, depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
    total: dict[str, Spent] = {}
    for span, _ in reversed(ordered):  # children come after their parents
        own = spent(span.attributes, (span.end_ns - span.start_ns) / 1e9)
        total[span.span_id] = sum((total[child.span_id] for child in children.get(span.span_id, ())), own)
    return [SpanRecord(span, depth, total[span.span_id]) for span, depth in ordered]


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file to read it, brought up to this version first. Raises UserError where there is none or it cannot be
    read, also of what is raised inside because its rows are none."""
    if not path.is_file():
        raise UserError(f"There are no traces at {path} yet; `hoplite ask` and `hoplite index` write them.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)) as connection:
            connection.row_factory = sqlite3.Row
            if connection.execute("PRAGMA user_version").fetchone()[0] != trace_file.VERSION:
                trace_file.open_for_writing(path).close()
            yield connection
    except (OSError, sqlite3.Error, IndexError, TypeError, ValueError) as error:  # IndexError: a column that is none
        raise UserError(
            f"The traces in {path} cannot be read ({_in_a_line(error)}). Move the file away to start a new one."
        ) from error


def _in_a_line(said: object) -> str:
    """What is wrong, in one line and no longer than a screen's: SQLite repeats a whole table's definition."""
    whole = " ".join(str(said).split())
    return whole if len(whole) <= _LONGEST_REASON else f"{whole[: _LONGEST_REASON - 1]}…"


def rate(path: Path, id_or_prefix: str, *, good: bool, note: str = "") -> str:
    """Note whether an answer was good, in the place of what was noted before; return the trace's id. Raises as `trace`
    does, and UserError where the file cannot be written."""
    from agent.scores import FEEDBACK, Score, keep

    with reading(path) as connection:
        trace_id = _only(connection, id_or_prefix)
    with _told("rated", path):
        keep(path, [Score(trace_id, FEEDBACK, float(good), note, time.time())])
    return trace_id


def prune(path: Path, *, keep_days: float = trace_file.KEEP_DAYS, max_bytes: int = trace_file.MAX_BYTES) -> int:
    """Delete the traces that ended over `keep_days` ago and the oldest beyond `max_bytes`; return how many.

    Raises UserError where the file cannot be written.
    """
    with _told("pruned", path), closing(trace_file.open_for_writing(path)) as connection:
        return trace_file.prune(connection, keep_days=keep_days, max_bytes=max_bytes)


@contextmanager
def _told(done: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise UserError(
            f"The traces in {path} cannot be {done} ({_in_a_line(error)}). Move the file away to start a new one."
        ) from error
