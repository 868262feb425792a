"""The line before a model that answers so many questions at a time: who is next, and how many are before whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

ELSEWHERE = 8
"""Questions that go to a model on another machine at the same time."""


class Line:
    """First come, first served. `at_once` are served at the same time."""

    def __init__(self, at_once: int = 1) -> None:
        self.at_once = at_once
        self._waiting: list[Place] = []
        self._moved = threading.Condition()

    def join(self) -> Place:
        """Return a place at the end of the line; leave it when it is over. Use as a context manager."""
        place = Place(self)
        with self._moved:
            self._waiting.append(place)
        return place

    def ahead(self, place: Place) -> int:
        """Return how many must be over before this one's turn; 0 for one that is served."""
        with self._moved:
            return self._ahead(place)

    def wait(self, place: Place, seconds: float) -> bool:
        """Return whether it is this one's turn, as soon as the line moved and after `seconds` at the latest."""
        with self._moved:
            return self._ahead(place) == 0 or (self._moved.wait(seconds) and self._ahead(place) == 0)

    def leave(self, place: Place) -> None:
        """Make room for the next; twice is no error."""
        with self._moved:
            if place in self._waiting:
                self._waiting.remove(place)
                self._moved.notify_all()

    def _ahead(self, place: Place) -> int:
        return max(0, self._waiting.index(place) - self.at_once + 1) if place in self._waiting else 0


class Place:
    """A place in a line, until it is left."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def ahead(self) -> int:
        """How many must be over before it is this one's turn."""
        return self._line.ahead(self)

    def wait(self, seconds: float) -> bool:
        """Return whether it is its turn, within `seconds`."""
        return self._line.wait(self, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.leave(self)


@contextmanager
def turn_in(
    line: Line | None, seconds: float = 60.0, waiting: Callable[[int], None] = lambda ahead: None
) -> Iterator[None]:
    """Wait for a turn in a line, and leave it at the end; None is no line to wait in.

    While others are before, `waiting` is told how many, at once, when the line moves and every so many seconds. What it
    raises leaves the line.
    """
    if line is None:
        yield
        return
    with line.join() as place:
        while ahead := place.ahead:
            waiting(ahead)
            place.wait(seconds)
        yield


class Lines:
    """A line for each model, by its name. Without a model there is nothing to wait for."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._lock = threading.Lock()

    def before(self, model: str | None) -> Line | None:
        """Return the line before a model; None without one. One on this machine answers one question at a time."""
        if model is None:
            return None
        with self._lock:
            return self._lines.setdefault(model, Line(1 if _here(model) else ELSEWHERE))


def _here(model: str) -> bool:
    """Whether any that a name stands for runs on this machine: a chain is as slow as its slowest."""
    from agent.models import members

    return any(member.startswith(("local", "ollama/")) for member in members(model))
