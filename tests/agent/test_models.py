"""Every model is called by one path, which measures, traces and keeps the limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.models import (
    Message,
    Piece,
    Request,
    StreamedChat,
    as_smolagents,
    is_remote,
    leaves_the_machine,
    make_chat,
)
from agent.testing import ScriptedModel
from ingest.errors import ModelUnavailable

ASKED = [Message(role="system", content="Be brief."), Message(role="user", content="Where do herons nest?")]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What the tracer records during the test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def test_a_call_is_one_span_with_model_and_tokens(spans: InMemorySpanExporter) -> None:
    ScriptedModel(["In reeds and trees."], name="tiny").complete(ASKED, max_tokens=64)
    (span,) = spans.get_finished_spans()
    assert span.name == "chat tiny"
    assert span.attributes is not None
    seen = {key: span.attributes[f"gen_ai.{key}"] for key in ("operation.name", "request.model", "usage.input_tokens")}
    assert seen == {"operation.name": "chat", "request.model": "tiny", "usage.input_tokens": 6}
    assert span.attributes["gen_ai.usage.output_tokens"] == 4


def test_a_failed_call_is_a_span_with_the_error(spans: InMemorySpanExporter) -> None:
    with pytest.raises(AssertionError):
        ScriptedModel([]).complete(ASKED, max_tokens=64)
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR


def test_the_answer_ends_before_the_first_stop_sequence() -> None:
    answer = ScriptedModel(["one<end>two</code>"]).complete(ASKED, max_tokens=64, stop=["</code>", "<end>", "never"])
    assert answer.text == "one"


def test_tokens_come_as_they_are_written_and_make_the_text() -> None:
    pieces: list[str] = []
    answer = ScriptedModel(["a\nb\nc"]).complete(ASKED, max_tokens=64, on_token=pieces.append)
    assert pieces == ["a\n", "b\n", "c"]
    assert answer.text == "a\nb\nc"
    assert 0 < answer.first_token_seconds <= answer.seconds


def test_what_on_token_raises_ends_the_call_and_closes_the_stream() -> None:
    closed = []

    def endless(request: Request) -> Generator[Piece, None, None]:
        try:
            while True:
                yield Piece("x")
        finally:
            closed.append(True)

    def stop(token: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StreamedChat("endless", endless).complete(ASKED, max_tokens=64, on_token=stop)
    assert closed == [True]


def test_a_trickle_does_not_outlive_the_time_limit() -> None:
    def trickle(request: Request) -> Generator[Piece, None, None]:
        while True:
            time.sleep(0.01)
            yield Piece("x")

    with pytest.raises(ModelUnavailable, match="slow did not finish within 0 seconds"):
        StreamedChat("slow", trickle, call_seconds=0.1).complete(ASKED, max_tokens=64)


def test_a_script_that_is_over_fails_with_what_was_asked() -> None:
    model = ScriptedModel(["only line", lambda messages: f"{len(messages)} turns"])
    assert [model.complete(ASKED, max_tokens=8).text for _ in range(2)] == ["only line", "2 turns"]
    assert (model.unspoken, model.calls[0][1]["content"]) == (0, "Where do herons nest?")
    with pytest.raises(AssertionError, match="2 lines is over, and the model was asked: Where do herons nest"):
        model.complete(ASKED, max_tokens=8)


def test_smolagents_calls_the_same_path() -> None:
    from smolagents import ChatMessage, MessageRole

    script = ScriptedModel(["Thought\n<code>\nsearch('x')\n</code>"])
    turns = [
        ChatMessage(role=MessageRole.SYSTEM, content=[{"type": "text", "text": "Be brief."}]),
        ChatMessage(role=MessageRole.TOOL_RESPONSE, content=[{"type": "text", "text": "Observation: none"}]),
    ]
    answer = as_smolagents(script).generate(turns, stop_sequences=["</code>"])
    assert answer.content == "Thought\n<code>\nsearch('x')\n"
    assert answer.token_usage.output_tokens == 4
    assert [turn["role"] for turn in script.calls[0]] == ["system", "user"]


@pytest.mark.parametrize("name", ["local", "local:/models/some.gguf", "none", "ollama/llama3.2"])
def test_models_of_this_machine_are_not_remote(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_API_BASE", raising=False)
    assert not is_remote(name)
    assert leaves_the_machine(name).startswith("Nothing leaves this machine")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("openai/gpt-x", "https://api.openai.com/v1"),
        ("anthropic/claude-x", "the provider of"),
        ("mistral-x", "provider"),
    ],
)
def test_other_models_are_remote_and_the_place_is_named(name: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert is_remote(name)
    line = leaves_the_machine(name)
    assert place in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("base", "remote"),
    [("http://10.0.0.7:11434", True), ("http://127.0.0.1:1", False), ("http://[::1]:1", False), ("garbage", True)],
)
def test_where_a_server_listens_decides_whether_it_is_remote(
    base: str, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", base)
    assert is_remote("ollama/llama3.2") is remote


def test_no_model_is_no_language_model() -> None:
    with pytest.raises(ValueError, match="'none' names no language model"):
        make_chat("none")


def test_importing_it_loads_no_provider() -> None:
    code = "import agent.models, sys; print({'litellm', 'smolagents', 'httpx', 'xllamacpp'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout == "set()\n"


class OpenAI(BaseHTTPRequestHandler):
    """A provider in OpenAI's form that remembers what it was asked and refuses the key "wrong"."""

    asked: list[dict[str, Any]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        if self.headers["Authorization"] == "Bearer wrong":
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b'{"error": {"message": "bad key", "type": "auth", "code": "invalid_api_key"}}')
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
        for event in (
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "In "}}]},
            {"choices": [{"index": 0, "delta": {"content": "reeds."}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        ):
            whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"} | event
            self.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), OpenAI)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    OpenAI.asked.clear()
    yield OpenAI.asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_litellm_streams_an_answer_with_its_tokens(
    openai: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    answer = make_chat("openai/gpt-4o-mini").complete(ASKED, max_tokens=16, stop=["<end>"])
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("In reeds.", 9, 2)
    assert openai[0]["messages"] == ASKED
    assert (openai[0]["max_tokens"], openai[0]["stop"]) == (16, ["<end>"])


def test_a_refused_key_is_one_line_and_asked_once(
    openai: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(ModelUnavailable, match="openai/gpt-4o-mini did not answer") as refused:
        make_chat("openai/gpt-4o-mini").complete(ASKED, max_tokens=16)
    assert "\n" not in str(refused.value)
    assert len(openai) == 1
    assert capfd.readouterr() == ("", "")
