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
from ui.front import ROUTE, Front
from ui.interrupt import terminable
from ui.lazy import unseen
from ui.login import Login
from ui.security import Gate
from ui.serving import announced
from ui.uploads import FILE_LIMIT, Arriving, arriving
from ui.views.frame import Frame, View

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp

ROUTES = (
    ROUTE,
    "/export/{session}",
    "/evaluation/{key}/report.html",
    "/evaluation/{key}/report.md",
    "/evaluation/sets/{name}.jsonl",
)
"""What the page serves beside Gradio's own; the gate refuses any other."""


def views(desk: Workdesk) -> tuple[View, ...]:
    """Return the page's views, in the order of their tabs."""
    from ui.intake import Intake
    from ui.views.chat import ChatView
    from ui.views.evaluation import EvaluationView
    from ui.views.library import LibraryView
    from ui.views.memory import MemoryView
    from ui.views.settings import SettingsView
    from ui.views.traces import TracesView

    intake = Intake(desk)
    chat, evaluation = ChatView(desk), EvaluationView(desk)
    desk.before_close(chat.close)
    desk.before_close(evaluation.batches.close)
    desk.before_close(intake.close)
    return (
        chat,
        LibraryView(desk, intake),
        TracesView(desk),
        evaluation,
        MemoryView(desk),
        SettingsView(desk),
    )


def blocks(shown: Sequence[View], endpoints: Endpoints, *, leave: bool = False) -> tuple[gr.Blocks, Frame]:
    """Return the page's components, each view wired to its own handlers, the API beside them, and the frame that the
    views were made in. `leave`: there is a password, and so a way to log out."""
    import gradio as gr

    from ui import markup

    with gr.Blocks(title="Hoplite", analytics_enabled=False) as built:
        with gr.Column(elem_id="head") as head:
            gr.Markdown("# Hoplite", latex_delimiters=[], elem_id="name")
            ways = [markup.does("theme", "Light or dark"), *([markup.does("leave", "Log out")] if leave else [])]
            gr.Markdown(" · ".join(ways), latex_delimiters=[], elem_id="theme")
        endpoints.build()  # first, so that no view has taken their names
        frame = Frame(built, head)
        with gr.Tabs(elem_id="views"):
            for view in shown:
                with gr.Tab(view.title, id=view.name, elem_id=f"view-{view.name}") as frame.tab:
                    view.build(frame)
    built.queue(max_size=64, api_open=False)
    return built, frame


def page(
    shown: Callable[[], Sequence[View]], endpoints: Endpoints, *, port: int, arriving: Arriving, leave: bool = False
) -> ASGIApp:
    """Return the page, before which a gate belongs. `arriving` is open: Gradio looks up now where files arrive."""
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.responses import Response

    from ui.theme import Theme
    from ui.waterfall import rules

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/page.js")
    def script() -> Response:
        return Response(_shipped("page.js"), media_type="text/javascript")

    built, frame = blocks(shown(), endpoints, leave=leave)
    for path, handler in frame.routes.items():
        assert path in ROUTES, f"the gate is not told of {path}"
        app.get(path, response_model=None)(handler)
    # Gradio looks at which files a call names only in what it launched itself. The gate looks too.
    built.has_launched = True
    mounted: ASGIApp = gr.mount_gradio_app(
        app, built, "/",
        server_name="127.0.0.1", server_port=port, footer_links=[], run_history=False, allowed_paths=[],
        show_error=False, max_file_size=arriving.file_limit, ssr_mode=False, enable_monitoring=False, pwa=False,
        mcp_server=False,
        theme=Theme(),
        css="\n".join((_shipped("page.css"), _shipped("evaluation.css"), _shipped("library.css"), rules())),
        head='<script src="/page.js" defer></script>',
    )  # fmt: skip
    return mounted


def gated(app: ASGIApp, *, port: int, access: Access, arriving: Arriving) -> Gate:
    """Return an application behind the gate."""
    return Gate(
        app,
        hosts=access.hosts(port),
        origins=access.origins(port),
        login=Login(access.password, port) if access.password else None,
        arriving=arriving,
        routes=ROUTES,
    )


def serve(
    desk: Workdesk,
    *,
    access: Access,
    port: int,
    on_ready: Callable[[str], None],
    file_limit: int = FILE_LIMIT,
    at_once: bool = True,
) -> None:
    """Serve the page until the process is told to stop; `on_ready` gets its address.

    `port` 0 takes any that is free; `file_limit` is the bytes of one file that is added. `at_once`: the address is told
    while the page is still being made, and one that says so stands in for it. Raises UserError for an address or a port
    that cannot be listened at.
    """
    with (
        _listening(access.host, port) as listening,
        arriving(desk.workspace, file_limit=file_limit) as folder,
    ):
        port = listening.getsockname()[1]

        def make() -> ASGIApp:
            leave = access.password is not None
            return page(lambda: views(desk), Endpoints(desk), port=port, arriving=folder, leave=leave)

        front = Front(make, prepare=_import_gradio, stop=lambda: setattr(serving, "should_exit", True))
        if not at_once:
            _import_gradio()
        serving = server(gated(front if at_once else make(), port=port, access=access, arriving=folder))
        with announced(desk.workspace, access.address(port)), terminable():
            try:
                on_ready(access.address(port))
                serving.run(sockets=[listening])
            finally:
                front.end()  # Gradio makes folders where files arrive, also once that place was emptied
        if front.failed is not None:
            raise front.failed


def _import_gradio() -> None:
    with unseen("mcp"):  # Gradio takes half a second for it, for a server that the page never starts
        import gradio  # noqa: F401


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
