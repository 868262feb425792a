"""The page: a question, its steps as they happen, the cited answer, and the sources beside it.

Importing this takes two seconds (Gradio); only `hoplite serve` does.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import resources
from typing import Any, Protocol

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response

from agent.conversation import Asked, Conversation
from ingest.errors import HopliteError, UserError
from ui import chat, markup
from ui.security import Gate, loopback, names

QUESTION_LIMIT = 2_000
"""Characters of a question."""


class Desk(Protocol):
    """What the page needs of a workspace."""

    @property
    def resolve(self) -> chat.Resolve: ...

    def agent(self) -> Asked:
        """Return an agent for one question, so that no browser sees another's."""
        ...

    def about(self) -> str:
        """Return a line on what is indexed. Raises UserError, with what to do first, where nothing is."""
        ...


class Page:
    """The handlers of the page. Each browser session has a conversation of its own, until its page is left."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._conversations: dict[str, Conversation] = {}
        self._lock = threading.Lock()

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


def blocks(page: Page) -> gr.Blocks:
    """Return the page's components, wired to its handlers."""

    def ask(question: str, request: gr.Request) -> Iterator[tuple[str, str, str]]:
        yield from page.ask(question, str(request.session_hash))

    def stop(request: gr.Request) -> None:
        page.stop(str(request.session_hash))

    def leave(request: gr.Request) -> None:
        page.leave(str(request.session_hash))

    def shown(name: str) -> Any:
        # Raw HTML of our own making goes through; Gradio's sanitizer stays on as a second lock, formulas off.
        return gr.Markdown(elem_id=name, latex_delimiters=[], container=False)

    with gr.Blocks(title="Hoplite", analytics_enabled=False) as built:
        with gr.Column(elem_id="head"):
            gr.Markdown("# Hoplite", latex_delimiters=[])
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
        settings: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        gr.on(
            [question.submit, asked.click], ask, question, [steps, answer, sources],
            concurrency_limit=2, concurrency_id="ask", trigger_mode="always_last", **settings,
        )  # fmt: skip
        stopped.click(stop, None, None, queue=False, **settings)
        built.load(page.about, None, about, **settings)
        built.unload(leave)
    built.queue(max_size=32, api_open=False)
    return built


def application(page: Page, port: int) -> Gate:
    """Return the whole application, behind its gate."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/page.js")
    def script() -> Response:
        return Response(_shipped("page.js"), media_type="text/javascript")

    mounted = gr.mount_gradio_app(
        app, blocks(page), "/",
        server_name="127.0.0.1", server_port=port, footer_links=[], run_history=False, allowed_paths=[],
        show_error=False, max_file_size=1, ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False,
        theme=gr.themes.Base(
            primary_hue="indigo", neutral_hue="slate",
            # The system's own, because Gradio's default is fetched from another host.
            font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"],
        ),
        css=_shipped("page.css"), head='<script src="/page.js" defer></script>',
    )  # fmt: skip
    return Gate(mounted, hosts=names(port))


def serve(desk: Desk, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the page until the process is told to stop; `on_ready` gets its address.

    `port` 0 takes any that is free. Raises UserError for a host that others can reach and for a port in use.
    """
    with _listening(loopback(host), port) as listening:
        port = listening.getsockname()[1]
        app = application(Page(desk), port)
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=2)
        )
        on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        server.run(sockets=[listening])


def _listening(host: str, port: int) -> AbstractContextManager[socket.socket] | Any:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UserError(f"Port {port} cannot be used: {error.strerror}. Choose another with `--port N`.") from error
    listening.listen()
    return listening


def _shipped(name: str) -> str:
    return (resources.files("ui") / name).read_text(encoding="utf-8")
