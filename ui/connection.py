"""A connection of the page's server: whoever is slow to say what they want is left."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 256
"""Connections at once. A tab has two or three open while it is looked at."""
HEADER_SECONDS = 10.0
"""Seconds that the first line and the headers of a request may take. Uvicorn itself waits for ever."""


class Patient(H11Protocol):
    """Uvicorn's connection over h11, with an end to waiting for headers."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait while a request has begun and its headers are not all there. Uvicorn looks after pauses between."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            if self._waiting is None and (self.cycle is None or self.cycle.response_complete):
                self._wait()
        elif self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        if self._waiting is not None:
            self._waiting.cancel()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEADER_SECONDS, self.transport.close)
