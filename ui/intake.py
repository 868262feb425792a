"""What the page brings into the workspace: one thing at a time, in a thread, with its progress for whoever looks."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.errors import HopliteError, UserError
from ui.progress import pace
from ui.render import by_reason, counted, visible

if TYPE_CHECKING:
    from retrieval.indexing import IndexReport, Progress
    from retrieval.manifest import Failure
    from ui.desk import Workdesk

_log = logging.getLogger("hoplite.page")
_NAMES = 3  # of what is brought in, that are said


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be indexed: folders and files of this machine, addresses as they were typed, files that were uploaded.
    Of the paths `only` these real ones, where it says any."""

    paths: tuple[Path, ...] = ()
    addresses: tuple[str, ...] = ()
    uploaded: tuple[Path, ...] = ()
    only: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        names = [*map(str, self.paths), *self.addresses, *(file.name for file in self.uploaded)]
        if self.only is not None:
            return counted(len(self.only), "changed file")
        more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
        return ", ".join(visible(name) for name in names[:_NAMES]) + more


@dataclass(frozen=True, slots=True)
class Job:
    """One run at one moment. `unit` is what `done` of `total` counts; `first` was done when it was first counted, at
    `since`. Once it is `over`, `said` tells what it came to, or `failed` why it came to nothing."""

    name: str
    phase: str = "waiting for questions that are being answered"
    unit: str = "files"
    done: int = 0
    total: int = 0
    chunks: int = 0
    failures: int = 0
    first: int = 0
    since: float = 0.0
    stopping: bool = False
    over: bool = False
    said: str = ""
    failed: str = ""
    failed_files: tuple[Failure, ...] = ()

    def line(self, now: float) -> str:
        """Return a line on how far it is, how fast it goes and how long it takes still."""
        if not self.since:
            return f"{self.phase} …"
        notes = (
            counted(self.chunks, "passage") if self.chunks else "",
            f"{self.failures:,} failed" if self.failures else "",
        )
        return pace(
            "stopping" if self.stopping else self.phase, self.done, (self.done - self.first, now - self.since),
            self.total or None, unit=self.unit, note=", ".join(filter(None, notes)),
        )  # fmt: skip


class Stopped(UserError):
    """The person stopped it."""


