"""Bodies of requests: how large and how slow they may be, and how one that is too large is turned away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

PATIENCE = 20.0
"""Seconds that a body may take whatever its length."""
SLOWEST = 10_000
"""Bytes a second that a longer one has to come at, after that."""
LINGER = 2.0
"""Seconds in which a client that is refused in the middle of a body may go on sending, so that it reads why."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and a line that says why."""

    status: int
    why: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Body:
    """Receives the body of one request. Past the limit, or too slowly, the client is treated as gone, and `refusal`
    says why. `complete` is whether all of it came."""

    def __init__(self, receive: Receive, headers: Mapping[str, str], limit: int, *, patience: float = PATIENCE) -> None:
        self.refusal: Refusal | None = None
        self._receive = receive
        self._limit = limit
        self._patience = patience
        self._begun = time.monotonic()
        self._taken = 0
        self.complete = False
        self._again: Message | None = None
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal() and len(length) < 20):
            self.refusal = Refusal(400, "The length of the request is no number.")
        elif int(length) > limit:
            self.refusal = self._too_large()

    async def __call__(self) -> Message:
        """Return the next piece."""
        if self.refusal is not None:
            return {"type": "http.disconnect"}
        if self._again is not None:
            message, self._again = self._again, None
            return message
        if self.complete:  # what is waited for now is that the client goes
            return await self._receive()
        until = self._begun + self._patience + self._taken / SLOWEST
        try:
            message = await asyncio.wait_for(self._receive(), max(0.1, until - time.monotonic()))
        except TimeoutError:
            self.refusal = Refusal(408, "The request came too slowly.")
            return {"type": "http.disconnect"}
        self._taken += len(message.get("body", b""))
        self.complete = message["type"] != "http.request" or not message.get("more_body", False)
        if self._taken > self._limit:
            self.refusal = self._too_large()
            return {"type": "http.disconnect"}
        return message

    async def whole(self) -> bytes:
        """Receive all of the body, and have it come once more, in one piece. Of a refused body what came of it."""
        pieces = []
        while not self.complete and (message := await self())["type"] == "http.request":
            pieces.append(message.get("body", b""))
        body = b"".join(pieces)
        self._again = {"type": "http.request", "body": body, "more_body": False}
        return body

    def _too_large(self) -> Refusal:
        shown = f"{self._limit / 1e6:,.0f} MB" if self._limit >= 1e6 else f"{self._limit:,} bytes"
        return Refusal(413, f"That is too large: a request to this address may have {shown}.")


def coming(headers: Mapping[str, str]) -> bool:
    """Whether a request has a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def refuse(refusal: Refusal, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
    """Answer with the refusal, whatever of the body is still coming."""
    body = f"{refusal.why}\n".encode()
    said = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *refusal.headers,
    ]
    await respond(refusal.status, said, body, unread=coming(headers), receive=receive, send=send)


async def respond(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, unread: bool, receive: Receive, send: Send
) -> None:
    """Send a whole answer. An unread body that is still coming is read for a moment and dropped, then the line is cut:
    at once, and a client that is busy sending would never read the answer; later, and it could send for ever."""
    if unread:
        headers = [*headers, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if unread:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                    pass
    await send({"type": "http.response.body", "body": b""})
