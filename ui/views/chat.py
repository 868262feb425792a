"""The chat: conversations at the left, questions and answers in the middle, the plan and the sources beside them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote
from uuid import uuid4

import gradio as gr
from fastapi.responses import Response

from agent.plan_edit import difference
from ingest.errors import HopliteError, UserError, WorkspaceMissing
from retrieval.collections import EVERYTHING
from ui import chat, markup
from ui.line import Lines
from ui.render import day
from ui.sessions import Sessions
from ui.sources import Resolve, sources
from ui.talk import Answers, Live, State, Talk, Wish
from ui.views.frame import EVENTS, Frame, shown

if TYPE_CHECKING:
    from agent.types import Answer, Form

QUESTION_LIMIT = 2_000
"""Characters of a question."""

FORMS: tuple[str, ...] = ("auto", "short", "paragraph", "report", "table")
_PAUSE = 0.04  # seconds between two looks at a run; what happened in between is shown together
_ALWAYS = ("here", "ask", "stop", "start", "live", "draft")
"""What is told each time, although it was told before: Gradio can lose one of two messages that come at once, and a
page whose last one was lost could not ask any more."""

_LEAVING = 3.0  # seconds that runs get to end when the page's process does
_LISTED = 40  # conversations


class Desk(Protocol):
    """What the chat needs of a workspace."""

    @property
    def lines(self) -> Lines:
        """The lines before the models."""
        ...

    @property
    def resolve(self) -> Resolve: ...

    @property
    def sessions(self) -> Path:
        """The file of conversations. Raises UserError where there is no workspace."""
        ...

    def agent(self, form: Form | Literal["auto"] = "auto", collection: str = "") -> Answers:
        """Return an agent for one question, so that no browser sees another's; in a collection where one is named."""
        ...

    def about(self) -> str:
        """Return a line on what is indexed. Raises UserError, with what to do first, where nothing is."""
        ...

    def examples(self) -> tuple[str, ...]:
        """Return questions to begin with."""
        ...


@dataclass(slots=True)
class Tab:
    """One browser tab at the page: the conversation it shows, and what it was told so far.

    `watched`: a run is followed, and what changes is told there alone, so that nothing old arrives after something new;
    `changes` counts those that a person made. `beside` is the turn whose sources are shown, with the label that is
    open; None shows the newest. `reason` is the turn whose rating may be explained. `collection` is what is asked in.
    """

    talk: Talk
    watched: bool = False
    changes: int = 0
    beside: tuple[int, str] | None = None
    editing: bool = False
    reason: int | None = None
    notice: str = ""
    search: str = ""
    collection: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    made: dict[str, tuple[object, str]] = field(default_factory=dict)  # what is slow to make, with what it was made of


