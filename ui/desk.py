"""The page's desk: the workspace that is asked, opened when there is one, and an agent for each question."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ui.chat import Resolve
from ui.commands.ask import agent_for
from ui.commands.options import opened

if TYPE_CHECKING:
    from retrieval.library import Library
    from ui.app import Asked


class Workdesk:
    """Opens the workspace at the first request that needs it, so that one made after the start is found too."""

    def __init__(self, workspace: Path | None, chosen: Mapping[str, Any]) -> None:
        """`chosen` are the agent's settings as the command line has them, None where nothing was said."""
        self._workspace = workspace
        self._chosen = chosen
        self._library: Library | None = None
        self._lock = threading.Lock()
        self._open = ExitStack()

    @property
    def resolve(self) -> Resolve:
        """What gives an indexed file as it is now."""
        return self._opened().resolve

    def agent(self) -> Asked:
        """Return an agent for one question."""
        return agent_for(self._opened(), self._chosen)

    def about(self) -> str:
        """Return a line on what is indexed. Raises UserError where nothing is."""
        now = self._opened().status()
        stale = f", {len(now.stale):,} of them changed since" if now.stale else ""
        return f"{now.base.name}: {now.totals.documents:,} documents{stale}, {now.totals.chunks:,} passages"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _opened(self) -> Library:
        with self._lock:
            if self._library is None:
                self._library = self._open.enter_context(opened(self._workspace))
            return self._library
