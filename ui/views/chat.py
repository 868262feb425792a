"""The chat: a question, its steps as they happen, the cited answer, and the sources beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

import gradio as gr

from agent.conversation import Asked, Conversation
from ingest.errors import HopliteError
from ui import chat, markup
from ui.views.frame import EVENTS, Frame, shown

QUESTION_LIMIT = 2_000
"""Characters of a question."""


class Desk(Protocol):
    """What the chat needs of a workspace."""

    @property
    def resolve(self) -> chat.Resolve: ...

    def agent(self) -> Asked:
        """Return an agent for one question, so that no browser sees another's."""
        ...

    def about(self) -> str:
        """Return a line on what is indexed. Raises UserError, with what to do first, where nothing is."""
        ...


class ChatView:
    """Each browser session has a conversation of its own, until its page is left."""

    name = "chat"
    title = "Chat"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._conversations: dict[str, Conversation] = {}
        self._lock = threading.Lock()

    def build(self, frame: Frame) -> None:
        """Make the question's box, the answer, the steps and the sources."""

        def ask(question: str, request: gr.Request) -> Iterator[tuple[str, str, str]]:
            yield from self.ask(question, str(request.session_hash))

        def stop(request: gr.Request) -> None:
            self.stop(str(request.session_hash))

        def leave(request: gr.Request) -> None:
            self.leave(str(request.session_hash))

        about = shown("about")
        with gr.Row(elem_id="ask-row"):
            question = gr.Textbox(
                placeholder="Ask your documents and code …", show_label=False, label="Question", container=False,
                max_length=QUESTION_LIMIT, max_lines=4, scale=8, elem_id="question",
            )  # fmt: skip
            asked = gr.Button("Ask", variant="primary", scale=1, min_width=90, elem_id="ask")
            stopped = gr.Button("Stop", scale=1, min_width=90, elem_id="stop")
        with gr.Row():
            with gr.Column(scale=6):
                answer = shown("answer")
                with gr.Accordion("Steps", open=True):
                    steps = shown("steps")
            with gr.Column(scale=5):
                sources = shown("sources")
        gr.on(
            [question.submit, asked.click], ask, question, [steps, answer, sources],
            concurrency_limit=2, concurrency_id="ask", trigger_mode="always_last", **EVENTS,
        )  # fmt: skip
        stopped.click(stop, None, None, queue=False, **EVENTS)
        frame.on_load(self.about, about)
        frame.on_leave(leave)

    def about(self) -> str:
        """Return what is indexed, or what to do first, as HTML."""
        try:
            return f"<p>{markup.escaped(self._desk.about())}</p>"
        except HopliteError as error:
            return f"<p><b>{markup.escaped(str(error))}</b></p>"

    def ask(self, question: str, session: str) -> Iterator[tuple[str, str, str]]:
        """Yield (steps, answer, sources) as HTML after every event. What the user can fix is said as the answer."""
        question = question.strip()[:QUESTION_LIMIT]
        if not question:
            yield "", '<div class="answer"><p>Type a question first.</p></div>', ""
            return
        try:
            yield from self._turns(question, session)
        except HopliteError as error:
            yield "", f'<div class="answer"><p>{markup.escaped(str(error))}</p></div>', ""

    def stop(self, session: str) -> None:
        """End this session's run, if one is under way."""
        with self._lock:
            conversation = self._conversations.get(session)
        if conversation is not None:
            conversation.stop()

    def leave(self, session: str) -> None:
        """End this session's run, if one is under way, and forget what was said."""
        self.stop(session)
        with self._lock:
            self._conversations.pop(session, None)

    def _turns(self, question: str, session: str) -> Iterator[tuple[str, str, str]]:
        begun = time.monotonic()
        agent = self._desk.agent()
        with self._lock:
            conversation = self._conversations.setdefault(session, Conversation())
        turn = chat.Turn(question)
        yield chat.steps(turn), "", ""
        for event in conversation.stream(agent, question):
            turn = turn.after(event)
            yield chat.steps(turn), chat.answer(turn, time.monotonic() - begun), ""
        yield (
            chat.steps(turn),
            chat.answer(turn, time.monotonic() - begun),
            chat.sources(turn.answer, self._desk.resolve),
        )
