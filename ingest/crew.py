"""Worker processes that read files, and the thread that takes what they send."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ingest.errors import FileFailed, UserError
from ingest.reading import FileRead, failed, read_file
from ingest.types import Chunk
from ingest.walk import FoundFile

STARTING = 60.0
"""Seconds a worker may take to start. It takes half of one on a quiet machine."""

BATCH = 16
"""Files handed to a worker at once."""

AHEAD = 20_000
"""Chunks that may wait to be taken before workers get no new files: about 60 MB."""


Prepare = Callable[[tuple[Chunk, ...]], object]


def work(pipe: Connection, prepare: Prepare | None) -> None:
    """A worker: say that it runs, then take batches and answer each file as soon as it is read, until the other end is
    gone."""
    try:
        pipe.send(None)
        while True:
            for index, file in pipe.recv():
                pipe.send((index, answer(file, prepare)))
    except (EOFError, OSError):
        return


def answer(file: FoundFile, prepare: Prepare | None = None) -> FileRead | Exception:
    try:
        result = read_file(file)
        return replace(result, prepared=prepare(result.chunks)) if prepare and result.chunks else result
    except Exception as error:  # a bug, raised again in the parent with the file's name
        error.add_note(f"while reading {file.path}")
        return error


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    since: float
    batch: deque[tuple[int, FoundFile]] = field(default_factory=deque)
    ready: bool = False


class Crew:
    """Workers, what each is at, and the results that wait for their turn.

    One thread talks with the workers, so that they never wait for whoever takes the results to write them down.
    """

    def __init__(self, files: Sequence[FoundFile], count: int, patience: float, prepare: Prepare | None = None) -> None:
        # Spawned, not forked: the parent may have threads (onnxruntime, Qdrant), which fork would copy half-alive.
        self._context = multiprocessing.get_context("spawn")
        self._count = count
        self._patience = patience
        self._prepare = prepare
        numbered = list(enumerate(files))
        self._files = len(files)
        self._batches = deque(numbered[i : i + BATCH] for i in range(0, len(numbered), BATCH))
        self._workers: list[_Worker] = []
        self._results: dict[int, FileRead] = {}
        self._waiting = 0  # chunks in `_results`
        self._due = 0
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._tend, name="hoplite-crew", daemon=True)
        self._thread.start()

    def results(self) -> Iterator[FileRead]:
        """Yield what became of each file, in the order given. Raises what a worker raised that is no FileFailed."""
        while self._due < self._files:
            with self._changed:
                self._changed.wait_for(lambda: self._due in self._results or self._error)
                if self._due not in self._results:
                    assert self._error is not None
                    raise self._error
                result = self._results.pop(self._due)
                self._waiting -= _weight(result)
                self._due += 1
                self._changed.notify_all()
            yield result

    def end(self) -> None:
        """End the workers; results not taken yet are lost."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _tend(self) -> None:
        """The thread: start the workers, hand out files, take results, until all is done or the crew is ended."""
        try:
            self._workers = [self._start() for _ in range(self._count)]
            left = self._files
            while left and not self._stopped:
                for worker in self._workers:
                    if worker.ready and not worker.batch:
                        left -= self._hand_out(worker)
                busy: list[Any] = [worker.pipe for worker in self._workers if worker.batch or not worker.ready]
                for pipe in wait(busy, timeout=0.1 if busy else 0):
                    left -= self._receive(next(worker for worker in self._workers if worker.pipe is pipe))
                for worker in list(self._workers):
                    left -= self._check(worker)
                if not busy:
                    self._rest()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.process.join()
                worker.pipe.close()

    def _rest(self) -> None:
        """Wait until what was read has been taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._waiting < AHEAD or self._due in self._results, 0.1)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._prepare), daemon=True)
        # The first start of a process starts this one too, and that unblocks SIGINT.
        resource_tracker.ensure_running()
        # Ctrl-C reaches every process of the terminal, but only the parent decides what it means. The worker inherits
        # the block; a Ctrl-C that comes meanwhile goes to another thread.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return _Worker(process, ours, time.monotonic())

    def _hand_out(self, worker: _Worker) -> int:
        """Give a worker the next files; return how many files that ended."""
        if not self._batches:
            return 0
        with self._changed:
            # Never the files that whoever takes the results waits for.
            if self._waiting >= AHEAD and self._batches[0][0][0] > self._due:
                return 0
        batch = self._batches.popleft()
        worker.batch = deque(batch)
        worker.since = time.monotonic()
        try:
            worker.pipe.send(batch)
        except OSError:
            return self._lost(worker, "crash", "could not be read: the process that read it ended")
        return 0

    def _receive(self, worker: _Worker) -> int:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return self._lost(worker, "crash", "could not be read: the process that read it ended")
        if message is None:
            worker.ready = True
            return 0
        index, result = message
        if isinstance(result, Exception):
            raise result
        worker.batch.popleft()
        worker.since = time.monotonic()
        return self._put(index, result)

    def _check(self, worker: _Worker) -> int:
        waited = time.monotonic() - worker.since
        if not worker.ready and waited > STARTING:
            raise _no_start(f"took longer than {STARTING:.0f} s")
        if worker.batch and waited > self._patience:
            return self._lost(worker, "timeout", f"took longer than {self._patience:.0f} s to read")
        return 0

    def _put(self, index: int, result: FileRead) -> int:
        with self._changed:
            self._results[index] = result
            self._waiting += _weight(result)
            self._changed.notify_all()
        return 1

    def _lost(self, worker: _Worker, reason: str, what: str) -> int:
        """The file the worker was at fails; the rest of its batch goes back, and another worker takes its place."""
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        if not worker.ready:
            raise _no_start(f"ended with status {worker.process.exitcode}")
        index, file = worker.batch.popleft()
        if worker.batch:
            self._batches.appendleft(list(worker.batch))
        self._workers.append(self._start())
        return self._put(index, failed(file, FileFailed(reason, f"{file.path} {what}; the other files were read.")))


def _weight(result: FileRead) -> int:
    return 1 + len(result.chunks or ())


def _no_start(what: str) -> UserError:
    return UserError(
        f"A process that reads files {what} before it had started, perhaps for want of memory. What was read is kept: "
        "free some memory and run the same command again."
    )
