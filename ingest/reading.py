"""One file read: loaded and chunked, or the reason why not."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from opentelemetry import trace

from ingest import spans
from ingest.chunk import chunk
from ingest.errors import FileFailed
from ingest.load import load
from ingest.types import Chunk, Kind
from ingest.walk import FoundFile

_tracer = trace.get_tracer("hoplite.ingest")


@dataclass(frozen=True, slots=True)
class FileRead:
    """What became of one file: its chunks, or the reason why there are none; and how long it took, in seconds.

    The first seven fields are the document's, as in `Document` and `os.stat`. `chunks` is None where the file is as it
    was indexed, and was not chunked again. `prepared` is what the caller of `pipeline.read` had a worker make of them.
    `begun_ns` is when reading it began, in nanoseconds since 1970, 0 where that is not known.
    """

    path: str
    source: str
    digest: str
    size: int
    mtime_ns: int
    kind: Kind
    language: str
    chunks: tuple[Chunk, ...] | None = None
    error: FileFailed | None = None
    prepared: object = field(default=None, compare=False)
    load_seconds: float = field(default=0.0, compare=False)
    chunk_seconds: float = field(default=0.0, compare=False)
    begun_ns: int = field(default=0, compare=False)


def read_file(file: FoundFile) -> FileRead:
    """Load and chunk one file in this process, as the span "file" with "load" and "chunk" in it."""
    with _tracer.start_as_current_span("file", attributes={spans.KIND: "CHAIN", "hoplite.path": file.path}) as span:
        result = _read(file)
        tell(span, result)
    return result


def tell(span: trace.Span, result: FileRead) -> None:
    """Note on a file's span what became of it."""
    span.set_attribute("hoplite.chunks", len(result.chunks or ()))
    if result.error is not None:
        span.set_attribute(spans.ERROR, result.error.reason)
        span.set_status(trace.StatusCode.ERROR, str(result.error))


def _read(file: FoundFile) -> FileRead:
    begun_ns, begun = time.time_ns(), time.perf_counter()
    try:
        with _tracer.start_as_current_span("load", attributes={spans.KIND: "CHAIN"}):
            document = load(file.source, file.path)
        loaded = time.perf_counter()
        with _tracer.start_as_current_span("chunk", attributes={spans.KIND: "CHAIN"}):
            chunks = tuple(chunk(document))
    except FileFailed as error:
        return failed(file, error)
    except (RecursionError, MemoryError) as error:
        return failed(file, FileFailed("too_deep", f"{file.path} is nested too deeply to read: {error}."))
    return FileRead(
        file.path,
        file.source,
        document.digest,
        file.size,
        file.mtime_ns,
        document.kind,
        document.language,
        chunks,
        load_seconds=loaded - begun,
        chunk_seconds=time.perf_counter() - loaded,
        begun_ns=begun_ns,
    )


def failed(file: FoundFile, error: FileFailed) -> FileRead:
    """Return the result of a file that could not be read."""
    return FileRead(file.path, file.source, "", file.size, file.mtime_ns, "prose", "text", (), error)
