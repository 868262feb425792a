"""A receiver of traces on loopback: it decodes the protobuf that it is sent, and answers as Langfuse's API does."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

NOW = "2026-01-01T00:00:00Z"


class Receiver(ThreadingHTTPServer):
    """Keeps what it was sent: `requests` as (path, headers, body without compression), and the spans in them."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.requests: list[tuple[str, Mapping[str, str], bytes]] = []
        self.prompts: dict[tuple[str, str], int] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def bytes(self) -> bytes:
        """All that came, headers too."""
        return b"\n".join(f"{path} {dict(headers)}".encode() + body for path, headers, body in self.requests)

    @property
    def spans(self) -> list[Span]:
        """The spans in the order in which they came."""
        sent = [ExportTraceServiceRequest.FromString(b) for path, _, b in self.requests if path.endswith("/v1/traces")]
        return [s for each in sent for of in each.resource_spans for scope in of.scope_spans for s in scope.spans]

    def asked(self, path: str) -> list[Any]:
        """The JSON that was posted to a path."""
        return [json.loads(body) for at, _, body in self.requests if at == path and body]

    def wait_for(self, spans: int, seconds: float = 10.0) -> list[Span]:
        """The spans, once there are that many. Fails where they do not come."""
        until = time.monotonic() + seconds
        while len(self.spans) < spans and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.spans) >= spans, f"{len(self.spans)} of {spans} spans came"
        return self.spans

    def handle_error(self, *_: object) -> None:
        """Keep the test's output clean of connections that were dropped on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        self.server.requests.append((self.path, dict(self.headers), body))
        self._answer({} if self.path.endswith("/v1/traces") else self._made(json.loads(body)))

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers), b""))
        if self.path == "/api/public/projects":
            organization = {"id": "o", "name": "o"}
            self._answer({"data": [{"id": "project-1", "name": "p", "organization": organization, "metadata": {}}]})
            return
        name, _, label = self.path.removeprefix("/api/public/v2/prompts/").partition("?label=")
        version = self.server.prompts.get((name, label))
        self._answer(_prompt(name, version) if version else {"message": "not found"}, 200 if version else 404)

    def _made(self, asked: Any) -> dict[str, Any]:
        if self.path == "/api/public/v2/prompts":
            self.server.prompts[asked["name"], asked["labels"][0]] = version = len(self.server.prompts) + 1
            return _prompt(asked["name"], version)
        common = {"id": "made-1", "createdAt": NOW, "updatedAt": NOW, "metadata": None}
        if self.path == "/api/public/v2/datasets":
            return {**common, "name": asked["name"], "projectId": "project-1"}
        if self.path == "/api/public/dataset-items":
            return {**common, **asked, "status": "ACTIVE", "datasetId": "made-1", "mediaReferences": []}
        return {}

    def _answer(self, said: Any, status: int = 200) -> None:
        data = json.dumps(said).encode() if not self.path.endswith("/v1/traces") else b""
        self.send_response(self.server.status if self.server.status != 200 else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def _prompt(name: str, version: int) -> dict[str, Any]:
    return {"type": "text", "name": name, "version": version, "prompt": "", "config": {}, "labels": [], "tags": []}


@contextmanager
def receiving(status: int = 200) -> Iterator[Receiver]:
    """Receive on a free port until left."""
    server = Receiver(status)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of a port that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    """The address of a port where nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def dripping() -> Iterator[str]:
    """The address of a server that answers a byte at a time and does not come to an end."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as server:
        over = threading.Event()

        def drip(connection: socket.socket) -> None:
            with closing(connection):
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not over.wait(0.2):
                        connection.sendall(b"X-A: b\r\n")
                except OSError:
                    return

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()


def attributes(span: Any) -> dict[str, Any]:
    """A span's or an event's attributes."""
    return {each.key: _value(each.value) for each in span.attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, str(kind))
