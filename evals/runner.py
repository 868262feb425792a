"""Ask every question of a set, keep each answer the moment it is there, and go on after any interruption."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from agent.guard import repeatable
from agent.scores import score_all
from agent.trace_session import session
from evals.datasets import Question
from evals.run_asked import ASKED, Conduct, as_text
from evals.run_files import ANSWERS, FORMAT, RUN, Index, Key, finished, read_run, scan
from evals.run_report import RunReport, report
from evals.scoring import Similar, score
from evals.types import Finished, RunAnswer
from ingest.errors import UserError, WorkspaceBusy
from ingest.ids import digest

Answering = Callable[[Question], RunAnswer]

_LONGEST_PAUSE = 60.0  # seconds before a question is tried again
_LONGEST_ERROR = 500  # characters
_LOOK = 0.1  # seconds between two looks at whether the run is to stop
STOPPED = "a stop"
"""What ended a run that was told to stop."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What answers one question at a time. `stop` is called from another thread where a question takes too long, and
    then `answer` is to return soon; without one it is waited for. Each question waits for its `turn`, in no time of its
    own, and is answered inside it."""

    answer: Answering
    stop: Callable[[], None] = lambda: None
    turn: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `dollars` is what it cost so far, None where a price is not known."""

    done: int
    total: int
    errors: int
    dollars: float | None


