"""Many files read: loaded and chunked, in worker processes where there are many."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from opentelemetry import trace

from ingest.chunk import chunk
from ingest.errors import FileFailed
from ingest.load import load
from ingest.types import Chunk, Kind
from ingest.walk import FoundFile

FEW = 24
"""Files up to which no worker is started: starting one costs as much as reading about a hundred files."""

PATIENCE = 30.0
"""Seconds a worker may take for one file before it is ended and the file fails. Django's slowest file takes 1.6 s."""

_BATCH = 16
_AHEAD = 64
"""Batches handed out beyond the one that is yielded next: bounds what waits in memory behind a slow file."""


_tracer = trace.get_tracer("hoplite.ingest")


@dataclass(frozen=True, slots=True)
class FileRead:
    """What reading one file gave: its chunks, or the reason why there are none; and how long it took, in seconds."""

    path: str
    source: str
    digest: str
    size: int
    mtime_ns: int
    kind: Kind
    language: str
    chunks: tuple[Chunk, ...]
    error: FileFailed | None
    load_seconds: float = field(default=0.0, compare=False)
    chunk_seconds: float = field(default=0.0, compare=False)


def read(
    files: Sequence[FoundFile],
    workers: int | None = None,
    *,
    patience: float = PATIENCE,
) -> Iterator[FileRead]:
    """Yield what each file holds, in the order given.

    Args:
        workers: processes to read with, as many as there are processors by default; 1, or few files, means none.
        patience: seconds a worker may take for one file.

    A file that cannot be read, or that a worker dies of, is yielded with its `error`; the others go on. Closing the
    iterator, or Ctrl-C, ends the workers. Workers write no spans: what they did is summed up in one, "read".
    """
    count = min(workers or os.cpu_count() or 1, len(files) // FEW + 1)
    if count < 2:
        yield from (read_file(file) for file in files)
        return
    span = _tracer.start_span("read", attributes={"hoplite.workers": count})
    crew = _Crew(files, count, patience)
    sums: dict[str, float] = {}
    try:
        for result in crew.results():
            for key, more in _measures(result).items():
                sums[key] = sums.get(key, 0) + more
            yield result
    finally:
        crew.end()
        span.set_attributes({f"hoplite.{key}": round(value, 3) for key, value in sums.items()})
        span.end()


def _measures(result: FileRead) -> dict[str, float]:
    """What one file adds to the span "read"."""
    return {
        "files": 1,
        "failed": result.error is not None,
        "chunks": len(result.chunks),
        "load_seconds": result.load_seconds,
        "chunk_seconds": result.chunk_seconds,
    }


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
        None,
        loaded - begun,
        time.perf_counter() - loaded,
    )


def failed(file: FoundFile, error: FileFailed) -> FileRead:
    """Return the result of a file that could not be read."""
    return FileRead(file.path, file.source, "", file.size, file.mtime_ns, "prose", "text", (), error)


def _work(pipe: Connection) -> None:
    """A worker: take batches, answer each file as soon as it is read, until the other end is gone."""
    try:
        while True:
            for index, file in pipe.recv():
                pipe.send((index, _answer(file)))
    except (EOFError, OSError):
        return


def _answer(file: FoundFile) -> FileRead | Exception:
    try:
        return read_file(file)
    except Exception as error:  # a bug, raised again in the parent with the file's name
        error.add_note(f"while reading {file.path}")
        return error


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    batch: deque[tuple[int, FoundFile]] = field(default_factory=deque)
    since: float = 0.0


class _Crew:
    """Worker processes, what each is at, and the results that wait for their turn."""

    def __init__(self, files: Sequence[FoundFile], count: int, patience: float) -> None:
        # Spawned, not forked: the parent may have threads (onnxruntime, Qdrant), which fork would copy half-alive.
        self.context = multiprocessing.get_context("spawn")
        self.files = files
        self.patience = patience
        numbered = list(enumerate(files))
        self.batches = deque(numbered[i : i + _BATCH] for i in range(0, len(numbered), _BATCH))
        self.ready: dict[int, FileRead] = {}
        self.workers = [self._start() for _ in range(count)]

    def results(self) -> Iterator[FileRead]:
        due = 0
        while due < len(self.files):
            for worker in self.workers:
                if not worker.batch:
                    self._hand_out(worker, due)
            pipes: list[Any] = [worker.pipe for worker in self.workers if worker.batch]
            for pipe in wait(pipes, timeout=1.0):
                self._receive(next(worker for worker in self.workers if worker.pipe is pipe))
            for worker in list(self.workers):
                if worker.batch and time.monotonic() - worker.since > self.patience:
                    self._lost(worker, "timeout", f"took longer than {self.patience:.0f} s to read")
            while due in self.ready:
                yield self.ready.pop(due)
                due += 1

    def end(self) -> None:
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
            worker.pipe.close()

    def _start(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_work, args=(theirs,), daemon=True)
        # The first start of a process starts this one too, and that unblocks SIGINT.
        resource_tracker.ensure_running()
        # Ctrl-C reaches every process of the terminal, but only the parent decides what it means. The worker inherits
        # the block; a Ctrl-C that comes meanwhile waits for the parent's unblocking.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self, worker: _Worker, due: int) -> None:
        if not self.batches or self.batches[0][0][0] > due + _AHEAD * _BATCH:
            return
        batch = self.batches.popleft()
        worker.batch = deque(batch)
        worker.since = time.monotonic()
        try:
            worker.pipe.send(batch)
        except OSError:
            self._lost(worker, "crash", "could not be read: the process that read it ended")

    def _receive(self, worker: _Worker) -> None:
        try:
            index, answer = worker.pipe.recv()
        except (EOFError, OSError):
            self._lost(worker, "crash", "could not be read: the process that read it ended")
            return
        if isinstance(answer, Exception):
            raise answer
        worker.batch.popleft()
        worker.since = time.monotonic()
        self.ready[index] = answer

    def _lost(self, worker: _Worker, reason: str, what: str) -> None:
        """The file the worker was at fails; the rest of its batch goes back, and another worker takes its place."""
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        index, file = worker.batch.popleft()
        self.ready[index] = failed(file, FileFailed(reason, f"{file.path} {what}; the other files were read."))
        if worker.batch:
            self.batches.appendleft(list(worker.batch))
        self.workers[self.workers.index(worker)] = self._start()
