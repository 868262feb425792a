"""The model on this machine: asked over loopback, loaded once, gone with its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_server import gone

from agent.local_model import Endpoint, LocalServer, ask, local_stream, model_file, server_folder
from agent.models import Message, Request, make_chat
from agent.retries import TooLong
from ingest.errors import ModelUnavailable, UserError
from retrieval import weights

MODELS = weights.models_folder()
HERE = weights.installed(weights.LOCAL_MODEL) is not None
ASKED = (Message(role="user", content="Where do herons nest?"),)
Answer = Callable[[BaseHTTPRequestHandler], None]


def request(seconds: float = 5) -> Request:
    return Request(ASKED, max_tokens=8, stop=("<end>",), temperature=0.0, deadline=time.perf_counter() + seconds)


def said(handler: BaseHTTPRequestHandler, *events: object, status: int = 200) -> None:
    handler.send_response(status)
    handler.end_headers()
    for event in events:
        handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Endpoint]]:
    """Start a server on loopback that answers as told."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(answer: Answer) -> Endpoint:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer(self)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return Endpoint("127.0.0.1", server.server_port, "secret")

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def test_pieces_and_tokens_come_from_the_stream(serve: Callable[[Answer], Endpoint]) -> None:
    seen: list[object] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.extend([handler.headers["Authorization"], handler.body["stop"]])  # type: ignore[attr-defined]
        usage = {"prompt_tokens": 30, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 24}}
        texts = [{"choices": [{"delta": {"content": text}}]} for text in ("In ", "reeds.")]
        said(handler, {"choices": [{"delta": {"role": "assistant", "content": None}}]}, *texts)
        handler.wfile.write(b": ping\n\n" + f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")

    pieces = list(ask(serve(answer), request()))
    assert "".join(piece.text for piece in pieces) == "In reeds."
    assert (pieces[-1].input_tokens, pieces[-1].cached_tokens, pieces[-1].output_tokens) == (30, 24, 2)
    assert seen == ["Bearer secret", ["<end>"]]


def test_a_refusal_is_the_users_to_fix(serve: Callable[[Answer], Endpoint]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(400)
        handler.end_headers()
        handler.wfile.write(b'{"error": {"message": "request (9030 tokens) exceeds the context"}}')

    with pytest.raises(TooLong, match=r"refused the request: request \(9030 tokens\) exceeds the context\. Ask with"):
        list(ask(serve(answer), request()))


def test_an_error_in_mid_stream_is_not_an_end(serve: Callable[[Answer], Endpoint]) -> None:
    with pytest.raises(UserError, match="out of slots"):
        list(ask(serve(lambda handler: said(handler, {"error": {"message": "out of slots"}})), request()))


def test_a_silent_server_is_left_at_the_deadline(serve: Callable[[Answer], Endpoint]) -> None:
    done = threading.Event()
    started = time.perf_counter()
    with pytest.raises(TimeoutError):
        list(ask(serve(lambda handler: done.wait(5) and None), request(seconds=0.2)))
    done.set()
    assert time.perf_counter() - started < 2


def test_closing_the_stream_hangs_up(serve: Callable[[Answer], Endpoint]) -> None:
    hung_up = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        said(handler, {"choices": [{"delta": {"content": "x"}}]})
        if handler.connection.recv(1) == b"":
            hung_up.set()

    with closing(ask(serve(answer), request())) as pieces:
        next(pieces)
    assert hung_up.wait(2)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("", r"hoplite models pull qwen2\.5-coder-1\.5b"),
        ("/nowhere/x.gguf", "There is no model file /nowhere/x.gguf"),
        ("gpt-9", "There is no model called gpt-9"),
    ],
)
def test_a_missing_model_says_what_to_do(
    which: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPLITE_MODELS", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=message):
        next(local_stream(which)(request()))


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the servers of one test: they end when their files go."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return server_folder()


def test_a_file_that_is_no_model_is_one_line_and_leaves_no_process(tmp_path: Path, servers: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"not a model")
    server = LocalServer(tmp_path / "bad.gguf")
    with (
        pytest.raises(ModelUnavailable, match=r"bad\.gguf did not load: .+ Check that it is a GGUF file") as failed,
        server.asked(),
    ):
        pass
    assert "\n" not in str(failed.value)
    assert server.process_id is None


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.timeout(400)  # two loads of up to LOAD_SECONDS each, where other work holds the cores
@pytest.mark.skipif(
    not HERE, reason=f"{weights.LOCAL_MODEL} is not in {MODELS}: `hoplite models pull`, or set HOPLITE_MODELS"
)
class TestWithWeights:
    @pytest.fixture(autouse=True)
    def models(self, servers: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Each test begins and ends without a server."""
        monkeypatch.setenv("HOPLITE_MODELS", str(MODELS))
        yield
        if (process := LocalServer(model_file("")).process_id) is not None:
            os.kill(process, signal.SIGKILL)

    def test_it_answers_caches_and_starts_again_when_killed(self, capfd: pytest.CaptureFixture[str]) -> None:
        lines: list[str] = []
        chat = make_chat("local", say=lines.append)
        question = [Message(role="user", content="What is the capital of France? One word.")]
        first = chat.complete(question, max_tokens=8)
        again = chat.complete(question, max_tokens=8)
        assert "Paris" in first.text
        assert first.dollars == 0
        assert again.cached_tokens >= first.input_tokens - 1 > 0
        server = LocalServer(model_file(""))
        assert server.process_id is not None
        os.kill(server.process_id, signal.SIGKILL)
        assert "Paris" in chat.complete(question, max_tokens=8).text
        assert len(lines) == 2
        assert capfd.readouterr() == ("", "")

    def test_two_processes_ask_one_server_which_ends_when_nobody_asks(self) -> None:
        code = (
            "from agent.local_model import *; server = LocalServer(model_file(''), idle_seconds=2)\n"
            "with server.asked(): print(server.process_id)"
        )
        words = [sys.executable, "-c", code]
        askers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        (process,) = {int(asker.communicate()[0]) for asker in askers}
        assert gone(process, within=10)
