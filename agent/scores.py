"""Scores of traces: one number under a name, kept beside the trace and sent to Langfuse where that is on."""

from __future__ import annotations

import logging
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent import trace_file
from agent.tracing import reading
from ingest.errors import UserError

FEEDBACK = "user"
"""The name of what a person thought of an answer: 1 for good, 0 for bad."""

_WAIT_SECONDS = 1.0  # for more to send with the first; and a run is over by then
_NONE = "0" * 32


@dataclass(frozen=True, slots=True)
class Score:
    """What somebody or something thinks of a trace. `at` is in seconds since 1970."""

    trace_id: str
    name: str
    value: float
    comment: str = ""
    at: float = 0.0


def score(trace_id: str | None, name: str, value: float, comment: str = "") -> None:
    """Score a trace of this process's runs. One of the same name takes the place of the last one.

    Never raises: what cannot be kept or sent is one warning. Nothing happens where nothing is traced.
    """
    if trace_id and trace_id != _NONE and math.isfinite(value):
        _desk.put([Score(trace_id, name, float(value), comment, time.time())])


def score_all(trace_id: str | None, values: Mapping[str, float]) -> None:
    """Score a trace under each name, as `score` does one, with the trace file opened once."""
    if trace_id and trace_id != _NONE:
        now = time.time()
        _desk.put([Score(trace_id, name, float(v), "", now) for name, v in values.items() if math.isfinite(v)])


def keep(path: Path, given: Sequence[Score]) -> None:
    """Write scores to the trace file at `path`. Raises sqlite3.Error and OSError."""
    with closing(trace_file.open_for_writing(path)) as connection, connection:
        kept = [(s.trace_id, trace_file.clean(s.name), s.value, trace_file.cut(s.comment), s.at) for s in given]
        connection.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)", kept)


def scores(path: Path, trace_id: str) -> list[Score]:
    """Return a trace's scores by their names. Raises UserError where the file cannot be read."""
    with reading(path) as connection:
        found = connection.execute("SELECT * FROM scores WHERE trace_id = ? ORDER BY name", (trace_id,))
        return [Score(*row) for row in found]


def disliked(path: Path) -> frozenset[str]:
    """Return the traces whose answer a person thought bad. Raises UserError where the file cannot be read."""
    with reading(path) as connection:
        bad = connection.execute("SELECT trace_id FROM scores WHERE name = ? AND value < 0.5", (FEEDBACK,))
        return frozenset(str(row["trace_id"]) for row in bad)


Send = Callable[[Sequence[Score]], None]
"""Sends scores somewhere else; raises UserError."""


class Sender:
    """Sends scores off the caller's thread, until `close`. A failure is one warning, and no more are sent."""

    def __init__(self, send: Send, warn: Callable[[str], None]) -> None:
        self._send = send
        self._warn = warn
        self._waiting: queue.SimpleQueue[Score | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, given: Score) -> None:
        """Send it, soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hoplite-scores", daemon=True)
            self._thread.start()
        self._waiting.put(given)

    def close(self, seconds: float) -> None:
        """Send what is waiting, within this time."""
        self._closing.set()
        if self._thread is None:
            return
        self._waiting.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._warn("Scores were not sent: their receiver did not answer in time.")

    def _work(self) -> None:
        over = False
        while not over:
            batch = [self._waiting.get()]
            self._closing.wait(_WAIT_SECONDS)
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            over = None in batch
            try:
                if given := [each for each in batch if each is not None]:
                    self._send(given)
            except UserError as error:
                self._warn(f"Scores are not sent: {error}")
                return


class _Desk:
    """Where this process's scores go: the file that is traced to, and a sender where there is one."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._sender: Sender | None = None
        self._warned = False

    def begin(self, path: Path) -> None:
        self._path = path

    def send(self, send: Send) -> None:
        if self._sender is None:
            self._sender = Sender(send, _log.warning)

    def put(self, given: Sequence[Score]) -> None:
        try:
            if self._path and given:
                keep(self._path, given)
        except (OSError, sqlite3.Error) as error:
            if not self._warned:
                self._warned = True
                _log.warning("Scores are not kept: %s cannot be written (%s).", self._path, error)
        if self._sender:
            for each in given:
                self._sender.put(each)

    def end(self, path: Path, seconds: float) -> None:
        if self._path == path:
            sender, self._path, self._sender = self._sender, None, None
            if sender:
                sender.close(seconds)


_log = logging.getLogger("hoplite.tracing")
_desk = _Desk()
begin, send_to, end = _desk.begin, _desk.send, _desk.end
