"""Every model is called by one path, which measures, traces and keeps the limits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator

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


def test_no_model_is_no_language_model() -> None:
    with pytest.raises(ValueError, match="'none' names no language model"):
        make_chat("none")


def test_importing_it_loads_no_provider() -> None:
    code = "import agent.models, sys; print({'litellm', 'smolagents', 'httpx', 'xllamacpp'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout == "set()\n"
