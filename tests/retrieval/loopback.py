"""A server on this machine that speaks as much of Qdrant's REST interface as Hoplite uses, and fails as it is told.

Behind it is the client's in-memory stand-in, so that requests go through the real client, HTTP and JSON both ways.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from pydantic_core import to_jsonable_python
from qdrant_client import QdrantClient, models

VERSION = "1.20.0"


@dataclass(frozen=True)
class Fault:
    """What is answered instead. `seconds` is waited before; with `cut` the connection is reset in the middle of it, and
    with `drip` it comes byte by byte."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False
    drip: bool = False


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]


class Loopback:
    """A running server; use as a context manager. `url` is its address.

    `faults` says of the number of a request, counted from 0, and of the request what to answer instead, None for the
    truth. `asked` are the requests so far.
    """

    def __init__(self, faults: Callable[[int, Asked], Fault | None] = lambda number, asked: None) -> None:
        self.faults = faults
        self.asked: list[Asked] = []
        self.version = VERSION
        self.stopped = False
        self.made: dict[str, Any] = {}  # by collection, what was asked for when it was made
        self.client = QdrantClient(":memory:")
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away; twice is no error."""
        self.stopped = True  # also for connections that are kept open
        if self._thread.is_alive():
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()

    def noted(self, asked: Asked) -> Fault | None:
        """Take up a request; return what is to go wrong with it."""
        with self._lock:
            self.asked.append(asked)
            return self.faults(len(self.asked) - 1, asked)

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the result of a sound request."""
        if path == "/":
            return 200, {"title": "qdrant - vector search engine", "version": self.version}
        found = re.fullmatch(r"/collections/([^/]+)(/.*)?", path)
        assert found is not None, path
        collection, what = found[1], f"{method} {found[2] or ''}"
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the stand-in says that it needs no payload indexes
            here = self.client.collection_exists(collection)
            if what == "GET /exists":
                return 200, {"exists": here}
            if what == "PUT " and here:
                return 409, f"Wrong input: Collection `{collection}` already exists!"
            if not here and what != "PUT ":
                return 404, f"Not found: Collection `{collection}` doesn't exist!"
            return 200, to_jsonable_python(self._done(collection, what, body), exclude_none=True)

    def _done(self, collection: str, what: str, body: Any) -> Any:
        client = self.client
        wanted = models.Filter.model_validate(body["filter"]) if isinstance(body, dict) and body.get("filter") else None
        if what == "GET ":
            return client.get_collection(collection)
        if what == "PUT ":
            self.made[collection] = body
            asked = models.CreateCollection.model_validate(body)
            return client.create_collection(
                collection, asked.vectors, sparse_vectors_config=asked.sparse_vectors, metadata=asked.metadata
            )
        if what == "DELETE ":
            return client.delete_collection(collection)
        if what == "PUT /index":
            return client.create_payload_index(collection, body["field_name"], body["field_schema"])
        if what == "PUT /points":
            return client.upsert(collection, models.PointsList.model_validate(body).points)
        if what == "POST /points/delete":
            return client.delete(collection, body["points"])
        if what == "POST /points/count":
            return client.count(collection, wanted)
        if what == "POST /points":
            return client.retrieve(collection, body["ids"], body["with_payload"], body.get("with_vector", False))
        if what == "POST /points/scroll":
            offset, with_payload = body.get("offset"), body["with_payload"]
            records, following = client.scroll(collection, wanted, body["limit"], None, offset, with_payload)
            return {"points": records, "next_page_offset": following}
        if what == "POST /facet":
            return client.facet(collection, body["key"], wanted, body["limit"], body["exact"])
        if what == "POST /points/query":
            return client.query_batch_points(collection, [models.QueryRequest.model_validate(body)])[0]
        if what == "POST /points/query/batch":
            return client.query_batch_points(collection, models.QueryRequestBatch.model_validate(body).searches)
        raise AssertionError(what)


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.split("?")[0]
            if server.stopped:
                self.close_connection = True
                return
            asked = Asked(self.command, path, {name.lower(): value for name, value in self.headers.items()})
            if (fault := server.noted(asked)) is not None:
                self._fail(fault)
                return
            status, result = server.answer(self.command, path, body)
            if path == "/":
                self._send(200, json.dumps(result).encode())
            elif status == 200:
                self._send(200, json.dumps({"result": result, "status": "ok", "time": 0.0}).encode())
            else:
                self._send(status, json.dumps({"status": {"error": result}, "time": 0.0}).encode())

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _fail(self, fault: Fault) -> None:
            time.sleep(fault.seconds)
            if fault.cut:
                self.send_response(fault.status)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(fault.body)
                self.wfile.flush()
                # A reset instead of an orderly end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            self._send(fault.status, fault.body, fault.headers, 0.05 if fault.drip else 0.0)

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, between: float = 0.0) -> None:
            try:
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                for part in [body[i : i + 1] for i in range(len(body))] if between else [body]:
                    self.wfile.write(part)
                    time.sleep(between)
            except OSError:  # who asked has gone away
                self.close_connection = True

    return Handler
