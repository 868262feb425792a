"""Progress on standard error: bars in a terminal, now and then a line elsewhere, nothing that is quickly done."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

import click

from ui.render import visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID
    from rich.status import Status

EVERY = 5.0
"""Seconds between two lines where standard error is no terminal, the first one included."""


class Meter:
    """Shows how far several counted things are. Use as a context manager; `quiet` shows nothing."""

    def __init__(self, *, unit: str = "", quiet: bool = False, stream: TextIO | None = None) -> None:
        """`unit` is what is counted, such as "files"; "bytes" is shown in megabytes."""
        self._stream = stream or sys.stderr
        self._unit = unit
        self._bars: Bars | None = _bars(unit) if self._stream.isatty() and not quiet else None
        self._plain = self._bars is None and not quiet
        self._tasks: dict[str, TaskID] = {}
        self._first: dict[str, tuple[int, float]] = {}  # what was done already when it was first shown, and when
        self._last = self._begun = time.monotonic()

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, what: str, done: int, total: int | None, note: str = "", *, phase: str = "") -> None:
        """Show that `done` of `total` (None: not known) are done of what `what` names; `note` stands behind it.

        `phase` is what is being done to it now, and stands in its place.
        """
        now = time.monotonic()
        first, since = self._first.setdefault(what, (done, now if self._first else self._begun))
        if self._bars is not None:
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(phase or what, total=total, note=note)
            self._bars.update(self._tasks[what], completed=done, total=total, note=note, description=phase or what)
        elif self._plain and now - self._last >= EVERY:
            self._last = now
            line = pace(phase or what, done, (done - first, now - since), total, unit=self._unit, note=note)
            self._stream.write(line + "\n")
            self._stream.flush()


def pace(what: str, done: int, since: tuple[int, float], total: int | None, *, unit: str = "", note: str = "") -> str:
    """Return a line on how far something is, how fast it goes and how long it takes still. `since` it was first looked
    at, so much was done in so many seconds."""
    scale, unit = (1_000_000, "MB") if unit == "bytes" else (1, unit)
    of = f" of {total // scale:,}" if total else ""
    new, seconds = since
    rate = new / scale / max(seconds, 1e-9)
    left = f", {_clock((total - done) / scale / rate)} left" if total and rate else ""
    speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    return f"{what}: {done // scale:,}{of} {unit}, {speed} a second{left}{', ' + note if note else ''}".strip()


def _clock(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours}:{minutes:02}:{int(seconds) % 60:02}" if hours else f"{minutes}:{int(seconds) % 60:02}"


def _bars(unit: str) -> Bars:
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    class Left(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            left = task.time_remaining
            if task.finished or left is None:
                return Text("")
            return Text(f"{_clock(left)} left")

    counted: tuple[progress.ProgressColumn, ...] = (
        (progress.DownloadColumn(), progress.TransferSpeedColumn())
        if unit == "bytes"
        else (progress.MofNCompleteColumn(), progress.TextColumn(unit), Rate())
    )
    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=20),
        *counted,
        progress.TextColumn("{task.fields[note]}", markup=False),
        Left(),
        console=Console(stderr=True),
        transient=True,
    )


class Waiting:
    """Lines on standard error, and below them in a terminal a moving sign of life. Use as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._status: Status | None = None
        self._draft = ""
        if sys.stderr.isatty() and not quiet:
            from rich.console import Console

            self._status = Console(stderr=True).status("")

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def line(self, text: str, *, err: bool = True) -> None:
        """Show finished lines; those of the result go to standard output, with `err` false."""
        if self._status is not None:
            self._status.stop()
        click.echo(text, err=err)
        if self._status is not None:
            self._status.start()

    def draft(self, text: str) -> None:
        """Show the end of the draft that a model is writing, in a terminal alone; it is not checked yet."""
        if self._status is not None:
            from rich.text import Text

            self._draft += text
            self._status.update(Text("writing … " + visible(" ".join(self._draft.split()))[-80:], style="dim"))
