"""The page's batches: question sets asked in a thread of their own, one at a time, while people go on asking."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ingest.errors import HopliteError, UserError
from ui.line import Line, Lines, turn_in

if TYPE_CHECKING:
    from agent.settings import Settings
    from evals.run_asked import Asked
    from evals.runner import Progress
    from retrieval.library import Library

Held = Callable[[], AbstractContextManager["Library"]]
"""Gives the open library, which stays as it is until the context is left. Raises UserError where it cannot be had."""

_LOOK = 0.2  # seconds between two looks at whether to stop while others are served
_log = logging.getLogger("hoplite.page")


@dataclass(frozen=True, slots=True)
class Going:
    """The batch that goes on, or the last one that did.

    `began` is on the monotonic clock; `before` is what was done already then. `ahead` counts the questions of people
    that come first. `said` are lines to be read; `problem` is why it ended without its last question, "" otherwise.
    """

    folder: Path
    set: str
    phase: Literal["preparing", "running", "stopping", "over"] = "preparing"
    began: float = 0.0
    before: int = 0
    progress: Progress | None = None
    ahead: int = 0
    said: tuple[str, ...] = ()
    problem: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Seconds that it will still take, going by what it took so far; None before the first answer."""
        if self.progress is None or (fresh := self.progress.done - self.before) < 1:
            return None
        return (time.monotonic() - self.began) / fresh * (self.progress.total - self.progress.done)


class _Stopped(Exception):
    """It is to stop while it waits for its turn."""


class Batches:
    """Runs one batch at a time. It ends with the page's process and not with anybody's tab, and what it answered is on
    disk: it is gone on with like any run."""

    def __init__(self, lines: Lines) -> None:
        """`lines` are those in which people's questions wait, too: a batch's questions take turns with them."""
        self._lines = lines
        self._lock = threading.Lock()
        self._going: Going | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def going(self) -> Going | None:
        """How the batch stands, None where there was none."""
        return self._going

    @property
    def under_way(self) -> bool:
        """Whether one goes on."""
        return self._going is not None and self._going.phase != "over"

    def start(
        self,
        held: Held,
        settings: Settings,
        asked: Asked,
        folder: Path,
        *,
        baseline: bool = False,
        resume: bool = False,
    ) -> None:
        """Begin, or go on with, a batch in this folder; `held` gives the library, which is held until the end. Raises
        UserError while another one goes on."""
        with self._lock:
            if self.under_way:
                raise UserError("A batch is under way already. Stop it, or wait for its end.")
            self._stop.clear()
            self._going = Going(folder, asked.set, began=time.monotonic())
        self._thread = threading.Thread(
            target=self._work, args=(held, settings, asked, baseline, resume), name="hoplite-batch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End it; what is under way is dropped, and asked when it is gone on with."""
        self._stop.set()
        self._change(only_if=("preparing", "running"), phase="stopping")

    def close(self, seconds: float = 3.0) -> None:
        """Stop it, and wait for its end."""
        self.stop()
        self.join(seconds)

    def join(self, seconds: float) -> None:
        """Wait for its end."""
        if self._thread is not None:
            self._thread.join(seconds)

    # In the batch's own thread ----------------------------------------------------------------------------------------

    def _work(self, held: Held, settings: Settings, asked: Asked, baseline: bool, resume: bool) -> None:
        problem = ""
        try:
            with held() as library:
                problem = self._ask(library, settings, asked, baseline, resume)
        except HopliteError as error:
            problem = str(error)
        except Exception:
            _log.exception("A batch of the page failed.")
            problem = "Something went wrong here; the terminal that serves this page shows what."
        self._change(phase="over", ahead=0, problem=problem)

    def _ask(self, library: Library, settings: Settings, asked: Asked, baseline: bool, resume: bool) -> str:
        """Ask, and return what ended it early, "" where nothing did."""
        from agent.build import send_traces
        from agent.models import members
        from agent.roles import names
        from evals.batch import make_batch

        send_traces(settings)
        model = settings.model if baseline else names(settings).answer
        # By the name that the chat's own line has, also where it is a chain of several.
        line = self._lines.before(None if model in (None, "none") else ", ".join(members(model)))
        batch = make_batch(library, settings, baseline=baseline, say=self._say, turn=lambda: self._turn(line))
        assert self._going is not None, "it was begun"
        self._change(only_if=("preparing",), phase="running")
        report = batch.ask(
            asked.questions,
            self._going.folder,
            name=asked.set,
            resume=resume,
            conduct=asked.conduct,
            on_progress=lambda progress: self._progressed(progress, resume=resume),
            stop=self._stop,
        )
        if not report.missing:
            return ""
        what = "It was stopped" if self._stop.is_set() else f"It ended early ({report.ended})"
        return f"{what}: {report.missing:,} were not asked yet."

    @contextmanager
    def _turn(self, line: Line | None) -> Iterator[None]:
        with turn_in(line, _LOOK, self._waits):
            self._change(ahead=0)
            yield

    def _waits(self, ahead: int) -> None:
        """Show how many are before the next question: one that a person asks meanwhile is. Raises _Stopped."""
        self._change(ahead=ahead)
        if self._stop.is_set():
            raise _Stopped

    def _progressed(self, progress: Progress, *, resume: bool) -> None:
        assert self._going is not None, "it was begun"
        if self._going.progress is None and resume:  # what was there already says nothing of how long the rest takes
            self._change(before=progress.done, began=time.monotonic())
        self._change(progress=progress)

    def _say(self, line: str) -> None:
        assert self._going is not None, "it was begun"
        self._change(said=(*self._going.said, line))

    def _change(self, only_if: tuple[str, ...] = (), **changes: Any) -> None:
        with self._lock:
            if self._going is not None and (not only_if or self._going.phase in only_if):
                self._going = replace(self._going, **changes)


def chosen_for(model: str, *, memory: bool = False) -> Mapping[str, Any]:
    """Return what a batch sets apart from the settings in force: its model, where one is named, and that its questions
    are answered anew."""
    return {"memory": memory, "cache": False, **({"model": model.strip()} if model.strip() else {})}