def run(
    questions: Sequence[Question],
    answer: Answering | Sequence[Worker],
    out: Path,
    *,
    fingerprint: Mapping[str, str],
    name: str = "",
    resume: bool = False,
    conduct: Conduct | None = None,
    similar: Similar | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> RunReport:
    """Answer the questions that `out` has no answer to yet, and report over all of them.

    Several workers answer side by side, each in a thread of its own; `similar` compares meanings. `out/answers.jsonl`
    gets one line a finished question, on disk before its worker begins the next; `out/run.json` holds the
    fingerprint: what the caller gives (model, index, settings) and the questions' digest; `out/asked.json` holds the
    questions, with the `name` of their set. Resuming asks what is missing and what failed; then the last line of a
    question counts. Once `stop` is set the run ends: no question begins, and those under way are left to be asked.

    An exception while answering is an error of that question, and the run goes on, but for UserError (no weights, no
    endpoint), which would meet every question: it ends the run, to be resumed.
    Raises UserError when `out` holds a run and `resume` is not asked, holds one of another fingerprint, or is
    damaged, and for a `max_cost` where a price is not known; WorkspaceBusy when another process writes there.
    """
    conduct = conduct or Conduct()
    workers = [Worker(answer)] if callable(answer) else list(answer)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    whole = {**fingerprint, "questions": _digest(questions)}
    with _held(out / ANSWERS) as file:
        _check(out / RUN, whole, as_text(name, questions, conduct), resume=resume, begun=file.seek(0, os.SEEK_END) > 0)
        index = scan(file, out / ANSWERS)
        file.truncate(index.size)  # what a kill left torn
        going = _Going(questions, out.resolve().name, conduct, similar, file, index, on_progress, stop)
        going.through(workers)
    return report(out.resolve().name, finished(out), missing=going.missing, ended=going.ended)


class _Going:
    """A run under way. All but `_ask` happens in one thread, which alone writes."""

    def __init__(
        self,
        questions: Sequence[Question],
        name: str,
        conduct: Conduct,
        similar: Similar | None,
        file: BinaryIO,
        index: Index,
        on_progress: Callable[[Progress], None] | None,
        stop: threading.Event | None,
    ) -> None:
        self._name = name
        self._stop = stop
        self._conduct = conduct
        self._similar = similar
        self._file = file
        self._index = index
        self._on_progress = on_progress
        self._over = threading.Event()
        # Every question once, then every one again: a run that is cut short has asked as many as it could.
        self._keys = [(question.id, repeat) for repeat in range(conduct.repeat) for question in questions]
        self._asked = {question.id: question for question in questions}
        there = [index.places[key] for key in self._keys if key in index.places]
        self._done = sum(not place.failed for place in there)
        self._failed = 0
        self.missing = len(self._keys) - len(there)
        self.ended: str | None = None

    def through(self, workers: Sequence[Worker]) -> None:
        """Ask all that has no answer. Raises what a question raises that ends the run, with the others stopped."""
        places = self._index.places
        left = iter([key for key in self._keys if key not in places or places[key].failed])
        idle = list(workers)
        flying: dict[Future[Finished], Worker] = {}
        if self._on_progress and self._done:
            self._on_progress(self._progress)
        with ThreadPoolExecutor(len(workers), "hoplite-eval") as threads:
            try:
                while True:
                    while idle and not self._spent() and (key := next(left, None)):
                        worker = idle.pop()
                        flying[threads.submit(self._ask, worker, key)] = worker
                    if not flying:
                        return
                    self._land(flying, idle)
            except BaseException:
                self._over.set()
                for worker in flying.values():
                    worker.stop()
                raise

    def _land(self, flying: dict[Future[Finished], Worker], idle: list[Worker]) -> None:
        """Wait for a worker, and keep what it brings; what others brought is kept before an error is raised. Where the
        run is told to stop, what is under way is dropped."""
        look = None if self._stop is None else _LOOK
        while not (done := wait(flying, look, return_when=FIRST_COMPLETED).done):
            if self._stopped:
                break
        if stopped := self._stopped:
            self._over.set()
            for worker in flying.values():
                worker.stop()
            done = {future for future in done if future.exception() is None}
        for future in sorted(done, key=lambda f: f.exception() is not None):
            idle.append(flying.pop(future))
            line = future.result()
            known = (line.id, line.repeat) in self._index.places
            self._append(line)
            self.missing -= not known
            self._failed += line.error is not None
            self._done += line.error is None
            if self._on_progress:
                self._on_progress(self._progress)
            if self._conduct.max_cost is not None and line.error is None and "dollars" not in line.usage:
                raise UserError(
                    f"What {line.id!r} cost is not known, so that no cap on dollars can hold. "
                    "Give --max-run-tokens instead, and --resume."
                )
        if stopped:
            flying.clear()
            self.ended = STOPPED

    @property
    def _stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    @property
    def _progress(self) -> Progress:
        usage = self._index.usage
        dollars = usage.get("dollars") if self._index.priced else None
        return Progress(self._done + self._failed, len(self._keys), self._failed, dollars)

    def _spent(self) -> bool:
        """Whether a cap of the whole run is reached; `ended` says which, where anything is left to ask."""
        conduct, usage = self._conduct, self._index.usage
        tokens = usage.get("input_tokens", 0.0) + usage.get("output_tokens", 0.0)
        if conduct.max_cost is not None and usage.get("dollars", 0.0) >= conduct.max_cost:
            self.ended = f"--max-run-cost {conduct.max_cost:g}"
        if conduct.max_tokens is not None and tokens >= conduct.max_tokens:
            self.ended = f"--max-run-tokens {conduct.max_tokens}"
        if self._stopped:
            self.ended = STOPPED
        if self._done + self._failed >= len(self._keys):
            self.ended = None
        return self.ended is not None

    def _ask(self, worker: Worker, key: Key) -> Finished:
        """Ask one question, again where it fails; in a thread of its own. Returns its line."""
        question, usage = self._asked[key[0]], Counter[str]()
        for attempt in range(1, self._conduct.retries + 2):
            line = self._once(worker, question, key[1])
            usage.update(line.usage)
            pause = min(_LONGEST_PAUSE, self._conduct.pause * 2 ** (attempt - 1))
            if line.error is None or attempt > self._conduct.retries or self._over.wait(pause):
                break
        return replace(line, usage=dict(usage) if attempt > 1 else line.usage, attempts=attempt)

    def _once(self, worker: Worker, question: Question, repeat: int) -> Finished:
        with worker.turn():
            return self._answered(worker, question, repeat)

    def _answered(self, worker: Worker, question: Question, repeat: int) -> Finished:
        started = time.perf_counter()
        given, error = RunAnswer(""), None
        clock = _Clock(self._conduct.timeout, worker.stop)
        try:
            with session(self._name, evaluation=True), repeatable(f"{question.id}#{repeat}"), clock:
                given = worker.answer(question)
        except UserError:
            if not clock.rang:
                raise
        except Exception as caught:  # whatever a model or a tool did: recorded and counted, the others go on
            error = f"{type(caught).__name__}: {caught}"[:_LONGEST_ERROR]
        seconds = time.perf_counter() - started
        if clock.rang:
            error = f"timed out after {self._conduct.timeout:g} s"
            given = RunAnswer("", usage=given.usage, trace_id=given.trace_id)  # what a stopped run says is not asked
        scores = {} if error else {**score(question, given, self._similar), **given.scores}
        score_all(given.trace_id, scores)
        return Finished(
            id=question.id,
            question=question.question,
            answer=given.answer,
            abstained=given.abstained,
            shown=given.shown,
            cited=given.cited,
            usage=given.usage,
            seconds=seconds,
            trace_id=given.trace_id,
            error=error,
            scores=scores,
            note=given.note,
            repeat=repeat,
            type=question.type,
            tags=question.tags,
            answers=question.answers,
            supporting=question.supporting,
            unanswerable=question.unanswerable,
            citations=given.citations,
            passages=given.passages,
            places=question.places,
        )

    def _append(self, line: Finished) -> None:
        # What no file can hold, half of a surrogate pair, becomes a question mark.
        raw = json.dumps(asdict(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        self._file.write(raw)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._index.add((line.id, line.repeat), len(raw), line.usage, failed=line.error is not None)


class _Clock:
    """Calls `stop` once the seconds are over, while it is entered and never after. `rang`: it did."""

    def __init__(self, seconds: float | None, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._left = False
        self._timer = threading.Timer(seconds, self._ring) if seconds is not None else None
        self.rang = False

    def __enter__(self) -> Self:
        if self._timer:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:  # a stop under way is waited for: it must not meet the worker's next question
            self._left = True
        if self._timer:
            self._timer.cancel()

    def _ring(self) -> None:
        with self._lock:
            if not self._left:
                self.rang = True
                self._stop()


def _digest(questions: Sequence[Question]) -> str:
    return digest(json.dumps([asdict(question) for question in questions]).encode())


def _check(path: Path, fingerprint: Mapping[str, str], asked: str, *, resume: bool, begun: bool) -> None:
    """Let a run begin, or go on where it is the same one; write its questions and its fingerprint before its first
    answer."""
    if begun and not resume:
        raise UserError(f"{path.parent} already holds a run. Add --resume to go on with it, or give another --out.")
    if begun:
        recorded = read_run(path.parent).fingerprint
        if changed := sorted(key for key in {*recorded, *fingerprint} if recorded.get(key) != fingerprint.get(key)):
            was = ", ".join(f"{key} {recorded.get(key)!r}, now {fingerprint.get(key)!r}" for key in changed)
            raise UserError(
                f"{path.parent} cannot be resumed, for its run had other inputs: {was}. Give another --out."
            )
        return
    _replace(path.with_name(ASKED), asked)
    _replace(path, json.dumps({"run": path.parent.name, "format": FORMAT, "fingerprint": fingerprint}, indent=1))


def _replace(path: Path, text: str) -> None:
    """Write a file as one, so that no kill leaves half of it."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(text.encode("utf-8", "replace"))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO]:
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkspaceBusy(
                f"Another process is writing {path.parent}. Wait for it, or give another --out."
            ) from error
        yield file
