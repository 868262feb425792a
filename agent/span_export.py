"""OpenTelemetry's SDK side of tracing, imported only when tracing starts (the SDK takes 60 ms to import)."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Thread

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import format_span_id, format_trace_id

from agent.exporters import Abroad, ours
from agent.langfuse import EXPERIMENT, ROOT
from agent.trace_file import bounded, clean, cut, insert, prune
from agent.trace_marks import marks
from agent.trace_rollup import SpanRow

# Indexing opens spans faster than a busy disk may take them; the SDK's 2,048 would drop some of a Django-sized run.
QUEUE = 16_384
DELAY_MILLISECONDS = 500
CLOSE_SECONDS = 3.0
ABROAD_SECONDS = 2.5  # for receivers elsewhere, so that all is over by then
PRUNED_EVERY = 20_000  # spans


class SpanFile(SpanExporter):
    """Writes our finished spans to SQLite. A failure is one warning for its whole life, never an exception."""

    def __init__(self, connection: sqlite3.Connection, warn: Callable[[str], None]) -> None:
        self._connection = connection
        self._warn = warn
        self._warned = False
        self._unpruned = 0
        self._owner = os.getpid()
        self._deadline = float("inf")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        # SQLite connections must not cross a fork, so a forked worker's spans are let go.
        if os.getpid() != self._owner or time.monotonic() > self._deadline:
            return SpanExportResult.FAILURE
        try:
            insert(self._connection, [_row(span) for span in spans if ours(span)])
            self._unpruned += len(spans)
            if self._unpruned > PRUNED_EVERY:  # a server's file stays within its bounds too
                self._unpruned = 0
                prune(self._connection)
        except sqlite3.Error as error:
            if not self._warned:
                self._warned = True
                self._warn(str(error))
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def expire(self, seconds: float) -> None:
        """Write nothing that is still waiting after this many seconds."""
        self._deadline = time.monotonic() + seconds

    def shutdown(self) -> None:
        if os.getpid() == self._owner:
            self._connection.close()


@dataclass(frozen=True, slots=True)
class _Receiver:
    """Something elsewhere that gets spans too, with a queue and a thread of its own: a slow one holds up no other."""

    abroad: Abroad
    batches: BatchSpanProcessor

    def close(self) -> None:
        self.batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


class Switch(SpanProcessor):
    """Hands spans to the file that tracing writes now, and to the receivers elsewhere that there are now.

    OpenTelemetry takes one provider a process and cannot take a processor off it again, so this one stays for good
    and what it points at changes.
    """

    def __init__(self) -> None:
        self._file: SpanFile | None = None
        self._batches: BatchSpanProcessor | None = None
        self._receivers: tuple[_Receiver, ...] = ()
        self._said: Mapping[str, str | tuple[str, ...]] = {}

    def point(self, file: SpanFile | None) -> None:
        """Write what comes from now on to `file`, after the last file has got what was meant for it."""
        old_file, old_batches = self._file, self._batches
        self._file = file
        self._batches = _batches(file) if file else None
        if old_file and old_batches:
            old_file.expire(CLOSE_SECONDS)
            old_batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped

    def release(self, file: SpanFile) -> None:
        """Stop writing to `file`, and sending; nothing happens where another file has taken its place."""
        if self._file is file:
            self.shutdown()

    @property
    def sends(self) -> bool:
        """Whether spans are sent anywhere."""
        return bool(self._receivers)

    def send(self, receivers: Sequence[Abroad], said: Mapping[str, str | tuple[str, ...]]) -> None:
        """Send what ends from now on to these as well, until the file is released. `said` is on every span."""
        self._said = said
        self._receivers += tuple(_Receiver(each, _batches(each)) for each in receivers)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if not self._receivers:
            return
        # Langfuse looks for a trace's session and run on each of its spans.
        above = trace.get_current_span(parent_context)
        parent = above.attributes or {} if isinstance(above, ReadableSpan) else {}
        span.set_attributes(self._said)
        span.set_attributes({k: v for k, v in parent.items() if k == "session.id" or k.startswith(EXPERIMENT)})
        if not parent and (given := marks(parent_context)):
            here = span.get_span_context()
            span.set_attributes({**given, ROOT: format_span_id(here.span_id)} if here else given)

    def on_end(self, span: ReadableSpan) -> None:
        batches = self._batches  # another thread may change it in between
        if batches:
            batches.on_end(span)
        for each in self._receivers:
            if each.abroad.takes:
                each.batches.on_end(span)

    def shutdown(self) -> None:
        """Give the file and the receivers what has ended, all at once and within `CLOSE_SECONDS`."""
        deadline = time.monotonic() + ABROAD_SECONDS
        receivers, self._receivers, self._said = self._receivers, (), {}
        closing = [(each.abroad, Thread(target=each.close, daemon=True)) for each in receivers]
        for abroad, thread in closing:
            abroad.expire(ABROAD_SECONDS)
            thread.start()
        self.point(None)
        for abroad, thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                abroad.give_up()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        batches = self._batches
        return batches is None or batches.force_flush(timeout_millis)


def _batches(exporter: SpanExporter) -> BatchSpanProcessor:
    return BatchSpanProcessor(
        exporter, max_queue_size=QUEUE, schedule_delay_millis=DELAY_MILLISECONDS, max_export_batch_size=512
    )


@cache
def switch() -> Switch:
    """The process's switch, put on the provider the first time: the one that a host has set, else ours."""
    made = Switch()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        # Given in full, so that no OTEL_* variable of the shell drops spans or runs resource detectors.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource({"service.name": "hoplite"}))
        trace.set_tracer_provider(provider)
    provider.add_span_processor(made)
    return made


def _row(span: ReadableSpan) -> SpanRow:
    context = span.get_span_context()
    assert context is not None  # a span that has ended has one
    start = span.start_time or 0
    return SpanRow(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        parent_id=format_span_id(span.parent.span_id) if span.parent else None,
        name=clean(span.name),
        kind=span.kind.name,
        scope=span.instrumentation_scope.name if span.instrumentation_scope else "",
        start_ns=start,
        end_ns=span.end_time or start,
        status=span.status.status_code.name,
        status_text=cut(span.status.description or ""),
        attributes=span.attributes or {},
        events=[
            {
                "name": cut(event.name),
                "time_ns": event.timestamp,
                "attributes": bounded(event.attributes or {}),
            }
            for event in span.events
        ],
    )
