"""The page: its views as tabs behind one gate, served on this machine.

Gradio takes two seconds to import, and the views import it: both are left to the functions that make the page, while a
page of ours says already that it comes (`ui/front.py`).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import resources
from typing import TYPE_CHECKING, Any

import uvicorn

from ingest.errors import UserError
from ui.access import Access
from ui.connection import CONNECTIONS, Patient
from ui.desk import Workdesk
from ui.endpoints import Endpoints
from ui.front import Front
from ui.interrupt import terminable
from ui.login import Login
from ui.security import Gate
from ui.serving import announced
from ui.uploads import FILE_LIMIT, Arriving, arriving
from ui.views.frame import Frame, View

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp


def views(desk: Workdesk) -> tuple[View, ...]:
    """Return the page's views, in the order of their tabs."""
    from ui.intake import Intake
    from ui.views.chat import ChatView
    from ui.views.library import LibraryView
    from ui.views.memory import MemoryView
    from ui.views.traces import TracesView

    chat = ChatView(desk)
    intake = Intake(desk)
    desk.before_close(chat.close)
    desk.before_close(intake.close)
    return (chat, LibraryView(desk, intake), TracesView(desk), MemoryView(desk))


def blocks(shown: Sequence[View], endpoints: Endpoints) -> tuple[gr.Blocks, Frame]:
    """Return the page's components, each view wired to its own handlers, with the API beside them, and the frame that
    they were made in."""
    import gradio as gr

    from ui import markup

    with gr.Blocks(title="Hoplite", analytics_enabled=False) as built:
        with gr.Column(elem_id="head") as head:
            gr.Markdown("# Hoplite", latex_delimiters=[], elem_id="name")
            gr.Markdown(markup.does("theme", "Light or dark"), latex_delimiters=[], elem_id="theme")
        endpoints.build()  # first, so that no view has taken their names
        frame = Frame(built, head)
        with gr.Tabs(elem_id="views"):
            for view in shown:
                with gr.Tab(view.title, id=view.name, elem_id=f"view-{view.name}"):
                    view.build(frame)
    built.queue(max_size=64, api_open=False)
    return built, frame


def application(shown: Sequence[View], endpoints: Endpoints, *, port: int, access: Access, arriving: Arriving) -> Gate:
    """Return the whole application, behind its gate. `arriving` is open: Gradio looks up now where files arrive."""
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.responses import Response

    from ui.theme import Theme
    from ui.waterfall import rules

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/page.js")
    def script() -> Response:
        return Response(_shipped("page.js"), media_type="text/javascript")

    built, frame = blocks(shown, endpoints)
    # Gradio looks at which files a call names only in what it launched itself. The gate looks too.
    built.has_launched = True
    for path, handler in frame.routes.items():
        app.get(path, response_model=None)(handler)
    mounted = gr.mount_gradio_app(
        app, built, "/",
        server_name="127.0.0.1", server_port=port, footer_links=[], run_history=False, allowed_paths=[],
        show_error=False, max_file_size=arriving.file_limit, ssr_mode=False, enable_monitoring=False, pwa=False,
        mcp_server=False,
        theme=Theme(),
        css="\n".join((_shipped("page.css"), _shipped("library.css"), rules())),
        head='<script src="/page.js" defer></script>',
    )  # fmt: skip
    return Gate(
        mounted,
        hosts=access.hosts(port),
        origins=access.origins(port),
        login=Login(access.password, port) if access.password else None,
        arriving=arriving,
        routes=frame.routes,
    )


def serve(
    desk: Workdesk, *, access: Access, port: int, on_ready: Callable[[str], None], file_limit: int = FILE_LIMIT
) -> None:
    """Serve the page until the process is told to stop; `on_ready` gets its address.

    `port` 0 takes any that is free; `file_limit` is the bytes of one file that is added. Raises UserError for an
    address or a port that cannot be listened at.
    """
    with (
        _listening(access.host, port) as listening,
        arriving(desk.workspace, file_limit=file_limit) as folder,
    ):
        port = listening.getsockname()[1]
        front = Front(
            lambda: application(views(desk), Endpoints(desk), port=port, access=access, arriving=folder),
            stop=lambda: setattr(running, "should_exit", True),
        )
        running = server(front)
        with announced(desk.workspace, access.address(port)), terminable():
            on_ready(access.address(port))
            running.run(sockets=[listening])
        if front.failed is not None:
            raise front.failed


def server(app: ASGIApp) -> uvicorn.Server:
    """Return what listens for the application: HTTP alone, and nobody's word on who somebody else is."""
    return uvicorn.Server(
        uvicorn.Config(
            app, http=Patient, ws="none", log_level="warning", access_log=False, server_header=False,
            proxy_headers=False, limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=2,
        )
    )  # fmt: skip


def _listening(host: str, port: int) -> AbstractContextManager[socket.socket] | Any:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        where = f"Port {port}" if error.errno != errno.EADDRNOTAVAIL else f"The address {host}"
        raise UserError(f"{where} cannot be used: {error.strerror}. Choose another with `--port N`.") from error
    listening.listen()
    return listening


def _shipped(name: str) -> str:
    return (resources.files("ui") / name).read_text(encoding="utf-8")