class Intake:
    """Runs what is wanted, one at a time. Its methods may be called from any thread, and none waits for a run."""

    def __init__(self, desk: Workdesk, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._clock = clock
        self._job: Job | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def job(self) -> Job | None:
        """The run under way, or the last one."""
        return self._job

    def line(self) -> str:
        """Return how far the run is."""
        return self._job.line(self._clock()) if self._job else ""

    def begin(self, wanted: Wanted) -> None:
        """Begin. Raises UserError while another run is under way."""
        with self._lock:
            if self._job is not None and not self._job.over:
                raise UserError(f"{self.busy()} One thing at a time: wait, or stop it.")
            self._stop.clear()
            self._job = Job(wanted.name)
            self._thread = threading.Thread(target=self._work, args=(wanted,), name="hoplite-intake", daemon=True)
            self._thread.start()

    def stop(self) -> bool:
        """End the run after the file that it is at; return whether there was one."""
        job = self._job
        if job is None or job.over:
            return False
        self._stop.set()
        self._job = replace(job, stopping=True)
        return True

    def join(self, seconds: float) -> None:
        """Wait for the run to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def close(self) -> None:
        """Stop, and wait a moment for what is half written to be whole."""
        if self.stop():
            self.join(10.0)

    def busy(self) -> str:
        """Return the sentence that says what goes on."""
        job = self._job
        return f"{job.name} is being indexed ({job.line(self._clock())})." if job else ""

    # In the run's own thread ------------------------------------------------------------------------------------------

    def _work(self, wanted: Wanted) -> None:
        begun = self._clock()
        try:
            with self._desk.set_aside(self.busy, go_on=lambda: not self._stop.is_set()):
                report = self._run(wanted)
        except HopliteError as error:
            stopped = self._stop.is_set()  # in its middle, or while it waited for questions
            self._discard(wanted.uploaded)
            self._over(said=self._kept() if stopped else "", failed="" if stopped else str(error))
        except Exception:
            _log.exception("What the page should have indexed failed.")
            self._discard(wanted.uploaded)
            self._over(failed="Something went wrong here; the terminal that serves this page shows what.")
        else:
            self._over(said=_summary(report, self._clock() - begun), failed_files=report.failures)

    def _run(self, wanted: Wanted) -> IndexReport:
        from ingest.fetching.address import parse
        from ui.commands.index import run

        addresses = [address for word in wanted.addresses if (address := parse(word))]
        self._update(phase="fetching" if addresses else "looking for files")
        home = self._desk.workspace
        report = run(
            wanted.paths,
            addresses,
            chosen=home.folder if home else self._desk.chosen_workspace,
            only=wanted.only,
            uploaded=wanted.uploaded,
            quiet=True,
            on_progress=self._told,
            on_page=self._fetched,
        )
        self._desk.use(report.workspace)
        return report

    def _discard(self, uploaded: Sequence[Path]) -> None:
        """Delete files that were uploaded and came to nothing: nobody would find them, and they are sent again."""
        from retrieval.sources import noted_in

        home = self._desk.workspace
        if home is not None and uploaded:
            noted = {source.prefix for source in noted_in(home)}
            for file in uploaded:
                if file.relative_to(home.sources).as_posix() not in noted:
                    file.unlink(missing_ok=True)

    def _kept(self) -> str:
        from retrieval.indexing import documents_in

        home = self._desk.workspace
        kept = documents_in(home) if home else 0
        return f"Stopped. {counted(kept, 'document')} can be searched; adding the same again goes on from there."

    def _told(self, at: Progress) -> None:
        self._counted("files", at.phase, at.done, at.files, chunks=at.chunks, failures=at.failed)

    def _fetched(self, done: int, pages: int) -> None:
        self._counted("pages", "fetching", done, pages)

    def _counted(self, unit: str, phase: str, done: int, total: int, **more: int) -> None:
        if self._stop.is_set():
            raise Stopped("Stopped.")
        job = self._job
        if total and job is not None and (job.unit != unit or not job.since):
            more |= {"first": done}
            self._update(since=self._clock())
        self._update(unit=unit, phase=phase, done=done, total=total, **more)

    def _over(self, **changes: Any) -> None:
        self._update(over=True, **changes)

    def _update(self, **changes: Any) -> None:
        with self._lock:
            if self._job is not None:
                self._job = replace(self._job, stopping=self._stop.is_set(), **changes)


def _summary(report: IndexReport, seconds: float) -> str:
    """What a run came to, in a line."""
    done = report.applied
    parts = {"new": done.new, "changed": done.written - done.new, "unchanged": done.unchanged, "gone": done.forgotten}
    told = ", ".join(f"{number:,} {what}" for what, number in parts.items() if number) or "nothing new"
    rate = f", {report.files / seconds:,.0f} files a second" if seconds >= 1 and report.files >= 100 else ""
    skipped = f"; skipped: {by_reason(report.skipped)}" if report.skipped else ""
    failed = f"; failed: {by_reason(Counter(f.reason for f in report.failures))}" if report.failures else ""
    held = f"{counted(report.documents, 'document')}, {counted(report.chunks, 'passage')} are indexed"
    return f"{told} in {seconds:.1f} s{rate}{skipped}{failed}. {held}."


def stale(paths: Sequence[str], sources: Sequence[str], base: Path) -> Wanted:
    """Return what brings these changed files, given by their real paths, up to date: looked for below the base and the
    `sources`, folders of this machine that were named."""
    there = [path for path in map(Path, sources) if path.exists()]
    return Wanted(paths=tuple(dict.fromkeys([base, *there])), only=frozenset(paths))
