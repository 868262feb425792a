"""The page's desk: the workspace that is asked, opened when there is one, and an agent for each question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ingest.errors import WorkspaceMissing
from ui.commands.ask import CONVERSED, agent_for, in_force, leaving
from ui.commands.options import opened
from ui.sources import Resolve

if TYPE_CHECKING:
    from agent.loop import Agent
    from agent.types import Form
    from retrieval.library import Library
    from retrieval.types import SearchResult
    from retrieval.workspace import Workspace


_LOOKED_AT = 12  # documents, for questions to begin with


class Workdesk:
    """Opens the workspace when the desk is entered, or later, when it was made after that. Use as a context manager."""

    def __init__(self, workspace: Path | None, chosen: Mapping[str, Any]) -> None:
        """`chosen` are the agent's settings as the command line has them, None where nothing was said."""
        self._workspace = workspace
        self._chosen = chosen
        self._library: Library | None = None
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._before_close: list[Callable[[], None]] = []

    @property
    def resolve(self) -> Resolve:
        """What gives an indexed file as it is now."""
        return self._opened().resolve

    @property
    def sessions(self) -> Path:
        """The file of the page's conversations. Raises UserError where nothing is indexed yet."""
        return self._opened().workspace.sessions

    @property
    def library(self) -> Library:
        """The open library. Raises UserError where nothing is indexed yet."""
        return self._opened()

    @property
    def chosen(self) -> Mapping[str, Any]:
        """The settings as the command line has them, None where it said nothing."""
        return self._chosen

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

    def agent(self, form: Form | Literal["auto"] = "auto") -> Agent:
        """Return an agent for one question; `form` is its answer's, where that is chosen on the page. What leaves this
        machine is in `about`, which the page shows first."""
        chosen = self._chosen if form == "auto" else {**self._chosen, "form": form}
        return agent_for(self._opened(), chosen, told=True)

    def search(self, query: str, k: int) -> SearchResult:
        """Return the passages for a query. Raises UserError where nothing is indexed."""
        return self._opened().search(query, k=k)

    def examples(self) -> tuple[str, ...]:
        """Return questions to begin with, about names of what is indexed. Raises UserError where nothing is."""
        from agent.suggest import examples

        library = self._opened()
        paths = library.paths()
        some = paths[:: max(1, len(paths) // _LOOKED_AT)][:_LOOKED_AT]
        return examples([library.store.in_document(path) for path in some])

    def before_close(self, call: Callable[[], None]) -> None:
        """Have this called when the desk is left, while the workspace is still open."""
        self._before_close.append(call)

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
        with self._open:
            for call in self._before_close:
                call()

    def _opened(self) -> Library:
        with self._lock:
            if self._library is None:
                self._library = self._open.enter_context(opened(self._workspace))
            return self._library
