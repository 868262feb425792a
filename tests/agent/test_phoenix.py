"""A run's trace in Arize Phoenix, a real receiver, as its own API gives it back."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sent_traces import CANARIES, asked, no_receivers, spans_of_a_run, traced

__all__ = ["no_receivers"]

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("HOPLITE_TEST_PHOENIX") or ROOT / ".venv" / "phoenix" / "bin" / "python")
"""The Python that has Phoenix, in an environment of its own: it brings 855 MB that nothing else here needs."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("no_receivers"),
    pytest.mark.skipif(not PYTHON.exists(), reason=f"Phoenix is not at {PYTHON}: `make phoenix` installs it"),
]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a Phoenix that keeps what it gets in a folder of the test."""
    folder, port = tmp_path / "phoenix", free_port()
    folder.mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    with (
        (folder / "log").open("wb") as log,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        subprocess.Popen(
            [PYTHON, "-m", "phoenix.server.main", "serve"], env=environ, cwd=folder, stdout=log, stderr=log
        ) as server,
    ):
        try:
            _until(lambda: _up(client, server), 180, folder / "log")
            yield client
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _up(client: httpx.Client, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "Phoenix ended"
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False


def _until(holds: Any, seconds: float, log: Path) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds} seconds: {log.read_text()[-2000:]}"
        time.sleep(0.25)


def test_phoenix_shows_the_tree_of_a_run_and_none_of_its_canaries(phoenix: httpx.Client, tmp_path: Path) -> None:
    with traced(tmp_path / "traces.sqlite", otlp_endpoint=str(phoenix.base_url)):
        trace_id = asked()
        spans_of_a_run()

    def spans() -> list[dict[str, Any]]:
        got = phoenix.get("/v1/projects/default/spans", params={"limit": 1000})
        return list(got.raise_for_status().json()["data"])

    log = tmp_path / "phoenix" / "log"
    _until(lambda: {"invoke_agent hoplite", "after"} <= {span["name"] for span in spans()}, 60, log)
    told = phoenix.get("/v1/projects/default/spans", params={"limit": 1000}).text
    assert [canary for canary in CANARIES if canary in told] == []
    assert "What keeps the letters of the harbour office?" in told
    ours = [span for span in spans() if span["context"]["trace_id"] == trace_id]
    by_id = {span["context"]["span_id"]: span for span in ours}
    [root] = [span for span in ours if span["parent_id"] is None]
    assert root["name"] == "invoke_agent hoplite"
    assert root["span_kind"] == "AGENT"
    assert all(span["parent_id"] in by_id for span in ours if span is not root)
    [chat] = [span for span in ours if span["name"] == "chat scripted"]
    assert chat["span_kind"] == "LLM"
    [failed] = [span for span in spans() if span["name"] == "execute_tool read"]
    assert failed["status_code"] == "ERROR"
    assert "[secret]" in failed["status_message"]
