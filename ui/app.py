"""The page: its views as tabs behind one gate, served on this machine.

Importing this takes two seconds (Gradio); only `hoplite serve` does.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import resources
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response

from ingest.errors import UserError
from ui.access import Access
from ui.connection import CONNECTIONS, Patient
from ui.desk import Workdesk
from ui.endpoints import Endpoints
from ui.interrupt import terminable
from ui.login import Login
from ui.security import Gate
from ui.serving import announced
from ui.uploads import FILE_LIMIT, Arriving, arriving
from ui.views.chat import ChatView
from ui.views.frame import Frame, View
from ui.views.memory import MemoryView
from ui.views.traces import TracesView
from ui.waterfall import rules


def views(desk: Workdesk) -> tuple[View, ...]:
    """Return the page's views, in the order of their tabs."""
    return (ChatView(desk), TracesView(desk), MemoryView(desk))


def blocks(shown: Sequence[View], endpoints: Endpoints) -> gr.Blocks:
    """Return the page's components, each view wired to its own handlers, and the API beside them."""
    with gr.Blocks(title="Hoplite", analytics_enabled=False) as built:
        with gr.Column(elem_id="head"):
            gr.Markdown("# Hoplite", latex_delimiters=[])
        endpoints.build()  # first, so that no view has taken their names
        frame = Frame(built)
        with gr.Tabs(elem_id="views"):
            for view in shown:
                with gr.Tab(view.title, id=view.name, elem_id=f"view-{view.name}"):
                    view.build(frame)
    built.queue(max_size=32, api_open=False)
    return built


def application(shown: Sequence[View], endpoints: Endpoints, *, port: int, access: Access, arriving: Arriving) -> Gate:
    """Return the whole application, behind its gate. `arriving` is open: Gradio looks up now where files arrive."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/page.js")
    def script() -> Response:
        return Response(_shipped("page.js"), media_type="text/javascript")

    built = blocks(shown, endpoints)
    # Gradio looks at which files a call names only in what it launched itself. The gate looks too.
    built.has_launched = True
    mounted = gr.mount_gradio_app(
        app, built, "/",
        server_name="127.0.0.1", server_port=port, footer_links=[], run_history=False, allowed_paths=[],
        show_error=False, max_file_size=arriving.file_limit, ssr_mode=False, enable_monitoring=False, pwa=False,
        mcp_server=False,
        theme=gr.themes.Base(
            primary_hue="indigo", neutral_hue="slate",
            # The system's own, because Gradio's default is fetched from another host.
            font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"],
        ),
        css=f"{_shipped('page.css')}\n{rules()}", head='<script src="/page.js" defer></script>',
    )  # fmt: skip
    return Gate(
        mounted,
        hosts=access.hosts(port),
        origins=access.origins(port),
        login=Login(access.password, port) if access.password else None,
        arriving=arriving,
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
        app = application(views(desk), Endpoints(desk), port=port, access=access, arriving=folder)
        with announced(desk.workspace, access.address(port)), terminable():
            on_ready(access.address(port))
            server(app).run(sockets=[listening])


def server(app: Gate) -> uvicorn.Server:
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
