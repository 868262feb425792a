"""A library that is open while it is used and a moment longer, so that others get at its workspace in between.

One process holds a workspace at a time. An editor keeps its servers running all day, and `hoplite index` in a terminal
must not be refused for that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ui.commands.options import opened

if TYPE_CHECKING:
    from retrieval.library import Library

KEPT_SECONDS = 1.0
"""How long a library stays open that nobody uses. A command waits twice that for a workspace, so it always gets in."""


class Borrowed:
    """Opens the workspace for whoever needs it; several at once share it. Use as a context manager, from any thread."""

    def __init__(self, workspace: Path | None, *, kept: float = KEPT_SECONDS) -> None:
        self._workspace = workspace
        self._kept = kept
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._library: Library | None = None
        self._users = 0
        self._timer: threading.Timer | None = None
        self._over = False
        self._told = False

    @contextmanager
    def library(self) -> Iterator[Library]:
        """Lend the library. Raises WorkspaceMissing, WorkspaceBusy and WorkspaceDamaged, each with the next step."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._library is None:
                # What it has to do without is said once, not whenever it is opened.
                self._library = self._open.enter_context(opened(self._workspace, searches=not self._told))
                self._told = True
            library = self._library
            self._users += 1
        try:
            yield library
        finally:
            with self._lock:
                self._users -= 1
                self._unused()

    def __enter__(self) -> Self:
        """Open nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the library, once the last who uses it is done. Twice is no error."""
        with self._lock:
            self._over = True
            self._unused()

    def _unused(self) -> None:
        """Close the library where nobody uses it: now where all is over, else soon."""
        if self._users or self._library is None:
            return
        if self._over:
            self._close()
        else:
            self._timer = threading.Timer(self._kept, self._let_go)
            self._timer.daemon = True
            self._timer.start()

    def _let_go(self) -> None:
        with self._lock:
            if threading.current_thread() is self._timer:  # else somebody came, or another timer runs
                self._close()

    def _close(self) -> None:
        self._timer = self._library = None
        self._open.close()
