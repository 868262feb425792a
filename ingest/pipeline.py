"""Many files read: loaded and chunked, in worker processes where there are many."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

from opentelemetry import trace
from opentelemetry.context import Context

from ingest import spans
from ingest.crew import Crew, Prepare
from ingest.reading import FileRead, read_file, tell
from ingest.walk import FoundFile

FEW = 24
"""Files up to which no worker is started: starting one costs as much as reading about a hundred files."""

HEAVY = 64_000
"""Bytes of a file that a worker reads even where files are few, because only a worker's time can be bounded. What makes
a parser slow makes it so with the square of the length: the worst file found of this size takes three seconds."""

PATIENCE = 30.0
"""Seconds a worker may take for one file before it is ended and the file fails. Django's slowest file takes 1.6 s."""

SLOW_NS = 20_000_000
"""What loading and chunking a file takes before its span has both in it. Most files of a project take less, and three
spans for each of them would slow the index down."""

_tracer = trace.get_tracer("hoplite.ingest")


def read(
    files: Sequence[FoundFile],
    workers: int | None = None,
    *,
    patience: float = PATIENCE,
    prepare: Prepare | None = None,
) -> Iterator[FileRead]:
    """Yield what each file holds, in the order given.

    Args:
        workers: processes to read with, as many as there are processors by default; none where files are few and small.
        patience: seconds a worker may take for one file.
        prepare: what a worker makes of a file's chunks ahead, for `FileRead.prepared`; it is pickled, and so is what it
            returns. Without workers nothing is prepared.

    A file that cannot be read, or that a worker dies of, is yielded with its `error`; the others go on. Closing the
    iterator, or Ctrl-C, ends the workers. Workers write no spans: those of their files are made of what they say, and
    summed up in one, "read".
    """
    count = min(workers or os.cpu_count() or 1, len(files) // FEW + 1)
    if count < 2 and all(file.size <= HEAVY for file in files):
        yield from (read_file(file) for file in files)
        return
    span = _tracer.start_span("read", attributes={spans.KIND: "CHAIN", "hoplite.workers": count})
    within = trace.set_span_in_context(span)
    crew = Crew(files, count, patience, prepare)
    sums: dict[str, float] = {}
    try:
        for result in crew.results():
            _note(result, within)
            for key, more in _measures(result).items():
                sums[key] = sums.get(key, 0) + more
            yield result
    finally:
        crew.end()
        span.set_attributes({f"hoplite.{key}": round(value, 3) for key, value in sums.items()})
        span.end()


def _note(result: FileRead, within: Context) -> None:
    """Write the span of a file that a worker read, with its parts where it took long enough to look at them."""
    begun = result.begun_ns or time.time_ns()
    loaded = begun + int(1e9 * result.load_seconds)
    ended = loaded + int(1e9 * result.chunk_seconds)
    attributes = {spans.KIND: "CHAIN", "hoplite.path": result.path}
    span = _tracer.start_span("file", context=within, start_time=begun, attributes=attributes)
    tell(span, result)
    if ended - begun >= SLOW_NS:
        inside = trace.set_span_in_context(span)
        for name, start, end in (("load", begun, loaded), ("chunk", loaded, ended)):
            part = _tracer.start_span(name, context=inside, start_time=start, attributes={spans.KIND: "CHAIN"})
            part.end(end)
    span.end(ended)


def _measures(result: FileRead) -> dict[str, float]:
    """What one file adds to the span "read"."""
    return {
        "files": 1,
        "failed": result.error is not None,
        "chunks": len(result.chunks or ()),
        "load_seconds": result.load_seconds,
        "chunk_seconds": result.chunk_seconds,
    }
