"""What each answer tells the browser: where the page may fetch from, and that nobody else may read or frame it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Send

_SCRIPT = re.compile(rb"<script\b")
_OFF = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone", "midi",
        "payment", "publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking")  # fmt: skip
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": ", ".join(f"{feature}=()" for feature in _OFF).encode(),
    # Names in links are looked up before anybody clicks, and a name can carry what was read.
    b"x-dns-prefetch-control": b"off",
    b"x-frame-options": b"DENY",
}


def policy(nonce: str) -> str:
    """Return the content security policy: everything from here, no evaluated code, no picture from elsewhere."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            "style-src 'self' 'unsafe-inline'",  # without it, what Gradio's script writes is blocked
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Secured:
    """Sends a response with the headers of ours; in a page of Gradio's, each script tag gets the policy's nonce."""

    def __init__(self, send: Send, *, kept: bool) -> None:
        """`kept` is whether a browser may keep the answer, as it may what is the same for everybody."""
        self.begun = False
        self._send = send
        self._kept = kept
        self._nonce = secrets.token_urlsafe(16)
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Send a message of the application's on."""
        self.begun = True
        if message["type"] == "http.response.start":
            message = {**message, "headers": self._secured(message["headers"])}
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

    def _secured(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        own = {
            **_ALWAYS,
            b"content-security-policy": policy(self._nonce).encode(),
            b"referrer-policy": b"no-referrer",
        } | ({} if self._kept else {b"cache-control": b"no-store"})
        kept = [(name, value) for name, value in headers if name.lower() not in own]
        # Nobody else may read an answer; Gradio would allow whichever origin asks.
        kept = [(name, value) for name, value in kept if not name.lower().startswith(b"access-control-")]
        return [*kept, *own.items()]


class Ours:
    """Sends a response of our own: with the headers that all have, and the policy that it brings or a closed one."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start":
            own = {
                b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
                b"referrer-policy": b"no-referrer",
                b"cache-control": b"no-store",
                **_ALWAYS,
            }
            said = {name.lower() for name, _ in message["headers"]}
            added = [(name, value) for name, value in own.items() if name not in said]
            message = {**message, "headers": [*message["headers"], *added]}
        await self._send(message)


def _is_page(message: Message) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])
