"""What receivers elsewhere get of a trace, byte by byte, and what a run notices of a receiver that is not well."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from opentelemetry import trace
from receiver import attributes, black_hole, closed_port, dripping, receiving
from sent_traces import (
    ASKED,
    CANARIES,
    FILED,
    PUBLIC,
    SECRET,
    asked,
    no_receivers,
    spans_of_a_run,
    traced,
    use_langfuse,
)

from agent import langfuse, tracing
from agent.redaction import Redactor
from agent.scores import score

__all__ = ["no_receivers"]
pytestmark = pytest.mark.usefixtures("no_receivers")

tracer = trace.get_tracer("hoplite.agent")


def test_no_canary_is_in_what_langfuse_and_an_otlp_receiver_get(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with receiving() as otlp, receiving() as account:
        use_langfuse(monkeypatch, account.url)
        with traced(tmp_path / "traces.sqlite", otlp_endpoint=otlp.url):
            trace_id = asked()
            spans_of_a_run()
            score(trace_id, "user", 1.0, f"the password is {FILED}")
        for receiver in (otlp, account):
            assert {"invoke_agent hoplite", "execute_tool read", "after"} <= {span.name for span in receiver.spans}
            assert [canary for canary in CANARIES if canary.encode() in receiver.bytes] == []
            assert b"What keeps the letters of the harbour office?" in receiver.bytes
        assert account.asked("/api/public/scores")
        assert b"[secret]" in otlp.bytes
        assert SECRET.encode() not in otlp.bytes
    assert ASKED.encode() in (tmp_path / "traces.sqlite").read_bytes() + _wal(tmp_path / "traces.sqlite")


def _wal(file: Path) -> bytes:
    wal = file.with_name(f"{file.name}-wal")
    return wal.read_bytes() if wal.exists() else b""


def test_without_content_no_text_of_the_run_is_sent_and_the_tree_is(tmp_path: Path) -> None:
    with receiving() as otlp:
        with traced(tmp_path / "traces.sqlite", otlp_endpoint=otlp.url, trace_content="none"):
            asked()
            spans_of_a_run()
        assert not any(text in otlp.bytes for text in (b"harbour", b"Heron", b"connecting", *map(str.encode, CANARIES)))
        by_id = {span.span_id: span for span in otlp.spans}
        assert all(span.parent_span_id in by_id for span in otlp.spans if span.parent_span_id)
        chat = next(span for span in otlp.spans if span.name == "chat scripted")
        assert attributes(chat)["gen_ai.usage.output_tokens"] > 0
        failed = next(span for span in otlp.spans if span.name == "execute_tool read")
        assert [failed.status.code, failed.status.message] == [2, ""]
        assert "exception.message" not in attributes(failed.events[1])
        assert attributes(failed.events[1])["exception.type"] == "ConnectionError"


def test_full_content_has_what_was_asked_but_not_what_this_process_was_given(tmp_path: Path) -> None:
    with receiving() as otlp:
        with traced(tmp_path / "traces.sqlite", otlp_endpoint=otlp.url, trace_content="full"):
            spans_of_a_run()
        assert FILED.encode() in otlp.bytes
        assert CANARIES[-1].encode() not in otlp.bytes


def test_a_fault_of_the_redaction_lets_nothing_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(self: Redactor, text: str) -> str:
        raise ValueError(text)

    monkeypatch.setattr(Redactor, "text", fails)
    with receiving() as otlp:
        with traced(tmp_path / "traces.sqlite", otlp_endpoint=otlp.url):
            spans_of_a_run()
        assert otlp.requests == []
    [line] = [record.getMessage() for record in caplog.records]
    assert "could not be redacted" in line
    assert "harbour" not in line


def test_spans_of_a_program_around_us_are_not_sent(tmp_path: Path) -> None:
    with receiving() as otlp:
        with (
            traced(tmp_path / "traces.sqlite", otlp_endpoint=otlp.url),
            trace.get_tracer("theirs").start_as_current_span("their own"),
            tracer.start_as_current_span("ours"),
        ):
            pass
        assert [span.name for span in otlp.spans] == ["ours"]


def test_langfuse_gets_the_key_the_version_and_the_tree_with_session_user_and_tags(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team-key=not-for-langfuse-1")
    with receiving() as otlp, receiving() as account:
        use_langfuse(monkeypatch, f"{account.url}/")
        file = tmp_path / "traces.sqlite"
        call = {"gen_ai.request.model": "m", "hoplite.dollars": 0.25, "hoplite.prompt": "answer_full@1a2b"}
        with (
            traced(file, otlp_endpoint=f"{otlp.url}/v1/traces", trace_user="Ada", trace_tags="demo, two"),
            tracer.start_as_current_span("ask", attributes={"session.id": "s-1"}),
        ):
            tracer.start_span("chat m", attributes=call).end()
        path, headers, _ = account.requests[0]
        assert path == "/api/public/otel/v1/traces"
        assert headers["authorization"] == f"Basic {base64.b64encode(f'{PUBLIC}:{SECRET}'.encode()).decode()}"
        assert headers["x-langfuse-ingestion-version"] == "4"
        assert b"not-for-langfuse" not in account.bytes
        assert otlp.requests[0][1]["x-team-key"] == "not-for-langfuse-1"
        chat, root = account.spans
        assert chat.parent_span_id == root.span_id
        for span in (chat, root):
            told = attributes(span)
            assert (told["session.id"], told["user.id"]) == ("s-1", "Ada")
            assert told["langfuse.trace.tags"] == ["demo", "two"]
        assert attributes(root)["langfuse.trace.name"] == "ask"
        assert attributes(chat)["langfuse.observation.type"] == "generation"
        assert attributes(chat)["langfuse.observation.cost_details"] == '{"total": 0.25}'


def silent() -> AbstractContextManager[str]:
    return nullcontext(closed_port())


def refusing() -> AbstractContextManager[str]:
    return nullcontext("401")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (silent, "nothing answers there"),
        (black_hole, "it did not answer in time"),
        (dripping, "it did not answer in time"),
    ],
)
def test_a_receiver_that_is_not_well_costs_a_run_nothing_its_end_three_seconds_and_one_line(
    place: Callable[[], AbstractContextManager[str]],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with place() as url:
        use_langfuse(monkeypatch, url)
        with traced(tmp_path / "traces.sqlite"):
            for _ in range(2):
                begun, worked = time.perf_counter(), time.thread_time()
                with tracer.start_as_current_span("ask"):
                    for _ in range(50):
                        tracer.start_span("search").end()
                assert time.thread_time() - worked < 0.05
                assert time.perf_counter() - begun < 5  # to wait for an answer would take ten
                time.sleep(0.7)  # the queue is taken twice a second
            begun = time.perf_counter()
        assert time.perf_counter() - begun < 4
    assert [record.getMessage() for record in caplog.records] == [
        f"Langfuse at {url.removeprefix('http://')} does not get this run's trace: {said}."
    ]
    assert len(tracing.traces(tmp_path / "traces.sqlite")) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "it does not accept the key (HTTP 401)"),
        (404, "it answered HTTP 404; check the address"),
        (302, "it answered HTTP 302; check the address"),
        (500, "it answered HTTP 500"),
    ],
)
def test_a_refusal_is_one_line_and_no_more_is_sent(
    status: int, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(status) as account:
        use_langfuse(monkeypatch, account.url)
        with traced(tmp_path / "traces.sqlite") as current:
            for _ in range(2):
                tracer.start_span("ask").end()
                current.flush()
                time.sleep(0.8)
        assert [path for path, _, _ in account.requests].count("/api/public/otel/v1/traces") == 1
    [line] = [record.getMessage() for record in caplog.records]
    assert line == f"Langfuse at {account.url.removeprefix('http://')} does not get this run's trace: {said}."


@pytest.mark.parametrize(
    ("environ", "settings", "said"),
    [
        ({langfuse.PUBLIC_KEY: PUBLIC}, {}, "LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL is not set"),
        ({langfuse.PUBLIC_KEY: PUBLIC, langfuse.SECRET_KEY: SECRET}, {}, "LANGFUSE_BASE_URL is not set"),
        (
            {langfuse.PUBLIC_KEY: PUBLIC, langfuse.SECRET_KEY: SECRET, "LANGFUSE_HOST": "cloud"},
            {},
            "LANGFUSE_HOST begins with 'no scheme'",
        ),
        ({}, {"otlp_endpoint": "grpc://localhost:4317"}, "otlp_endpoint begins with 'grpc'"),
        ({}, {"otlp_endpoint": "http://joe:pa55@localhost"}, "otlp_endpoint has a login or a query in it"),
        ({}, {"otlp_endpoint": "http://localhost:99999"}, "otlp_endpoint is no address"),
    ],
)
def test_half_a_configuration_is_one_line_and_the_answer_arrives(
    environ: dict[str, str],
    settings: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with traced(tmp_path / "traces.sqlite", **settings):
        asked()
    [line] = [record.getMessage() for record in caplog.records]
    assert said in line
    assert not any(secret in line for secret in (SECRET, "pa55", "joe"))
