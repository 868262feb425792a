"""The library: what is indexed and what became of it, adding and removing, documents and names to look through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from ingest.errors import HopliteError, UserError
from retrieval.collections import EVERYTHING, delete, named, save
from retrieval.sources import below
from retrieval.sources import named as named_there
from retrieval.types import Scope
from ui import library_page, markup, name_graph
from ui.intake import Intake, Wanted, stale
from ui.library_page import At
from ui.render import counted
from ui.views.frame import EVENTS, Frame, shown

if TYPE_CHECKING:
    from ui.desk import Workdesk

LONGEST = 2_000
"""Characters of what is typed in one of the view's boxes."""

_KINDS: dict[str, Any] = {"All kinds": None, "Documents": "prose", "Code": "code"}
_NEW = "New collection"
_PAUSE = 0.4  # seconds between two looks at a run
_MOST_NAMED = 500  # places of a name that are looked at
_HERE = (
    "Choose a document at the left. Its names lead to where they are defined and used, and every answer's sources "
    "open here, too."
)


class LibraryView:
    """Handlers hold no state of a browser's: what is open, filtered or about to be removed is in its own page."""

    name = "library"
    title = "Library"

    def __init__(self, desk: Workdesk, intake: Intake) -> None:
        self._desk = desk
        self._intake = intake

    # The page ---------------------------------------------------------------------------------------------------------

    def build(self, frame: Frame) -> None:
        """Make what adds, the state, the list and the place of what is open, and wire them."""
        opened, removing, page = gr.State(""), gr.State(""), gr.State(0)
        with gr.Row(elem_id="library-add"):
            what = gr.Textbox(
                label="Add a folder or a file of this machine, a git address or a web page", max_length=LONGEST,
                placeholder="/home/me/notes or https://host/owner/repo", scale=6, elem_id="library-what",
            )  # fmt: skip
            add = gr.Button("Add", variant="primary", scale=1, min_width=80, elem_id="library-go")
            stop = gr.Button("Stop", scale=1, min_width=80, elem_id="library-stop")
        drop = gr.File(
            label="Or drop files here", file_count="multiple", type="filepath", height=96, elem_id="library-drop"
        )
        job = shown("library-job")
        with gr.Row():
            with gr.Column(scale=4, min_width=280):
                state = shown("library-state")
                update = gr.Button("Bring up to date", size="sm", elem_id="library-update")
                with gr.Row(elem_classes="filter"):
                    words = gr.Textbox(
                        label="Path has", placeholder="a word of it, or docs/*.md", max_length=300, scale=3,
                        elem_id="library-words",
                    )  # fmt: skip
                    kind = gr.Dropdown(list(_KINDS), value="All kinds", label="Kind", scale=2, elem_id="library-kind")
                    within = gr.Dropdown(
                        [EVERYTHING], value=EVERYTHING, label="Collection", scale=2, visible=False,
                        elem_id="library-within",
                    )  # fmt: skip
                listed = shown("library-list")
                with gr.Row():
                    before = gr.Button("Previous", size="sm", interactive=False, min_width=80)
                    after = gr.Button("Next", size="sm", interactive=False, min_width=80, elem_id="library-next")
                with gr.Accordion("Collections, to ask a question in", open=False, elem_id="library-collections"):
                    chosen = gr.Dropdown([_NEW], value=_NEW, label="Collection", elem_id="collection-chosen")
                    called = gr.Textbox(label="Its name", max_length=80, elem_id="collection-name")
                    globs = gr.Textbox(
                        label="Paths, one a line; * stands for anything", lines=3, max_lines=10, max_length=20_000,
                        placeholder="docs/*", elem_id="collection-globs",
                    )  # fmt: skip
                    with gr.Row():
                        keep = gr.Button("Save", size="sm", elem_id="collection-save")
                        lose = gr.Button("Delete", size="sm", variant="stop", elem_id="collection-delete")
                    said = shown("collection-said")
            with gr.Column(scale=8, min_width=280, elem_id="library-opened"):
                with gr.Group(visible=False, elem_id="library-confirm") as confirm:
                    asked = shown("library-asked")
                    with gr.Row():
                        yes = gr.Button("Remove", variant="stop", size="sm", elem_id="library-remove")
                        no = gr.Button("Keep", size="sm", elem_id="library-keep")
                detail = shown("library-detail")
        filters = [words, kind, within, page, opened]
        paged = [listed, page, before, after]
        places = [detail, confirm, asked, removing, opened]
        boxes = [within, *frame.collections]
        collected = [chosen, called, globs, said, *boxes]

        async def follow() -> AsyncIterator[str]:
            async for html in self.follow():
                yield html

        def for_each_box(handler: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
            """Have the choices that a handler gives last, given to every box in which a collection is chosen."""

            def handled(*words: Any) -> tuple[Any, ...]:
                *own, choices = handler(*words)
                return (*own, *(choices for _ in boxes))

            return handled

        def followed(event: Any) -> None:
            """Show the progress to its end, and then what is different."""
            done = event.then(follow, None, job, concurrency_limit=None, **EVENTS)
            done.then(self.state, None, state, **EVENTS).then(self.listed, filters, paged, **EVENTS)

        followed(gr.on([what.submit, add.click], self.add, what, [job, what], **EVENTS))
        followed(drop.upload(self.dropped, drop, [job, drop], **EVENTS))
        followed(update.click(self.update, None, job, **EVENTS))
        stop.click(self.stop, None, job, queue=False, **EVENTS)
        gr.on([words.change, kind.change, within.change], self.filtered, [words, kind, within, opened], paged, **EVENTS)
        before.click(lambda *told: self.turned(-1, *told), filters, paged, **EVENTS)
        after.click(lambda *told: self.turned(1, *told), filters, paged, **EVENTS)
        linked = frame.opener(self.name, self.opened, places)
        followed(linked)
        yes.click(self.removed, removing, places, **EVENTS).then(self.state, None, state, **EVENTS).then(
            self.listed, filters, paged, **EVENTS
        )
        no.click(self.kept, None, [confirm, removing], **EVENTS)
        chosen.change(self.chosen, chosen, [called, globs, said], **EVENTS)
        keep.click(for_each_box(self.saved), [chosen, called, globs], collected, **EVENTS)
        lose.click(for_each_box(self.deleted), chosen, collected, **EVENTS)
        frame.on_load(self.state, state)
        frame.on_load(self.first, paged)
        frame.on_load(for_each_box(self.collected), collected)
        frame.on_load(follow, job, concurrency_limit=None)

    # Adding -----------------------------------------------------------------------------------------------------------

    def add(self, said: str) -> tuple[str, str]:
        """Begin to index a folder or file of this machine, or an address; return the progress, and what stays typed."""
        return self._begun(lambda: self._wanted(said.strip()[:LONGEST])), ""

    def dropped(self, files: Sequence[str] | None) -> tuple[str, None]:
        """Take files in that a browser sent, and begin to index them."""
        return self._begun(lambda: self._uploaded(list(files or ()))), None

    def update(self) -> str:
        """Begin to index again what changed since."""

        def wanted() -> Wanted:
            with self._desk.library() as library:
                now = library.status()
                changed = {each.path: each.source for each in library.documents()}
            if not now.stale:
                raise UserError("Every file is as it was indexed.")
            folders = [source.url for source in now.sources if source.kind == "folder"]
            return stale([changed[path] for path in now.stale], folders, now.base)

        return self._begun(wanted)

    def stop(self) -> str:
        """End what is being indexed, after the file that it is at."""
        self._intake.stop()
        return library_page.job(self._intake.job, self._intake.line())

    async def follow(self) -> AsyncIterator[str]:
        """Yield how far what is being indexed is, until it is over; at once what the last run came to."""
        while True:
            job = self._intake.job
            yield library_page.job(job, self._intake.line())
            if job is None or job.over:
                return
            await asyncio.sleep(_PAUSE)

    def _begun(self, wanted: Callable[[], Wanted]) -> str:
        try:
            self._intake.begin(wanted())
        except HopliteError as error:
            return library_page.problem(str(error))
        return library_page.job(self._intake.job, self._intake.line())

    def _wanted(self, said: str) -> Wanted:
        from ingest.fetching.address import parse
        from ui.roots import allowed

        if not said:
            raise UserError("Type a folder, a file or an address first, or drop files below.")
        if parse(said) is not None:
            return Wanted(addresses=(said,))
        return Wanted(paths=(allowed(said, self._desk.roots()),))

    def _uploaded(self, files: Sequence[str]) -> Wanted:
        from ui.uploads import MB, take

        if not files:
            raise UserError("No file arrived. Drop it again.")
        limit = self._desk.settings().upload_mb * MB
        return Wanted(uploaded=tuple(take(files, self._desk.make_home(), file_limit=limit)))

    # What is there ----------------------------------------------------------------------------------------------------

    def state(self) -> str:
        """Return what is indexed, stale, failed and skipped."""
        try:
            with self._desk.library() as library:
                return library_page.status(library.status())
        except HopliteError as error:
            return library_page.nothing(str(error))

    def first(self) -> tuple[str, int, Any, Any]:
        """Return the list as it is when the page opens."""
        return self.listed()

    def filtered(self, words: str, kind: str, within: str, opened: str) -> tuple[str, int, Any, Any]:
        """Return the first page of the documents that fit."""
        return self.listed(words, kind, within, 0, opened)

    def turned(self, by: int, words: str, kind: str, within: str, page: int, opened: str) -> tuple[str, int, Any, Any]:
        """Return the page before or after."""
        return self.listed(words, kind, within, page + by, opened)

    def listed(
        self, words: str = "", kind: str = "", within: str = EVERYTHING, page: int = 0, opened: str = ""
    ) -> tuple[str, int, Any, Any]:
        """Return a page of the documents that fit, its number, and whether there is one before and after."""
        try:
            scope = self._scope(within)
            with self._desk.library() as library:
                found = library.documents(words=words.strip()[:300], kind=_KINDS.get(kind), scope=scope)
                last = library_page.pages(len(found)) - 1
                page = min(max(0, int(page or 0)), last)
                html = library_page.listed(found, page, library.state, opened)
        except HopliteError as error:
            return library_page.nothing(str(error)), 0, gr.update(interactive=False), gr.update(interactive=False)
        return html, page, gr.update(interactive=page > 0), gr.update(interactive=page < last)

    def _scope(self, within: str) -> Scope | None:
        if not within or within == EVERYTHING:
            return None
        return Scope(within=named(self._desk.home().collections, within).globs)

    # Opening ----------------------------------------------------------------------------------------------------------

    def opened(self, what: str) -> tuple[str, Any, str, str, Any]:
        """Return what a link opens: `doc:PATH#L12-18`, `name:NAME`, `folder:PATH`; whether something is to be removed
        (`remove:PATH`), after asking; and begin what is read again (`again:ADDRESS`). With it comes which document is
        open, for the list."""
        word, _, rest = what[:LONGEST].partition(":")
        closed: tuple[Any, str, str] = (gr.update(visible=False), "", "")
        try:
            match word:
                case "doc":
                    at = library_page.at(rest)
                    return self._document(at), *closed, at.path
                case "name":
                    return self._name(rest), *closed, gr.update()
                case "folder":
                    return self._folder(rest), *closed, gr.update()
                case "remove":
                    return gr.update(), gr.update(visible=True), self._asks(rest), rest, gr.update()
                case "again":
                    self._again(rest)
                    return gr.update(), *closed, gr.update()
        except HopliteError as error:
            return library_page.problem(str(error)), *closed, gr.update()
        return library_page.nothing(_HERE), *closed, gr.update()

    def _document(self, at: At) -> str:
        with self._desk.library() as library:
            digest = library.digest(at.path)
            if digest is None:
                raise UserError(f"{at.path} is not indexed, or not any more.")
            chunks = library.store.in_document(at.path)
            loaded = library.resolve(at.path)
            known = library.store.defined(library_page.names_of(chunks))
            original = library.original(at.path)
        changed = loaded is not None and loaded.digest != digest
        return library_page.document(at, loaded, chunks, known, changed=changed, original=original)

    def _name(self, name: str) -> str:
        name = name.strip()[:300]
        with self._desk.library() as library:
            known = library.symbols(name, _MOST_NAMED)
        heading = f"<h3>{markup.escaped(name)}</h3>"
        if known.state == "unknown":
            near = ", ".join(markup.opens("library", f"name:{each}", each) for each in known.near[:20])
            also = f"<p>Is it one of these: {near}</p>" if near else ""
            return f"{heading}{library_page.nothing('Nothing here defines or mentions this name.')}{also}"
        graph = name_graph.around(known)
        unresolved = "<p class=note>It is written here and defined nowhere.</p>" if known.state == "unresolved" else ""
        return f"{heading}{unresolved}{name_graph.picture(graph)}{name_graph.listed(graph)}"

    def _folder(self, path: str) -> str:
        with self._desk.library() as library:
            return library_page.folder(path, [each for each in library.documents() if below(each.path, path)])

    # Removing ---------------------------------------------------------------------------------------------------------

    def removed(self, what: str) -> tuple[str, Any, str, str, str]:
        """Forget a document, a folder or an address, once it was asked."""
        closed: tuple[Any, str, str] = (gr.update(visible=False), "", "")
        if not what:
            return library_page.nothing(_HERE), *closed, ""
        try:
            gone = self._desk.remove(what)
        except HopliteError as error:
            return library_page.problem(str(error)), *closed, ""
        told = f"{counted(len(gone.paths), 'document')} and {counted(gone.chunks, 'passage')} forgotten"
        return library_page.nothing(f"{told}; {counted(gone.left, 'document')} left."), *closed, ""

    def kept(self) -> tuple[Any, str]:
        """Remove nothing."""
        return gr.update(visible=False), ""

    def _asks(self, what: str) -> str:
        with self._desk.library() as library:
            remote = [source for source in library.sources() if source.kind != "folder"]
            roots = named_there(what, remote) or [what]
            found = [each for each in library.documents() if any(below(each.path, root) for root in roots)]
        if not found and roots == [what]:
            raise UserError(f"Nothing that is indexed lies at {what}.")
        copied = any(below(source.prefix, root) or below(root, source.prefix) for source in remote for root in roots)
        return library_page.asks(what, len(found), sum(each.chunks for each in found), copied=copied)

    def _again(self, address: str) -> None:
        """Read an address again that was read before: a link must not have anything else fetched."""
        with self._desk.library() as library:
            known = {source.asked for source in library.sources() if source.kind in ("git", "web")}
        if address not in known:
            raise UserError("That address was never read. Add it above.")
        self._intake.begin(Wanted(addresses=(address,)))

    # Collections ------------------------------------------------------------------------------------------------------

    def collected(self, chosen: str = _NEW, said: str = "", *, gone: bool = False) -> tuple[Any, str, str, str, Any]:
        """Return the collections to choose from, the chosen one's name and globs, what is said, and the choices of
        every other box; `gone`: one that may be chosen there has its name no more."""
        try:
            found = {each.name: each for each in self._desk.collections()}
        except HopliteError as error:
            return gr.update(choices=[_NEW], value=_NEW), "", "", library_page.problem(str(error)), gr.update()
        one = found.get(chosen)
        boxes: dict[str, Any] = {"choices": [EVERYTHING, *found], "visible": bool(found)}
        return (
            gr.update(choices=[_NEW, *found], value=one.name if one else _NEW),
            one.name if one else "",
            "\n".join(one.globs) if one else "",
            said,
            gr.update(**boxes, **({"value": EVERYTHING} if gone else {})),
        )

    def chosen(self, chosen: str) -> tuple[Any, Any, Any]:
        """Return the name and the globs of a collection, and how much is in it."""
        if chosen == _NEW:
            return "", "", ""
        try:
            one = named(self._desk.home().collections, chosen)
            return one.name, "\n".join(one.globs), self._counted(one.globs)
        except HopliteError as error:
            return gr.update(), gr.update(), library_page.problem(str(error))

    def saved(self, chosen: str, called: str, globs: str) -> tuple[Any, Any, Any, str, Any]:
        """Make a collection, or change the chosen one, its name too."""
        try:
            instead = "" if chosen == _NEW else chosen
            made = save(self._desk.home().collections, called, globs.splitlines(), instead_of=instead)
        except HopliteError as error:
            return gr.update(), gr.update(), gr.update(), library_page.problem(str(error)), gr.update()
        return self.collected(made.name, self._counted(made.globs), gone=bool(instead) and instead != made.name)

    def deleted(self, chosen: str) -> tuple[Any, Any, Any, str, Any]:
        """Forget the chosen collection; its documents stay."""
        try:
            if chosen == _NEW:
                raise UserError("Choose a collection first.")
            delete(self._desk.home().collections, chosen)
        except HopliteError as error:
            return gr.update(), gr.update(), gr.update(), library_page.problem(str(error)), gr.update()
        said = f"<p class=note>{markup.escaped(chosen)} is deleted; its documents stay.</p>"
        return self.collected(said=said, gone=True)

    def _counted(self, globs: Sequence[str]) -> str:
        try:
            with self._desk.library() as library:
                number = len(library.documents(scope=Scope(within=tuple(globs))))
        except HopliteError as error:
            return library_page.problem(str(error))
        return f"<p class=note>{counted(number, 'document')} in it.</p>"
