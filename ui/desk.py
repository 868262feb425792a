"""The page's desk: the workspace that is asked, opened when there is one, and an agent for each question.

One process holds a workspace at a time, and what is searched is not written to meanwhile. So whatever uses the library
does so inside `Workdesk.library`, and indexing (`Workdesk.set_aside`) waits until nobody does, closes it, and gives it
back. A question that comes meanwhile is told so and can be asked again; nothing that runs is cut short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ingest.errors import UserError, WorkspaceMissing
from ui.commands.ask import CONVERSED, agent_for, in_force, leaving
from ui.commands.options import opened
from ui.line import Lines

if TYPE_CHECKING:
    from agent.loop import Agent
    from agent.models import ChatModel
    from agent.plan import Plan
    from agent.settings import Settings
    from agent.types import Clarify, Event, Form
    from ingest.types import Document
    from retrieval.collections import Collection
    from retrieval.indexing import Removed
    from retrieval.library import Library
    from retrieval.types import SearchResult
    from retrieval.workspace import Workspace
    from ui.sources import Resolve


_LOOKED_AT = 12  # documents, for questions to begin with
_PATIENCE = 5.0  # seconds that removing waits for questions
_LOOK = 0.1  # seconds between looks at whether indexing is not wanted any more


class Workdesk:
    """Opens the workspace when the desk is entered, or later, when it was made after that. Use as a context manager."""

    def __init__(self, workspace: Path | None, chosen: Mapping[str, Any]) -> None:
        """`chosen` are the agent's settings as the command line has them, None where nothing was said."""
        self._chosen_workspace = workspace
        self._chosen = chosen
        self._library: Library | None = None
        self._open = ExitStack()
        self._users = 0
        self._said = False
        self._aside: Callable[[], str] | None = None  # says what the library is set aside for
        self._changed = threading.Condition()
        self._before_close: list[Callable[[], None]] = []
        self.lines = Lines()  # before the models, for whatever asks them here

    # The library ------------------------------------------------------------------------------------------------------

    @contextmanager
    def library(self) -> Iterator[Library]:
        """Give the open library, which stays as it is until the end.

        Raises UserError while it is set aside, and where nothing is indexed yet.
        """
        with self._changed:
            if self._aside is not None:
                raise UserError(f"{self._aside()} Try again when that is done.")
            library = self._opened()
            self._users += 1
        try:
            yield library
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    @contextmanager
    def set_aside(self, why: Callable[[], str], go_on: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Close the library, once nobody uses it, for whatever is done inside; from now on nobody new does. Whoever
        needs it next opens it again.

        `why` says in a sentence what it is closed for; where `go_on` says no while it is still used, nothing is done.
        Raises UserError where it is set aside already.
        """
        with self._changed:
            if self._aside is not None:
                raise UserError(f"{self._aside()} One thing at a time: wait, or stop that.")
            self._aside = why
        try:
            with self._changed:
                while self._users and go_on():
                    self._changed.wait(_LOOK)
                if self._users:
                    raise UserError("A question is still being answered. Try again when that is done.")
                self._library = None
                self._open.close()
            yield
        finally:
            with self._changed:
                self._aside = None

    def use(self, folder: Path) -> None:
        """Have this workspace, which was just made, from now on."""
        self._chosen_workspace = folder

    # What is in the workspace, whoever holds it -----------------------------------------------------------------------

    @property
    def chosen(self) -> Mapping[str, Any]:
        """The settings as the command line has them, None where it said nothing."""
        return self._chosen

    @property
    def workspace(self) -> Workspace | None:
        """The workspace, if there is one."""
        with suppress(WorkspaceMissing):
            return self.home()
        return None

    @property
    def chosen_workspace(self) -> Path | None:
        """The folder that was named for the workspace, or that it has by now; None where it is found from here."""
        return self._chosen_workspace

    def home(self) -> Workspace:
        """Return the workspace. Raises WorkspaceMissing, with what to do first."""
        from retrieval.workspace import find

        library = self._library
        return library.workspace if library else find(Path.cwd(), self._chosen_workspace)

    @property
    def resolve(self) -> Resolve:
        """What gives an indexed file as it is now, also while the library is set aside."""
        from retrieval.library import resolved
        from retrieval.manifest import Manifest

        workspace = self.home()

        def resolve(path: str) -> Document | None:
            with closing(Manifest(workspace.manifest)) as manifest:
                return resolved(manifest, path)

        return resolve

    @property
    def sessions(self) -> Path:
        """The file of the page's conversations. Raises UserError where there is no workspace yet."""
        return self.home().sessions

    @property
    def traces(self) -> Path:
        """The file of the workspace's traces. Raises UserError where there is no workspace yet."""
        return self.home().traces

    @property
    def memory(self) -> Path:
        """The file of the workspace's notes. Raises UserError where there is no workspace yet."""
        return self.home().memory

    def settings(self) -> Settings:
        """Return the settings in force."""
        from agent.settings import load_settings

        workspace = self.workspace
        return load_settings(workspace.folder if workspace else None, self._chosen).settings

    def roots(self) -> tuple[Path, ...]:
        """Return the folders of this machine below which the page may index."""
        from ui.roots import roots

        return roots(self.settings(), self.workspace)

    def make_home(self) -> Workspace:
        """Return the workspace, made where there is none, as the command line would from here."""
        from retrieval.indexing import workspace_for
        from retrieval.workspace import create

        if (found := self.workspace) is not None:
            return found
        place = workspace_for([], self._chosen_workspace)
        return create(place.folder, place.base)

    def remove(self, what: str) -> Removed:
        """Forget a document, a folder or an address, by the name that the index shows it by.

        Raises UserError where nothing is at it, and while questions are answered.
        """
        from retrieval import indexing, sources

        home = self.home()
        with self.library() as library:
            listed = next((each.source for each in library.documents() if each.path == what), None)
            known = sources.named(what, library.sources())
        path = what if known else listed or str(home.base / what)
        until = time.monotonic() + _PATIENCE
        with self.set_aside(lambda: "Something is being removed.", go_on=lambda: time.monotonic() < until):
            return indexing.remove([path], chosen=home.folder)

    def collections(self) -> tuple[Collection, ...]:
        """Return what a question can be asked in, by name. Raises UserError for a file of them that is damaged."""
        from retrieval.collections import collections

        workspace = self.workspace
        return collections(workspace.collections) if workspace else ()

    # Asking -----------------------------------------------------------------------------------------------------------

    def agent(self, form: Form | Literal["auto"] = "auto", collection: str = "") -> Seated:
        """Return an agent for one question, in a collection where one is named; `form` is its answer's, where that is
        chosen. What leaves this machine is in `about`, which the page shows first."""
        from retrieval.collections import named

        chosen = self._chosen if form == "auto" else {**self._chosen, "form": form}
        if collection:
            chosen = {**chosen, "within": named(self.home().collections, collection).globs}
        return Seated(self, lambda library: agent_for(library, chosen, told=True))

    def search(self, query: str, k: int) -> SearchResult:
        """Return the passages for a query. Raises UserError where nothing is indexed."""
        with self.library() as library:
            return library.search(query, k=k)

    def examples(self) -> tuple[str, ...]:
        """Return questions to begin with, about names of what is indexed. Raises UserError where nothing is."""
        from agent.suggest import examples

        with self.library() as library:
            paths = library.paths()
            some = paths[:: max(1, len(paths) // _LOOKED_AT)][:_LOOKED_AT]
            return examples([library.store.in_document(path) for path in some])

    def about(self) -> str:
        """Return a line on what is indexed, and on what leaves this machine. Raises UserError where nothing is."""
        with self.library() as library:
            now = library.status()
            stale = f", {len(now.stale):,} of them changed since" if now.stale else ""
            counted = f"{now.base.name}: {now.totals.documents:,} documents{stale}, {now.totals.chunks:,} passages"
            return ". ".join(filter(None, (counted, leaving(library, in_force(library, self._chosen), also=CONVERSED))))

    def before_close(self, call: Callable[[], None]) -> None:
        """Have this called when the desk is left, while the workspace is still open."""
        self._before_close.append(call)

    def __enter__(self) -> Self:
        """Open the workspace, if there is one. Raises WorkspaceBusy and WorkspaceDamaged."""
        with suppress(WorkspaceMissing), self._changed:
            self._opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            for call in self._before_close:
                call()

    def _opened(self) -> Library:
        if self._library is None:
            # What is missing for a search is said once, not at every opening.
            self._library = self._open.enter_context(opened(self._chosen_workspace, searches=not self._said))
            self._said = True
        return self._library


class Seated:
    """An agent at the desk: its runs hold the library, and it is made anew where that was opened anew meanwhile."""

    def __init__(self, desk: Workdesk, make: Callable[[Library], Agent]) -> None:
        """Raises UserError as `Workdesk.library` does, and where the agent cannot be made."""
        self._desk = desk
        self._make = make
        with desk.library() as library:
            self._of, self._agent = library, make(library)

    @property
    def chat(self) -> ChatModel | None:
        """The model that answers."""
        return self._agent.chat

    def clarify(self, question: str) -> Clarify | None:
        """Return the one thing that a question leaves open, or None."""
        with self._ready() as agent:
            return agent.clarify(question)

    def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
        """Answer a question, event by event; see `Agent.stream`."""
        with self._ready() as agent:
            yield from agent.stream(question, plan, fresh=fresh)

    def stop(self) -> None:
        """End the run with the best answer so far; from any thread."""
        self._agent.stop()

    @contextmanager
    def _ready(self) -> Iterator[Agent]:
        with self._desk.library() as library:
            if library is not self._of:
                self._of, self._agent = library, self._make(library)
            yield self._agent
