"""A provider in OpenAI's form on loopback, with every fault that one can have: each answers one request."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

ELSEWHERE = "models.example"
"""A host that is not this machine, by all that a program can know of it."""

OPENAI_KEY = "our-own-key-4Tf81"

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
Answer = Callable[[BaseHTTPRequestHandler], None]
Turns = list[dict[str, str]]


class Provider(ThreadingHTTPServer):
    """A provider in OpenAI's form. `script` says what each request gets, the last one's answer again and again."""

    daemon_threads = True
    script: list[Answer]
    asked: list[dict[str, Any]]
    bodies: list[bytes]
    over: threading.Event

    def handle_error(self, *_: object) -> None:
        """Keep the test's output clean of connections that were dropped on purpose."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        self.server.asked.append(json.loads(body))
        script = self.server.script
        script[min(len(self.server.asked), len(script)) - 1](self)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving() -> Iterator[Provider]:
    """Serve on a free port until left."""
    server = Provider(("127.0.0.1", 0), Handler)
    server.asked, server.bodies, server.script, server.over = [], [], [answers], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def elsewhere(patch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Serve as OpenAI's form at `ELSEWHERE`, a name that leads to loopback in this process alone."""
    looked_up = socket.getaddrinfo

    def found(host: Any, *rest: Any, **more: Any) -> Any:
        return looked_up("127.0.0.1" if host in (ELSEWHERE, ELSEWHERE.encode()) else host, *rest, **more)

    with serving() as server:
        patch.setattr(socket, "getaddrinfo", found)
        patch.setenv("OPENAI_BASE_URL", f"http://{ELSEWHERE}:{server.server_port}/v1")
        patch.setenv("OPENAI_API_KEY", OPENAI_KEY)
        yield server


def sent(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()


def begun(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()


def event(handler: BaseHTTPRequestHandler, **said: object) -> None:
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"} | said
    sent(handler, f"data: {json.dumps(whole)}\n\n".encode())


def text(handler: BaseHTTPRequestHandler, piece: str, **more: object) -> None:
    event(handler, choices=[{"index": 0, "delta": {"role": "assistant", "content": piece}} | more])


def says(*pieces: str | Callable[[Turns], str]) -> Answer:
    """A whole answer in these pieces, each an event of its own; a callable one sees the conversation."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        assert isinstance(handler.server, Provider)
        turns = handler.server.asked[-1]["messages"]
        begun(handler)
        for piece in pieces:
            text(handler, piece if isinstance(piece, str) else piece(turns))
        event(handler, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        event(handler, choices=[], usage=USAGE)
        sent(handler, b"data: [DONE]\n\n")
        handler.wfile.write(b"0\r\n\r\n")

    return answer


answers = says("In ", "reeds.")


def fails(status: int, message: str = "not\nnow", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps({"error": {"message": message, "type": "x"}}).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def drops(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(2)
    handler.close_connection = True


def drops_after_a_piece(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    text(handler, "In ")
    time.sleep(0.1)  # Else the piece may be lost with the connection.
    drops(handler)


def drops_in_the_answer(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    drops(handler)


def ends_early(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    text(handler, "In ")
    handler.wfile.write(b"0\r\n\r\n")


def a_page(handler: BaseHTTPRequestHandler) -> None:
    body = b"<html><body>Sign in</body></html>\n"
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def two_megabytes(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    for _ in range(32):
        text(handler, "x" * (1 << 16))
    handler.wfile.write(b"0\r\n\r\n")


def says_nothing(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    handler.server.over.wait(10)  # type: ignore[attr-defined]


def says_that_it_is_there(handler: BaseHTTPRequestHandler) -> None:
    """Comments, as gateways send them to keep a connection open: bytes, and never an event."""
    begun(handler)
    while not handler.server.over.wait(0.02):  # type: ignore[attr-defined]
        sent(handler, b": still here\n\n")


too_long = fails(400, "This model's maximum context length is 8192 tokens. However, your messages have 9030 tokens.")
