"""One file read: loaded and chunked, or the reason why not."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from opentelemetry import trace

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


def read_file(file: FoundFile) -> FileRead:
    """Load and chunk one file in this process, as the spans "load" and "chunk"."""
    begun = time.perf_counter()
    try:
        with _tracer.start_as_current_span("load", attributes={"hoplite.path": file.path}):
            document = load(file.source, file.path)
        loaded = time.perf_counter()
        with _tracer.start_as_current_span("chunk", attributes={"hoplite.path": file.path}) as span:
            chunks = tuple(chunk(document))
            span.set_attribute("hoplite.chunks", len(chunks))
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
    )


def failed(file: FoundFile, error: FileFailed) -> FileRead:
    """Return the result of a file that could not be read."""
    return FileRead(file.path, file.source, "", file.size, file.mtime_ns, "prose", "text", (), error)
