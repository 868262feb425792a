from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_server import Provider, serving

from agent import retries


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with serving() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        monkeypatch.setattr(retries, "FIRST_WAIT", 0.01)
        yield server
