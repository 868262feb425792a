"""`agent/local_server.py` without llama.cpp: the same process, locks and files around a server that says its own id.

Run as a script in its place. It takes a third of a second to load, and does not load a model whose text is "bad".
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Answers with this process's id; a question of "slow" takes a second."""

    key = ""

    def do_GET(self) -> None:
        self.send_response(200 if self.headers["Authorization"] == f"Bearer {self.key}" else 401)
        self.end_headers()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        if asked == "slow":
            time.sleep(1)
        self.send_response(200)
        self.end_headers()
        said = {"choices": [{"delta": {"content": str(os.getpid())}}]}
        self.wfile.write(f"data: {json.dumps(said)}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Keep the log for what matters."""


def load(wanted: dict[str, Any]) -> tuple[str, object]:
    """Serve on a free port of loopback."""
    time.sleep(0.3)
    if Path(wanted["model"]).read_text() == "bad":
        sys.exit("not a model")
    Handler.key = wanted["key"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", server


def gone(process_id: int, *, within: float) -> bool:
    """Whether the process ends within so many seconds; one that only waits to be reaped has ended."""
    deadline = time.monotonic() + within
    while True:
        try:
            state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


if __name__ == "__main__":
    there = Path(__file__).parents[2] / "agent" / "local_server.py"
    spec = importlib.util.spec_from_file_location("local_server", there)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.load = load
    module.main()
