"""Stored traces reach other programs whole."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry import trace as otel
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from agent.trace_export import exported
from agent.trace_rollup import DOLLARS, TOKENS_IN, TOKENS_OUT
from agent.tracing import start_tracing, trace, traces
from ingest.spans import OPERATION

tracer = otel.get_tracer("hoplite.test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One trace with all that a span can have, then a small one."""
    path = tmp_path / "traces.sqlite"
    tracing = start_tracing(path)
    with tracer.start_as_current_span("run", attributes={"question": "Wie heißt er?", "sure": True}) as root:
        about = {OPERATION: "chat", TOKENS_IN: 2**40, TOKENS_OUT: 7, DOLLARS: 0.5, "stop": ["a", "b"]}
        with otel.get_tracer("hoplite.agent").start_as_current_span(
            "chat heron", kind=otel.SpanKind.CLIENT, attributes=about
        ) as call:
            call.add_event("retry", {"wait": 0.25})
        root.set_status(otel.StatusCode.ERROR, "no answer")
    tracer.start_span("second").end()
    tracing.close()
    return path


def as_protobuf(line: str) -> TracesData:
    """What a collector makes of a line. Protobuf's own JSON has base64 where OTLP has hexadecimal ids."""
    data = json.loads(line)
    for scope in data["resourceSpans"][0]["scopeSpans"]:
        for span in scope["spans"]:
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in span:
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return json_format.ParseDict(data, TracesData())


def test_otlp_is_what_the_protocols_own_parser_reads(file: Path) -> None:
    first, second = map(as_protobuf, exported(file, "otlp"))
    spans = {span.name: span for scope in first.resource_spans[0].scope_spans for span in scope.spans}
    run, call = spans["run"], spans["chat heron"]
    assert (call.parent_span_id, call.trace_id, run.parent_span_id) == (run.span_id, run.trace_id, b"")
    assert (call.kind, run.kind) == (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL)
    assert (run.status.code, run.status.message) == (Status.STATUS_CODE_ERROR, "no answer")
    values = {each.key: each.value for each in call.attributes}
    assert (values[TOKENS_IN].int_value, values[DOLLARS].double_value) == (2**40, 0.5)
    assert [each.string_value for each in values["stop"].array_value.values] == ["a", "b"]
    assert {each.key: each.value.bool_value for each in run.attributes if each.key == "sure"} == {"sure": True}
    assert (call.events[0].name, call.events[0].attributes[0].value.double_value) == ("retry", 0.25)
    assert sorted(scope.scope.name for scope in first.resource_spans[0].scope_spans) == [
        "hoplite.agent",
        "hoplite.test",
    ]
    assert [span.name for span in second.resource_spans[0].scope_spans[0].spans] == ["second"]
    assert 0 < run.start_time_unix_nano <= call.start_time_unix_nano <= call.end_time_unix_nano


def test_json_lines_hold_all_that_is_stored(file: Path) -> None:
    lines = [json.loads(line) for line in exported(file, "jsonl")]
    assert [(line["name"], line["depth"]) for line in lines] == [("run", 0), ("chat heron", 1), ("second", 0)]
    stored = [record.span._asdict() for summary in reversed(traces(file)) for record in trace(file, summary.id)]
    assert [{key: line[key] for key in stored[0]} for line in lines] == stored
    assert lines[0]["spent"]["dollars"] == 0.5


def test_only_what_was_chosen_is_exported(file: Path) -> None:
    newest, oldest = traces(file)
    assert [json.loads(line)["trace_id"] for line in exported(file, "jsonl", [newest.id])] == [newest.id]
    assert len(list(exported(file, "otlp", since_ns=int(newest.started * 1e9) - 1_000))) == 1
    assert oldest.id not in "".join(exported(file, "otlp", [newest.id]))