class ChatView:
    """Each tab shows one conversation. They are kept in the workspace, and a run goes on when its tab is closed."""

    name = "chat"
    title = "Chat"

    def __init__(self, desk: Desk) -> None:
        """`lines` are those before the models, where others wait in them, too."""
        self._desk = desk
        self._tabs: dict[str, Tab] = {}
        self._talks: dict[str, Talk] = {}
        self._sessions: Sessions | None = None
        self._written = 0  # times that something was kept, renamed or deleted: then the list is another
        self._lock = threading.Lock()

    # The page -----------------------------------------------------------------------------------------------------

    def build(self, frame: Frame) -> None:
        """Make the conversations, the transcript, the question's box, the plan and the sources."""
        with frame.head:
            about = shown("about")
        parts: dict[str, Any] = {}  # all that handlers change, by the names in `page`
        with gr.Row(elem_id="chat"):
            with gr.Column(elem_id="past", min_width=0):
                gr.Markdown(markup.does("new", "New conversation", "button"), elem_id="new")
                find = gr.Textbox(
                    label="Find a conversation", show_label=False, placeholder="Find a conversation", container=False,
                    max_length=200, elem_id="find",
                )  # fmt: skip
                parts["list"] = shown("sessions")
            with gr.Column(elem_id="talk", min_width=0):
                with gr.Row(elem_id="talk-head"):
                    title = parts["title"] = gr.Textbox(
                        label="Name of this conversation", show_label=False, container=False, max_length=200,
                        elem_id="title", placeholder="New conversation", interactive=False,
                    )  # fmt: skip
                    parts["tools"] = shown("tools")
                parts["history"] = shown("history")
                parts["live"] = shown("live")
                parts["draft"] = shown("draft")
                parts["notice"] = shown("notice")
                with gr.Row(elem_id="why", visible=False) as why:
                    reason = gr.Textbox(
                        label="Why? (optional)", placeholder="Why? Say it if you like.", show_label=False,
                        container=False, max_length=1_000, elem_id="reason",
                    )  # fmt: skip
                    tell = gr.Button("Send", size="sm", elem_id="tell", min_width=70)
                parts["why"] = why
                with gr.Column(elem_id="composer"):
                    question = parts["question"] = gr.Textbox(
                        placeholder="Ask your documents and code …", show_label=False, label="Question",
                        container=False, max_length=QUESTION_LIMIT, max_lines=6, elem_id="question",
                    )  # fmt: skip
                    with gr.Row(elem_id="ask-row"):
                        form = gr.Dropdown(
                            [(each.capitalize(), each) for each in FORMS], value="auto", label="Form of the answer",
                            container=False, show_label=False, elem_id="form", min_width=120, filterable=False,
                        )  # fmt: skip
                        within = gr.Dropdown(
                            [EVERYTHING], value=EVERYTHING, label="Ask in", container=False, show_label=False,
                            elem_id="ask-in", min_width=120, filterable=False, visible=False,
                        )  # fmt: skip
                        frame.collections.append(within)
                        first = gr.Checkbox(label="Show the plan first", container=False, elem_id="first")
                        stop = parts["stop"] = gr.Button("Stop", elem_id="stop", min_width=80, interactive=False)
                        ask = parts["ask"] = gr.Button("Ask", variant="primary", elem_id="ask", min_width=80)
            with gr.Column(elem_id="beside", min_width=0):
                with gr.Accordion("Plan", open=True, elem_id="plan-panel"):
                    parts["plan_note"] = shown("plan-note")
                    plan = parts["plan"] = gr.Textbox(
                        label="Sub-questions, one a line", lines=2, max_lines=8, max_length=2_000, elem_id="plan",
                        show_label=False,
                        placeholder="Sub-questions, one a line; a simple question has none.",
                    )  # fmt: skip
                    start = parts["start"] = gr.Button("Ask with this plan", elem_id="start", interactive=False)
                with gr.Accordion("Sources", open=True, elem_id="sources-panel"):
                    parts["sources"] = shown("sources")
        parts["here"] = gr.Markdown("", elem_id="here", elem_classes="offstage")
        command = gr.Textbox(elem_id="do", elem_classes="offstage", label="Does in the chat", container=False)
        on = self._changes(parts)
        on([question.submit, ask.click], self.ask, [question, form, first, within])
        on([command.change], self.do, [command])
        on([stop.click], self.stop, [])
        on([start.click], self.plan, [plan])
        on([title.submit, title.blur], self.rename, [title])
        on([find.change], self.find, [find])
        on([reason.submit, tell.click], self.explain, [reason])

        def leave(request: gr.Request) -> None:
            self.leave(_session(request))

        frame.on_load(self.about, about)
        frame.on_load(self.fresh, [parts["history"], parts["list"]])
        frame.on_leave(leave)
        frame.serves("/export/{session}", self.export)

    def _changes(self, parts: dict[str, Any]) -> Callable[[list[Any], Callable[..., None], list[Any]], None]:
        """Return what has a change made of a tab when something triggers it, and then its run watched."""
        everything = list(parts.values())

        def as_components(values: dict[str, Any]) -> dict[Any, Any]:
            return {parts[name]: value for name, value in values.items()}

        def handler(change: Callable[..., None]) -> Callable[..., Any]:
            async def handled(request: gr.Request, *words: Any) -> dict[Any, Any]:
                return as_components(await self.after(_session(request), change, *words))

            return handled

        async def watch(request: gr.Request) -> AsyncIterator[dict[Any, Any]]:
            async for values in self.watch(_session(request)):
                yield as_components(values)

        def on(triggers: list[Any], change: Callable[..., None], inputs: list[Any]) -> None:
            # Not in Gradio's queue: a stop must not wait. What is asked waits in a line of ours (ui/line.py).
            done = gr.on(triggers, handler(change), inputs, everything, trigger_mode="multiple", queue=False, **EVENTS)
            done.then(watch, None, everything, concurrency_limit=None, trigger_mode="multiple", **EVENTS)

        return on

    def about(self) -> str:
        """Return what is indexed, or what to do first, as HTML."""
        try:
            return f"<p>{markup.escaped(self._desk.about())}</p>"
        except HopliteError as error:
            return f"<p><b>{markup.escaped(str(error))}</b></p>"

    def fresh(self) -> tuple[str, str]:
        """Return what a page shows where nothing was asked yet, and the conversations that are kept."""
        return self._nothing_yet(), self._listed("", "")

    # What a person does -------------------------------------------------------------------------------------------

    async def after(self, session: str, change: Callable[..., None], *words: Any) -> dict[str, Any]:
        """Return what is different on a tab's page after a change. What the user can fix is said on it."""
        tab = self.tab(session)
        tab.notice = ""
        try:
            await asyncio.to_thread(change, tab, *words)
        except HopliteError as error:
            tab.notice = str(error)
        tab.changes += 1
        return {"here": self._address(tab)} if tab.watched else await self._difference(tab)

    def ask(self, tab: Tab, question: str, form: str = "auto", first: bool = False, within: str | None = None) -> None:
        """Ask, or where the conversation asked back, reply. `within` is a collection, by default the last one."""
        question = question.strip()[:QUESTION_LIMIT]
        if not question:
            raise UserError("Type a question first.")
        live = tab.talk.state.live
        if live is not None and live.phase == "unclear":
            tab.talk.reply(question)
        else:
            chosen: Any = form if form in FORMS else "auto"
            if within is not None:
                tab.collection = "" if within == EVERYTHING else within
            tab.talk.ask(
                Wish(
                    question, form=chosen, first=bool(first), again=tab.editing, fresh=tab.editing,
                    collection=tab.collection,
                )
            )  # fmt: skip
        tab.editing, tab.beside, tab.reason = False, None, None
        tab.told["question"] = None  # the box is emptied even where it was empty before
        with self._lock:
            self._talks[tab.talk.id] = tab.talk

    def stop(self, tab: Tab) -> None:
        """End the run under way, if there is one."""
        tab.talk.stop()

    def plan(self, tab: Tab, text: str) -> None:
        """Go by these sub-questions: now, or, where nothing is under way, with the last question once more."""
        texts = tuple(line.strip() for line in text.splitlines() if line.strip())
        state = tab.talk.state
        if state.live is not None:
            tab.talk.plan(texts)
        elif state.turns:
            tab.talk.ask(Wish(state.turns[-1].question, again=True, fresh=True, plan=texts, collection=tab.collection))
        else:
            raise UserError("There is no question yet to go with this plan. Ask one, with the plan shown first.")

    def rename(self, tab: Tab, name: str) -> None:
        """Call the conversation something else."""
        kept = self._kept()
        if kept and name.strip():
            kept.rename(tab.talk.id, name)
            self._written += 1

    def find(self, tab: Tab, words: str) -> None:
        """Show the conversations that hold these words."""
        tab.search = words[:200]

    def explain(self, tab: Tab, reason: str) -> None:
        """Say why an answer is good or bad."""
        if tab.reason is not None and reason.strip():
            tab.talk.remark(tab.reason, reason.strip()[:1_000])
            tab.notice = "Noted. Thank you."
        tab.reason = None

    def do(self, tab: Tab, said: str) -> None:
        """Do what a link of the page says. It was in the page, so it is looked at like any other text."""
        word, *rest = said.partition(" ")[2].split("/")
        match word, rest:
            case "new", []:
                self._show(tab, self._new())
            case "session", [id]:
                self._show(tab, self._found(id))
            case "delete", []:
                self._delete(tab)
            case "edit", [] if tab.talk.state.turns:
                tab.editing = True
            case "keep", []:
                tab.editing = False
            case "again", [] if tab.talk.state.turns:
                last = tab.talk.state.turns[-1].question
                tab.talk.ask(Wish(last, again=True, fresh=True, collection=tab.collection))
            case "rate", [number, ("up" | "down") as way] if number.isdecimal():
                tab.reason = int(number) if tab.talk.rate(int(number), int(way == "up")) else None
            case "source", [number, label] if number.isdecimal():
                tab.beside = (int(number), label)
            case "suggest", [number, at] if number.isdecimal() and at.isdecimal():
                self._ask_one(tab, self._suggested(tab, int(number)), int(at))
            case "example", [at] if at.isdecimal():
                self._ask_one(tab, self._examples(), int(at))
            case "choose", [at] if at.isdecimal():
                tab.talk.reply(str(int(at) + 1))
            case "skip", []:
                tab.talk.reply("")

    def leave(self, session: str) -> None:
        """Forget a tab. Its run goes on to its end; conversations at rest are in the workspace, and forgotten here."""
        with self._lock:
            self._tabs.pop(session, None)
            shown_ones = {tab.talk.id for tab in self._tabs.values()}
            kept = self._sessions is not None and not self._sessions.problem
            for id, talk in list(self._talks.items()):
                if kept and id not in shown_ones and talk.resting:
                    del self._talks[id]

    def close(self) -> None:
        """Stop every run, and wait a moment for what it came to to be kept."""
        with self._lock:
            talks = list(self._talks.values())
        for talk in talks:
            talk.stop()
        until = time.monotonic() + _LEAVING
        for talk in talks:
            talk.join(max(0.0, until - time.monotonic()))

    def export(self, session: str) -> Response:
        """Return a conversation as a Markdown file with footnotes."""
        from ui.saved import file_name, markdown

        with self._lock:
            talk = self._talks.get(session)
        kept = self._kept()
        turns = talk.state.turns if talk else kept.turns(session) if kept else ()
        told = [each for turn in turns if (each := turn.told)]
        if not told:
            return Response("There is no such conversation, or nothing in it yet.", 404, media_type="text/plain")
        name = f"attachment; filename*=UTF-8''{quote(file_name(told), safe='')}"
        return Response(markdown(told), media_type="text/markdown", headers={"content-disposition": name})

    # What a tab shows ---------------------------------------------------------------------------------------------

    def tab(self, session: str) -> Tab:
        """Return what is known of a tab, a new one with a conversation of its own."""
        with self._lock:
            known = self._tabs.get(session)
        fresh = known or Tab(self._new())
        with self._lock:
            return self._tabs.setdefault(session, fresh)

    async def watch(self, session: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what is different on a tab's page until nothing happens by itself. One at a time follows a tab."""
        tab = self.tab(session)
        if tab.watched:
            yield {"here": self._address(tab)}
            return
        tab.watched, seen = True, None
        try:
            while tab.watched and self._tabs.get(session) is tab:
                talk, state = tab.talk, tab.talk.state
                if (now := (talk.id, state.version, tab.changes)) != seen:
                    seen = now
                    yield await self._difference(tab)
                elif state.live is None or state.live.phase in ("unclear", "planned"):
                    # In one go with the look at the state: what is asked from here on is watched anew.
                    tab.watched = False
                else:
                    await asyncio.sleep(_PAUSE)
        except BaseException:
            tab.watched = False
            raise
        # Gradio says the last thing once more when it is over, when the person may have typed already: no box is in it.
        values = await asyncio.to_thread(self.page, tab)
        yield {name: values[name] for name in _ALWAYS}

    async def _difference(self, tab: Tab) -> dict[str, Any]:
        """What a tab was not told yet, and `_ALWAYS`."""
        values = await asyncio.to_thread(self.page, tab)
        changed = {name: value for name, value in values.items() if name in _ALWAYS or tab.told.get(name) != value}
        tab.told |= changed
        return changed

    def page(self, tab: Tab) -> dict[str, Any]:
        """Return all that a tab shows, by the names of its parts."""
        state = tab.talk.state
        live, busy = state.live, state.live is not None
        last = len(state.turns) - 1
        number, opened = tab.beside or (last, "")
        given = state.turns[number].answer if 0 <= number <= last else None
        begun = bool(state.turns or busy or state.failed)
        edited = state.turns[-1].question if tab.editing and state.turns else ""
        named = (tab.talk.id, self._written, bool(state.turns))
        name = self._once(tab, "name", named, lambda: self._named(tab.talk)) if state.turns else ""
        return {
            "here": self._address(tab),
            "title": gr.update(value=name, interactive=bool(name)),
            "tools": _tools() if state.turns else "",
            "list": self._once(
                tab, "list", (tab.search, tab.talk.id, self._written), lambda: self._listed(tab.search, tab.talk.id)
            ),
            "history": self._once(tab, "history", (state.turns, begun), lambda: self._history(state, begun=begun)),
            "live": _live(live, len(state.turns)) if live else _failed(state),
            "draft": chat.answer(live.turn, len(state.turns)) if live else "",
            "notice": _notice(tab),
            "why": gr.update(visible=tab.reason is not None),
            "question": gr.update(value=edited),
            "ask": gr.update(interactive=not busy or (live is not None and live.phase == "unclear")),
            "stop": gr.update(interactive=busy),
            "start": gr.update(value=_start(live), interactive=busy or bool(state.turns)),
            "plan": gr.update(value=_plan_text(state)),
            "plan_note": _plan_note(live),
            "sources": self._once(tab, "sources", (given, number, opened), lambda: self._beside(given, number, opened)),
        }

    def _address(self, tab: Tab) -> str:
        state = tab.talk.state
        return f"session/{tab.talk.id}" if state.turns or state.live or state.failed else ""

    def _once(self, tab: Tab, name: str, of: object, make: Callable[[], str]) -> str:
        """What `make` gives, made again only where what it is made of is another."""
        known = tab.made.get(name)
        if known is None or known[0] != of:
            known = tab.made[name] = (of, make())
        return known[1]

    def _beside(self, given: Answer | None, number: int, opened: str) -> str:
        return sources(given, number, self._desk.resolve if given else lambda path: None, opened=opened)

    def _history(self, state: State, *, begun: bool) -> str:
        return chat.conversation(state.turns) if begun else self._nothing_yet()

    def _nothing_yet(self) -> str:
        """What to do first."""
        try:
            chips = "".join(markup.does(f"example/{at}", text, "chip") for at, text in enumerate(self._examples()))
        except WorkspaceMissing:
            where = markup.opens("library", "", "Add a folder in the Library")
            return (
                '<div class="welcome"><h2>Nothing is indexed yet</h2>'
                f"<p>{where}, or run <code>hoplite index PATH</code> in a terminal. Then ask here.</p></div>"
            )
        except HopliteError as error:
            return f'<div class="welcome"><h2>This cannot be asked yet</h2><p>{markup.escaped(str(error))}</p></div>'
        begin = f'<div class="more">{chips}</div>' if chips else ""
        return (
            '<div class="welcome"><h2>What would you like to know?</h2>'
            "<p>Every answer cites the lines that it rests on, and each citation is checked against its file.</p>"
            f"{begin}</div>"
        )

    def _listed(self, search: str, current: str) -> str:
        kept = self._kept()
        found = kept.found(search)[:_LISTED] if kept else ()
        rows = "".join(
            f"<li>{markup.does(f'session/{each.id}', each.name, 'current' if each.id == current else '')}"
            f"<i>{day(each.used)}</i></li>"
            for each in found
        )
        problem = f"<p class=note>{markup.escaped(kept.problem)}</p>" if kept and kept.problem else ""
        none = "<p class=note>No conversation holds these words.</p>" if search.strip() and not found else ""
        return f'<div class="sessions">{problem}{none}<ul>{rows}</ul></div>'

    # Conversations ------------------------------------------------------------------------------------------------

    def _new(self, id: str = "", turns: tuple[chat.Turn, ...] = ()) -> Talk:
        return Talk(id or uuid4().hex, turns, make=self._desk.agent, line=self._desk.lines.before, keep=self._keep)

    def _keep(self, id: str, turns: Sequence[chat.Turn]) -> None:
        if (kept := self._kept()) and turns:
            kept.keep(id, kept.name(id) or turns[0].question, turns)
            self._written += 1

    def _kept(self) -> Sessions | None:
        """The conversations that are kept; None where there is no workspace yet."""
        if self._sessions is None:
            try:
                self._sessions = Sessions(self._desk.sessions)
            except HopliteError:
                return None
        return self._sessions

    def _named(self, talk: Talk) -> str:
        kept = self._kept()
        return (kept.name(talk.id) if kept else None) or talk.state.turns[0].question

    def _found(self, id: str) -> Talk:
        with self._lock:
            if (known := self._talks.get(id)) is not None:
                return known
        kept = self._kept()
        turns = kept.turns(id) if kept else ()
        if not turns:
            raise UserError("This conversation is not kept any more. Begin a new one.")
        talk = self._new(id, turns)
        with self._lock:
            return self._talks.setdefault(id, talk)

    def _show(self, tab: Tab, talk: Talk) -> None:
        tab.talk, tab.beside, tab.editing, tab.reason = talk, None, False, None

    def _delete(self, tab: Tab) -> None:
        """Forget the conversation that a tab shows, its run with it."""
        tab.talk.stop()
        tab.talk.join(1.0)
        if kept := self._kept():
            kept.delete(tab.talk.id)
            self._written += 1
        with self._lock:
            self._talks.pop(tab.talk.id, None)
        self._show(tab, self._new())

    def _ask_one(self, tab: Tab, questions: tuple[str, ...], at: int) -> None:
        if at < len(questions):
            self.ask(tab, questions[at])

    def _suggested(self, tab: Tab, number: int) -> tuple[str, ...]:
        turns = tab.talk.state.turns
        return chat.suggestions(turns[number], chat.said(turns)) if number < len(turns) else ()

    def _examples(self) -> tuple[str, ...]:
        return self._desk.examples()


def _session(request: gr.Request) -> str:
    return str(request.session_hash)


def _tools() -> str:
    return f'<div class="tools">{markup.does("export", "Export")}{markup.does("delete", "Delete")}</div>'


def _start(live: Live | None) -> str:
    if live is None:
        return "Ask again with this plan"
    return "Start" if live.phase == "planned" else "Begin again with this plan"


def _plan_text(state: State) -> str:
    if state.live is not None:
        return "\n".join(part.text for part in state.live.plan.parts) if state.live.plan else ""
    return "\n".join(state.turns[-1].parts) if state.turns else ""


def _plan_note(live: Live | None) -> str:
    if live is None or live.plan is None:
        return ""
    line = f"<p>{markup.escaped(live.plan.line)}</p>"
    wait = "<p class=note>Edit it if you like, then start.</p>" if live.phase == "planned" else ""
    changed = difference(live.plan)
    return f"{line}{wait}{markup.code(chr(10).join(changed)) if changed else ''}"


def _notice(tab: Tab) -> str:
    if tab.editing:
        return f"<p>Editing the last question: its answer is replaced. {markup.does('keep', 'Keep it')}</p>"
    return f"<p>{markup.escaped(tab.notice)}</p>" if tab.notice else ""


def _live(live: Live, number: int) -> str:
    """The question under way with its steps, and what it waits for."""
    said = {"running": "working …", "stopping": "stopping …", "planned": "waits for you to start"}.get(live.phase, "")
    if live.phase == "waiting":
        before = f"{live.ahead} question{'s are' if live.ahead != 1 else ' is'} before yours"
        said = f"{before}; the model answers one at a time" if live.ahead else "beginning …"
    if live.phase == "unclear" and live.clarify is not None:
        chips = "".join(markup.does(f"choose/{at}", text, "chip") for at, text in enumerate(live.clarify.choices))
        free = "" if chips else "<p class=note>Type it below, or go on without.</p>"
        asked = f"<p><b>{markup.escaped(live.clarify.question)}</b></p>"
        chips += markup.does("skip", "Go on without", "chip")
        back = f'<div class="back">{asked}{free}<div class="more">{chips}</div></div>'
        return f'<div class="turn">{chat.question(live.turn)}{back}</div>'
    return f'<div class="turn">{chat.question(live.turn)}{chat.steps(live.turn, number, working=said)}</div>'


def _failed(state: State) -> str:
    """Why the last question has no answer, with what it had come to."""
    if not state.failed or state.lost is None:
        return ""
    number = len(state.turns)
    draft = chat.answer(state.lost, number) if state.lost.draft else ""
    steps = chat.steps(state.lost, number) if state.lost.steps else ""
    why = f'<div class="answer failed"><p>{markup.escaped(state.failed)}</p></div>'
    return f'<div class="turn">{chat.question(state.lost)}{steps}{draft}{why}</div>'
