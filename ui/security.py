"""What stands before the page: only this machine's own browser gets in, and the page can reach nothing else.

Gradio answers a foreign Host with permission to read (a rebound DNS name is enough), so Host and Origin are checked.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from typing import TYPE_CHECKING

from ingest.errors import UserError
from ingest.hosts import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 256_000
"""Bytes of one request: a question and its session."""

_SCRIPT = re.compile(rb"<script\b")
_FORBIDDEN = ("/gradio_api/upload", "/gradio_api/proxy", "/gradio_api/file", "/monitoring", "/gradio_api/mcp")
"""What the page never uses."""


def loopback(host: str) -> str:
    """Return the host. Raises UserError for one that others can reach: nobody is asked who they are."""
    if not is_loopback(host):
        raise UserError(
            f"{host} can be reached from outside this machine, and the page asks nobody for a password. "
            "Leave --host out, and use an SSH tunnel from elsewhere."
        )
    return host


def names(port: int) -> frozenset[str]:
    """Return what a browser on this machine calls the page: every loopback name with the port."""
    return frozenset(f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]"))


def policy(nonce: str) -> str:
    """Return the content security policy: everything from here, no evaluated code, no picture from elsewhere."""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            "style-src 'self' 'unsafe-inline'",  # Gradio's components style themselves
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Gate:
    """ASGI middleware: refuses foreign hosts, foreign origins and large bodies; adds the headers and the nonces."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], body_limit: int = BODY_LIMIT) -> None:
        """`hosts` are the values of Host that are served, with their port."""
        self._app = app
        self._hosts = hosts
        self._origins = {f"http://{host}" for host in hosts}
        self._limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, send, *refusal)
            return
        # Pages are rewritten below, so they must come uncompressed; over loopback that costs nothing.
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}
        await self._app(scope, self._limited(receive), _Page(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if scope["type"] != "http":
            return 403, "Only HTTP is served."
        if headers.get("host", "").lower() not in self._hosts:
            return 403, "This page answers to localhost alone."
        if "origin" in headers and headers["origin"].lower() not in self._origins:
            return 403, "Another site's page may not use this one."
        if scope["path"].startswith(_FORBIDDEN):
            return 403, "This is not served."
        if not headers.get("content-length", "0").isdecimal() or int(headers.get("content-length", "0")) > self._limit:
            return 413, f"A request may have {self._limit} bytes."
        return None

    def _limited(self, receive: Receive) -> Receive:
        """Count what arrives without a length: past the limit the client is treated as gone."""
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message if taken <= self._limit else {"type": "http.disconnect"}

        return limited


class _Page:
    """Sends a response with the headers of ours; in a page, each script tag that Gradio wrote gets the nonce."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._nonce = secrets.token_urlsafe(16)
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": _secured(message["headers"], self._nonce)}
            if _is_page(message):
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = _SCRIPT.sub(b'<script nonce="' + self._nonce.encode() + b'"', self._body)
            headers = [pair for pair in self._start["headers"] if pair[0].lower() != b"content-length"]
            length = (b"content-length", str(len(body)).encode())
            await self._send({**self._start, "headers": [*headers, length]})
            message = {**message, "body": body}
        await self._send(message)


def _secured(headers: Collection[tuple[bytes, bytes]], nonce: str) -> list[tuple[bytes, bytes]]:
    own = {
        b"content-security-policy": policy(nonce).encode(),
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"no-referrer",
        b"cross-origin-opener-policy": b"same-origin",
        b"cross-origin-resource-policy": b"same-origin",
    }
    kept = [(name, value) for name, value in headers if name.lower() not in own]
    # Nobody else may read an answer; Gradio would allow whichever origin asks.
    kept = [(name, value) for name, value in kept if not name.lower().startswith(b"access-control-")]
    return [*kept, *own.items()]


def _is_page(message: Message) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
