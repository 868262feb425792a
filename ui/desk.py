"""The page's desk: the workspace that is asked, opened when there is one, and an agent for each question."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ingest.errors import WorkspaceMissing
from ui.chat import Resolve
from ui.commands.ask import CONVERSED, agent_for, in_force, leaving
from ui.commands.options import opened

if TYPE_CHECKING:
    from agent.conversation import Asked
    from agent.types import Form
    from retrieval.library import Library
    from retrieval.types import SearchResult
    from retrieval.workspace import Workspace


class Workdesk:
    """Opens the workspace when the desk is entered, or later, when it was made after that. Use as a context manager."""

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

    @property
    def workspace(self) -> Workspace | None:
        """The workspace that is open, if one is."""
        return self._library.workspace if self._library else None

    @property
    def traces(self) -> Path:
        """The file of the workspace's traces."""
        return self._opened().workspace.traces

    @property
    def memory(self) -> Path:
        """The file of the workspace's notes."""
        return self._opened().workspace.memory

    def agent(self, form: Form | Literal["auto"] = "auto") -> Asked:
        """Return an agent for one question; `form` is its answer's, where one is chosen. What leaves this machine is in
        `about`, which the page shows first."""
        chosen = self._chosen if form == "auto" else {**self._chosen, "form": form}
        return agent_for(self._opened(), chosen, told=True)

    def search(self, query: str, k: int) -> SearchResult:
        """Return the passages for a query. Raises UserError where nothing is indexed."""
        return self._opened().search(query, k=k)

    def about(self) -> str:
        """Return a line on what is indexed, and on what leaves this machine. Raises UserError where nothing is."""
        library = self._opened()
        now = library.status()
        stale = f", {len(now.stale):,} of them changed since" if now.stale else ""
        counted = f"{now.base.name}: {now.totals.documents:,} documents{stale}, {now.totals.chunks:,} passages"
        return ". ".join(filter(None, (counted, leaving(library, in_force(library, self._chosen), also=CONVERSED))))

    def __enter__(self) -> Self:
        """Open the workspace, if there is one. Raises WorkspaceBusy and WorkspaceDamaged."""
        with suppress(WorkspaceMissing):
            self._opened()
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
