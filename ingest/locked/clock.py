"""What a step may use, and the clocks that tell when it has used it up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.locked.outcome import ChildDied


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one step; memory is the child's for life.

    `wall_seconds` leaves out the time the parent spends in callbacks; `absolute_seconds` leaves out nothing.
    """

    cpu_seconds: float = 10.0
    wall_seconds: float = 30.0
    absolute_seconds: float = 300.0
    memory_mb: int = 512
    calls: int = 200


STEP = Limits()


class StepClock:
    """Watches one step from the parent, where nothing the child does can reach."""

    def __init__(self, limits: Limits, process: int) -> None:
        self._limits = limits
        self._process = process
        now = time.monotonic()
        self._absolute = now + limits.absolute_seconds
        self._wall = now + limits.wall_seconds
        self._cpu = cpu_seconds(process) + limits.cpu_seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave what happens inside out of `wall_seconds`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._wall += time.monotonic() - start

    def left(self) -> float:
        """Return the seconds until the next deadline that is sure, above 0. Raises ChildDied when one has passed."""
        now = time.monotonic()
        if now >= self._absolute:
            raise ChildDied(f"absolute time limit of {self._limits.absolute_seconds:g} s")
        if now >= self._wall:
            raise ChildDied(f"time limit of {self._limits.wall_seconds:g} s")
        if cpu_seconds(self._process) >= self._cpu:
            raise ChildDied(f"CPU limit of {self._limits.cpu_seconds:g} s")
        return min(self._absolute, self._wall) - now


def cpu_seconds(process: int) -> float:
    """Return the processor time a process has used, 0 when it is gone."""
    try:
        # How Linux names the clock of a process; clock_getcpuclockid(3) returns the same.
        return time.clock_gettime((~process << 3) | 2)
    except OSError:
        return 0.0
