"""What answers while the page is being made: Gradio takes seconds to import, and nobody should look at a blank tab.

It stands behind the gate, as the page itself does, and holds nothing of the workspace: a page that says what goes on,
and a request that is answered when the real page can be.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_FILES = {
    "": ("starting.html", b"text/html; charset=utf-8"),
    "style": ("starting.css", b"text/css"),
    "script": ("starting.js", b"text/javascript"),
}
ROUTE = "/starting/{what}"
"""What is asked for by the page that says so, for the gate."""
STARTED = "/starting/done"
"""Answered when the page is there."""


class Front:
    """An ASGI application that is made while it already answers. `failed` is why it could not be made."""

    def __init__(
        self, make: Callable[[], ASGIApp], *, stop: Callable[[], None], prepare: Callable[[], None] = lambda: None
    ) -> None:
        """`prepare`, for what leaves nothing behind, and then `make` are called once, in a thread of their own; where
        one fails, `stop` ends the server."""
        self._make = make
        self._prepare = prepare
        self._making = threading.Lock()
        self._ended = False
        self._stop = stop
        self._app: ASGIApp | None = None
        self._ready = asyncio.Event()
        self._lifespan: _Lifespan | None = None
        self.failed: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as what is being made or as what it became."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"] == STARTED:
            await self._ready.wait()
            await _send(send, 204, b"text/plain", b"")
        elif self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1013})
        elif scope["method"] not in ("GET", "HEAD"):
            await _send(send, 503, b"text/plain", b"This page is starting. Try again in a moment.")
        else:
            name, kind = _FILES.get(scope["path"].removeprefix("/starting/"), _FILES[""])
            await _send(send, 200, kind, (resources.files("ui") / name).read_bytes())

    def end(self) -> None:
        """See that nothing is made from here on: what has begun is waited for, what has not never begins."""
        with self._making:
            self._ended = True

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        making = asyncio.create_task(self._become())
        await receive()
        making.cancel()
        if self._lifespan is not None:
            await self._lifespan.shut_down()
        await send({"type": "lifespan.shutdown.complete"})

    async def _become(self) -> None:
        loop = asyncio.get_running_loop()
        made: asyncio.Future[ASGIApp] = loop.create_future()
        # Not a thread of the loop's pool, for whose end the process would wait.
        threading.Thread(target=self._work, args=(loop, made), name="hoplite-page", daemon=True).start()
        try:
            app = await made
            self._lifespan = _Lifespan(app)
            await self._lifespan.start_up()
        except Exception as error:
            self.failed = error
            self._stop()
            return
        self._app = app
        self._ready.set()

    def _work(self, loop: asyncio.AbstractEventLoop, made: asyncio.Future[ASGIApp]) -> None:
        def tell(give: Callable[[Any], None], value: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(lambda: None if made.done() else give(value))

        try:
            self._prepare()
            with self._making:
                if self._ended:
                    return
                app = self._make()
        except BaseException as error:
            tell(made.set_exception, error)
        else:
            tell(made.set_result, app)


class _Lifespan:
    """Tells an application that the server starts and stops, as a server does."""

    def __init__(self, app: ASGIApp) -> None:
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(app))

    async def start_up(self) -> None:
        await self._tell("startup")

    async def shut_down(self) -> None:
        await self._tell("shutdown")

    async def _tell(self, what: str) -> None:
        await self._said.put({"type": f"lifespan.{what}"})
        hearing = asyncio.create_task(self._heard.get())
        await asyncio.wait({hearing, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            hearing.cancel()
            self._task.result()  # raises what it failed with
            return
        reply = hearing.result()
        if reply["type"].endswith(".failed"):
            raise RuntimeError(reply.get("message", f"The page's {what} failed."))

    async def _run(self, app: ASGIApp) -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._said.get, self._heard.put)  # type: ignore[arg-type]


async def _send(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
