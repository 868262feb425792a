"""Stored traces in forms that others read: a line of JSON a span, and OpenTelemetry's own protocol, OTLP, as JSON.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hexadecimal, 64-bit integers are strings,
kinds and states are numbers. A line is the `TracesData` of one trace, as the collector's file receiver reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Literal

from agent.trace_rollup import SpanRow
from agent.tracing import as_tree, reading, spans_of

Form = Literal["jsonl", "otlp"]

_KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_STATES = {"UNSET": 0, "OK": 1, "ERROR": 2}
_LARGEST = 2**63 - 1


def exported(path: Path, form: Form, ids: Sequence[str] = (), *, since_ns: int = 0) -> Iterator[str]:
    """Yield the lines of these traces, or of all that began at `since_ns` or later, oldest first.

    Raises UserError where the file cannot be read.
    """
    with reading(path) as connection:
        chosen = "SELECT trace_id FROM traces WHERE started_ns >= ? ORDER BY started_ns, trace_id"
        found = ids or [row["trace_id"] for row in connection.execute(chosen, (since_ns,)).fetchall()]
        lines: Callable[[list[SpanRow]], Iterator[str]] = _as_lines if form == "jsonl" else _as_otlp
        for trace_id in found:
            yield from lines(spans_of(connection, trace_id))


def _as_lines(spans: list[SpanRow]) -> Iterator[str]:
    for record in as_tree(spans):
        spent = {**asdict(record.spent), "dollars": record.spent.dollars}
        yield json.dumps({**record.span._asdict(), "depth": record.depth, "spent": spent}, ensure_ascii=False)


def _as_otlp(spans: list[SpanRow]) -> Iterator[str]:
    by_scope = groupby(sorted(spans, key=lambda span: span.scope), key=lambda span: span.scope)
    scopes = [{"scope": {"name": scope}, "spans": [_span(span) for span in found]} for scope, found in by_scope]
    resource = {"attributes": _attributes({"service.name": "hoplite"})}
    yield json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}, ensure_ascii=False)


def _span(span: SpanRow) -> dict[str, object]:
    events = [
        {"name": event["name"], "timeUnixNano": str(event["time_ns"]), "attributes": _attributes(_mapping(event))}
        for event in span.events
    ]
    status: dict[str, object] = {"code": _STATES.get(span.status, 0)}
    if span.status_text:
        status["message"] = span.status_text
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({"parentSpanId": span.parent_id} if span.parent_id else {}),
        "name": span.name,
        "kind": _KINDS.get(span.kind, 1),
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(span.attributes),
        "events": events,
        "status": status,
    }


def _mapping(event: Mapping[str, object]) -> Mapping[str, object]:
    found = event.get("attributes")
    return found if isinstance(found, dict) else {}


def _attributes(attributes: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and abs(value) <= _LARGEST:
        return {"intValue": str(value)}
    if isinstance(value, int | float):
        return {"doubleValue": float(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}
