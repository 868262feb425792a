"""A server on loopback that nobody should ask for anything, and that keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Canary(ThreadingHTTPServer):
    """Keeps the paths that it was asked for, and counts connections, also those on which nothing was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keeping)
        self.paths: list[str] = []
        self.connections = 0

    @property
    def asked(self) -> int:
        """How often it was asked for anything."""
        return len(self.paths)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Count the connection."""
        self.connections += 1
        return True


class _Keeping(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Canary)
        self.server.paths.append(self.path)
        self.send_error(404)

    do_POST = do_GET  # noqa: N815
    do_HEAD = do_GET  # noqa: N815
    do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, *words: object) -> None:
        """Stay quiet."""


@contextmanager
def watching() -> Iterator[Canary]:
    """Give a canary on a free port, until the end."""
    with Canary() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
