"""What tests of traces that are sent share: a run that is full of secrets, and an environment that names receivers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What a process imports when it first sends: on a busy machine that alone takes longer than its end waits.
import langfuse.api.scores.client  # noqa: F401
import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
import pytest
from fake_library import FakeLibrary
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from agent import build
from agent import langfuse as accounts
from agent.loop import Agent
from agent.settings import Settings
from agent.testing import ScriptedModel
from agent.tracing import Tracing, start_tracing

PUBLIC, SECRET = "pk-lf-0042-abcd", "sk-lf-9f8e7d6c-5b4a-3210"

ASKED = "quay-canary-7731a"  # a secret in the question
FILED = "quay-canary-7732b"  # in a file
FAILED = "quay-canary-7733c"  # in the error of a tool
LOADED = "quay-canary-7734d"  # in the environment, and told by a tool without a word on what it is
CANARIES = (ASKED, FILED, FAILED, LOADED)
QUESTION = f"What keeps the letters of the harbour office? My password is {ASKED}."
FILES = {
    "docs/heron.md": f'# Heron\nHeron keeps the letters of the harbour office, with `password = "{FILED}"`.\n',
}

_tracer = trace.get_tracer("hoplite.agent")


def asked() -> str:
    """Ask a question whose run meets all canaries, and return its trace's id."""
    agent = Agent(FakeLibrary(FILES), chat=ScriptedModel(["Heron [1]"]))
    given = agent.ask(QUESTION)
    assert given.citations
    assert FILED in given.passages[0].text
    return str(given.trace_id)


def spans_of_a_run() -> None:
    """Open spans that hold the canaries wherever a span can hold a text."""
    told = f"connecting to postgres://joe:{FAILED}@db.example/x failed"
    with _tracer.start_as_current_span(f"ask {LOADED}", attributes={"input.value": QUESTION}):
        with _tracer.start_as_current_span("execute_tool read") as span:
            span.set_attribute("gen_ai.tool.call.result", FILES["docs/heron.md"])
            span.set_attribute("gen_ai.input.messages", json.dumps([{"role": "user", "parts": [FILES]}]))
            span.set_attribute(f"key {LOADED}", ["a", LOADED])
            span.add_event(f"retry {LOADED}", {"hoplite.error": told, "n": 1})
            span.record_exception(ConnectionError(told))
            span.set_status(Status(StatusCode.ERROR, told))
        with _tracer.start_as_current_span("after", attributes={"output.value": f"{FILED} and {ASKED} and {LOADED}"}):
            pass


@pytest.fixture
def no_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names no receiver, and a process that has not warned of one."""
    names = (accounts.PUBLIC_KEY, accounts.SECRET_KEY, *accounts.HOSTS, accounts.ENVIRONMENT)
    for name in (*names, "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HARBOUR_TOKEN", LOADED)
    build._warn_once.cache_clear()
    accounts._versions.cache_clear()


def use_langfuse(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let the environment name an account."""
    monkeypatch.setenv(accounts.PUBLIC_KEY, PUBLIC)
    monkeypatch.setenv(accounts.SECRET_KEY, SECRET)
    monkeypatch.setenv(accounts.HOSTS[0], url)


@contextmanager
def traced(file: Path, **settings: object) -> Iterator[Tracing]:
    """Trace to a file, and send to where the settings and the environment say, until left."""
    tracing = start_tracing(file)
    build.send_traces(Settings.model_validate(settings))
    try:
        yield tracing
    finally:
        tracing.close()
