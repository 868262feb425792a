"""The parent's end of the wire: frames of four bytes of length and JSON, over a socket, under a clock.

JSON only, so that reading what the child sent can never run anything; whatever arrives may be forged.
"""

from __future__ import annotations

import json
import select
import socket
import struct

from ingest.errors import ToolError
from ingest.locked.clock import StepClock
from ingest.locked.outcome import ChildDied

FRAME_BYTES = 8 << 20
_LOOK_AGAIN = 0.1  # seconds between two looks at the child's processor time


class WireClosed(Exception):
    """The child closed its end, most often by dying."""


class Wire:
    """One connection to one child. Its methods raise WireClosed when that has gone, ChildDied when its time is up."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end

    def send(self, frame: bytes, clock: StepClock) -> None:
        """Send what `encode` made."""
        view = memoryview(frame)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, clock)
            except ConnectionError as error:
                raise WireClosed from error

    def receive(self, clock: StepClock) -> dict[str, object]:
        """Return the next message. Raises ChildDied when it is too long or no JSON object."""
        (length,) = struct.unpack(">I", self._exactly(4, clock))
        if length > FRAME_BYTES:
            raise ChildDied(f"it sent a message of {length} bytes; at most {FRAME_BYTES} pass")
        return decode(self._exactly(length, clock))

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int, clock: StepClock) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            clock.left()  # a child that always has something to say never makes us wait
            try:
                part = self._socket.recv(min(count - len(parts), 1 << 20))
            except BlockingIOError:
                self._wait(select.POLLIN, clock)
                continue
            except ConnectionError as error:
                raise WireClosed from error
            if not part:
                raise WireClosed
            parts += part
        return bytes(parts)

    def _wait(self, event: int, clock: StepClock) -> None:
        poll = select.poll()
        poll.register(self._socket, event)
        poll.poll(min(clock.left(), _LOOK_AGAIN) * 1000)


def encode(message: dict[str, object]) -> bytes:
    """Return the frame. Raises TypeError for what is not JSON, ToolError for what is longer than a frame."""
    # File names that are not UTF-8 come as lone surrogates, which become "?".
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    if len(body) > FRAME_BYTES:
        raise ToolError(f"{len(body)} bytes are too many at once; at most {FRAME_BYTES} pass: ask for less")
    return struct.pack(">I", len(body)) + body


def decode(body: bytes) -> dict[str, object]:
    """Return the message, every text in it fit for UTF-8. Raises ChildDied for anything but a JSON object."""
    try:
        message = json.loads(body.decode("utf-8"))
        if b"\\u" in body:
            # Only an escape can smuggle a lone surrogate in, and it would break whoever prints or stores the text.
            message = json.loads(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ChildDied("it broke the protocol") from error
    if not isinstance(message, dict):
        raise ChildDied("it broke the protocol")
    return message
