"""What stands before the page: only who may comes in, and the page can reach nothing else.

Gradio answers a foreign Host with permission to read (a rebound DNS name is enough), serves much that this page never
uses, and asks nobody who they are. So names, origins, addresses, passwords and bodies are looked at before it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request

from ingest.errors import UserError
from ui.bodies import Body, Refusal, coming, refuse, respond
from ui.headers import Ours, Secured

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ui.login import Login
    from ui.uploads import Arriving

T = TypeVar("T")

BODY_LIMIT = 256_000
"""Bytes of one request but an upload: a question and its session."""
UPLOAD = "/gradio_api/upload"

# What the page and its API use. All else that Gradio has (files, proxies, deep links, monitoring, run history, its own
# MCP server, recordings) is closed, and what a later Gradio adds stays so.
_SERVED = re.compile(
    r"/(config/?|theme\.css|page\.js|favicon\.ico|robots\.txt|manifest\.json|login|logout)?"
    r"|/(assets|static)/[\w./@-]+"
    r"|/gradio_api/(info/?|openapi\.json|theme\.css|startup-events|heartbeat/[\w-]+|queue/(join|data)|run/predict/?|cancel"
    r"|call/(v2/)?\w+/?|call/\w+/[\w-]+|upload|upload_progress)"
)
_CALLS = ("/gradio_api/queue/join", "/gradio_api/run/", "/gradio_api/call/")
_KEPT = ("/assets/", "/static/")


class Gate:
    """ASGI middleware: refuses foreign hosts and origins, what the page never uses, large and slow bodies, and who does
    not know the password; adds the headers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        origins: Collection[str],
        arriving: Arriving,
        login: Login | None = None,
        routes: Collection[str] = (),
        body_limit: int = BODY_LIMIT,
    ) -> None:
        """`hosts` and `origins` are the values of Host and Origin that are served, `arriving` the folder that uploads
        come to, `routes` the page's own beside Gradio's, such as "/export/{session}". Without `login` nobody is asked
        for a password."""
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._login = login
        own = (re.sub(r"\\\{\w+\\\}", r"[\\w-]+", re.escape(route)) for route in routes)
        self._own = re.compile("|".join(own) or r"(?!)")
        self._arriving = arriving
        self._limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if refusal := self._refusal(scope, headers):
            await refuse(refusal, headers, receive, Ours(send))
            return
        upload = scope["path"] == UPLOAD
        body = Body(receive, headers, self._arriving.request_limit if upload else self._limit)
        if self._login is not None:
            answer = await _unless_cut_off(self._login.answer(Request(scope, body)), body)
            if answer is not None and body.refusal is None:
                await respond(
                    answer.status_code, answer.raw_headers, bytes(answer.body),
                    unread=coming(headers) and not body.complete, receive=receive, send=Ours(send),
                )  # fmt: skip
                return
        if scope["path"].startswith(_CALLS) and self._arriving.names_another(await body.whole()):
            await refuse(Refusal(403, "A call may name files that were added here alone."), {}, receive, Ours(send))
        elif upload and body.refusal is None:
            await self._upload(scope, headers, body, receive, send)
        else:
            await self._pass_on(scope, headers, body, receive, send)

    async def _upload(self, scope: Scope, headers: Mapping[str, str], body: Body, receive: Receive, send: Send) -> None:
        """Pass an upload on while there is room for it."""
        try:
            with self._arriving.room(int(headers.get("content-length", "0"))):
                await self._pass_on(scope, headers, body, receive, send)
        except UserError as error:
            await refuse(Refusal(413, str(error)), headers, receive, Ours(send))

    async def _pass_on(
        self, scope: Scope, headers: Mapping[str, str], body: Body, receive: Receive, send: Send
    ) -> None:
        """Have the application answer. Where it was cut off in the middle of the body, the answer is why."""
        secured = Secured(send, kept=scope["path"].startswith(_KEPT))

        async def guarded(message: Message) -> None:
            if body.refusal is None or secured.begun:
                await secured(message)

        if body.refusal is None:
            # Pages are rewritten, so they must come uncompressed.
            plain = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}
            await _unless_cut_off(self._app(plain, body, guarded), body)
        if body.refusal is not None and not secured.begun:
            await refuse(body.refusal, headers, receive, Ours(send))

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> Refusal | None:
        if headers.get("upgrade", "").lower() == "websocket":
            return Refusal(403, "Only HTTP is served.")
        if headers.get("host", "").lower() not in self._hosts:
            return Refusal(403, "This page does not go by that name. Whoever started it can say so with --allow-host.")
        if "origin" in headers and headers["origin"].lower() not in self._origins:
            return Refusal(403, "Another site's page may not use this one.")
        # Requests that carry no Origin, such as for pictures, say this instead. Following a link is no such request.
        fetched = headers.get("sec-fetch-mode", "navigate") != "navigate" or scope["method"] != "GET"
        if fetched and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return Refusal(403, "Another site's page may not use this one.")
        if ".." in scope["path"] or not (_SERVED.fullmatch(scope["path"]) or self._own.fullmatch(scope["path"])):
            return Refusal(403, "This is not served.")
        return None


async def _unless_cut_off(doing: Awaitable[T], body: Body) -> T | None:
    """Return what comes of it; None where it failed because the body was refused in its middle."""
    try:
        return await doing
    except Exception:
        if body.refusal is None:
            raise
        return None
