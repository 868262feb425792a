"""The page: its views as tabs behind one gate, served on this machine.

Gradio takes two seconds to import, and the views import it: both are left to the functions that make the page, while a
page of ours says already that it comes (`ui/front.py`).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import resources
from typing import TYPE_CHECKING, Any

import uvicorn

from ingest.errors import UserError
from ui.desk import Workdesk
from ui.front import Front
from ui.security import Gate, loopback, names
from ui.views.frame import Frame, View

if TYPE_CHECKING:
    import gradio as gr


def views(desk: Workdesk) -> tuple[View, ...]:
    """Return the page's views, in the order of their tabs."""
    from ui.line import Lines
    from ui.views.chat import ChatView
    from ui.views.evaluation import EvaluationView
    from ui.views.memory import MemoryView
    from ui.views.settings import SettingsView
    from ui.views.traces import TracesView

    lines = Lines()
    chat, evaluation = ChatView(desk, lines), EvaluationView(desk, lines)
    desk.before_close(chat.close)
    desk.before_close(evaluation.batches.close)
    return (chat, TracesView(desk), evaluation, MemoryView(desk), SettingsView(desk, lines))


def blocks(shown: Sequence[View]) -> tuple[gr.Blocks, Frame]:
    """Return the page's components, each view wired to its own handlers, and the frame that they were made in."""
    import gradio as gr

    from ui import markup

    with gr.Blocks(title="Hoplite", analytics_enabled=False) as built:
        with gr.Column(elem_id="head") as head:
            gr.Markdown("# Hoplite", latex_delimiters=[], elem_id="name")
            gr.Markdown(markup.does("theme", "Light or dark"), latex_delimiters=[], elem_id="theme")
        frame = Frame(built, head)
        with gr.Tabs(elem_id="views"):
            for view in shown:
                with gr.Tab(view.title, id=view.name, elem_id=f"view-{view.name}"):
                    view.build(frame)
    built.queue(max_size=64, api_open=False)
    return built, frame


def application(shown: Sequence[View], port: int) -> Gate:
    """Return the whole application, behind its gate."""
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.responses import Response

    from ui.theme import Theme
    from ui.waterfall import rules

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/page.js")
    def script() -> Response:
        return Response(_shipped("page.js"), media_type="text/javascript")

    built, frame = blocks(shown)
    for path, handler in frame.routes.items():
        app.get(path, response_model=None)(handler)
    mounted = gr.mount_gradio_app(
        app, built, "/",
        server_name="127.0.0.1", server_port=port, footer_links=[], run_history=False, allowed_paths=[],
        show_error=False, max_file_size=1, ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False,
        theme=Theme(),
        css="\n".join((_shipped("page.css"), _shipped("evaluation.css"), rules())),
        head='<script src="/page.js" defer></script>',
    )  # fmt: skip
    return Gate(mounted, hosts=names(port))


def serve(desk: Workdesk, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the page until the process is told to stop; `on_ready` gets its address.

    `port` 0 takes any that is free. Raises UserError for a host that others can reach and for a port in use.
    """
    with _listening(loopback(host), port) as listening:
        port = listening.getsockname()[1]
        front = Front(lambda: application(views(desk), port), stop=lambda: setattr(server, "should_exit", True))
        server = uvicorn.Server(
            uvicorn.Config(front, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=2)
        )
        on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        server.run(sockets=[listening])
        if front.failed is not None:
            raise front.failed


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
