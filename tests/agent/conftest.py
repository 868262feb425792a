from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from fault_server import Handler, Provider, answers

from agent import retries


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    server = Provider(("127.0.0.1", 0), Handler)
    server.asked, server.script, server.over = [], [answers], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.01)
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()
