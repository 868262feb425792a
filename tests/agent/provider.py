"""A provider of language models in OpenAI's form, on loopback: it keeps what it was sent and answers by a script."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

ELSEWHERE = "models.example"
"""A host that is not this machine, by all that a program can know of it."""

OPENAI_KEY = "our-own-key-4Tf81"

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


class Provider(ThreadingHTTPServer):
    """A provider in OpenAI's form. `script` says what each request gets, the last one's answer again and again."""

    daemon_threads = True
    script: list[Callable[[BaseHTTPRequestHandler], None]]
    asked: list[dict[str, Any]]
    bodies: list[bytes]

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
    server.asked, server.bodies, server.script = [], [], [answers]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
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


def answers(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    text(handler, "In ")
    text(handler, "reeds.", finish_reason="stop")
    event(handler, choices=[], usage=USAGE)
    sent(handler, b"data: [DONE]\n\n")
    handler.wfile.write(b"0\r\n\r\n")


def fails(status: int, message: str = "not\nnow", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps({"error": {"message": message, "type": "x"}}).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


Turns = list[dict[str, str]]


def says(*pieces: str | Callable[[Turns], str]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with these pieces of text, each an event of its own; a callable one sees the conversation."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        assert isinstance(handler.server, Provider)
        turns = handler.server.asked[-1]["messages"]
        begun(handler)
        for piece in pieces:
            text(handler, piece if isinstance(piece, str) else piece(turns))
        event(handler, choices=[], usage=USAGE)
        sent(handler, b"data: [DONE]\n\n")
        handler.wfile.write(b"0\r\n\r\n")

    return answer
