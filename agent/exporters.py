"""Where else spans go: to Langfuse and to any OTLP endpoint, redacted at the one place that all of them pass."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from agent.destinations import Destination
from agent.redaction import Redactor, Value

SECONDS = 10.0  # that one request may take, with what is tried again in it
PAUSE_SECONDS = 60.0  # after a failure, in which spans are let go
_SCOPE = "hoplite."
_LONGEST = 65_536  # characters of one value, after redaction


def ours(span: ReadableSpan) -> bool:
    """Whether Hoplite opened a span: other libraries of the process, such as the page's web server, open some too."""
    return span.instrumentation_scope is not None and span.instrumentation_scope.name.startswith(_SCOPE)


class Abroad(SpanExporter):
    """Sends our spans to one receiver, redacted. A failure is one warning for its whole life, never an exception.

    What a receiver does not take is let go, and the next attempt comes a minute later.
    """

    def __init__(self, to: Destination, redactor: Redactor, warn: Callable[[str], None]) -> None:
        self._to = to
        self._redactor = redactor
        self._warn = warn
        self._warned = False
        self._owner = os.getpid()
        self._paused_until = 0.0
        self._deadline = float("inf")
        self._sender: _Sender | None = None
        self._resource = Resource(dict(to.resource))

    @property
    def takes(self) -> bool:
        """Whether it is worth giving it spans now. Forked workers send none."""
        return time.monotonic() >= self._paused_until and os.getpid() == self._owner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        left = self._deadline - time.monotonic()
        if not self.takes or left <= 0:
            return SpanExportResult.FAILURE
        sent = [span for span in spans if ours(span)]
        if not sent:
            return SpanExportResult.SUCCESS
        problem = self._send(sent, min(left, SECONDS))
        if problem:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self.fail(problem)
        return SpanExportResult.FAILURE if problem else SpanExportResult.SUCCESS

    def _send(self, spans: Sequence[ReadableSpan], seconds: float) -> str:
        """Send the spans; return what went wrong, "" where nothing did."""
        try:
            self._redactor.learn(text for span in spans for text in _texts(span))
            redacted = [self._redacted(span) for span in spans]
        except Exception as error:  # a fault of ours must let no text through
            return f"a span could not be redacted: {type(error).__name__}"
        # Made here, off the run's thread: its libraries take a tenth of a second to import.
        self._sender = self._sender or _Sender(self._to)
        return self._sender.send(redacted, seconds)

    def fail(self, problem: str) -> None:
        """Say once that spans do not arrive."""
        if not self._warned:
            self._warned = True
            self._warn(f"{self._to.name} at {self._to.host} does not get this run's trace: {problem}.")

    def expire(self, seconds: float) -> None:
        """Send nothing that is still waiting after this many seconds, and do not try again what failed."""
        self._deadline = time.monotonic() + seconds
        if self._sender and self._sender.problem:
            self._sender.close()

    def give_up(self) -> None:
        """Say that the last spans did not arrive in time."""
        self.fail((self._sender and self._sender.problem) or "it did not answer in time")

    def shutdown(self) -> None:
        if self._sender:
            self._sender.close()

    def _redacted(self, span: ReadableSpan) -> ReadableSpan:
        redactor = self._redactor
        name, attributes = redactor.text(span.name), redactor.attributes(span.attributes or {})
        return ReadableSpan(
            name=name,
            context=span.context,
            parent=span.parent,
            resource=self._resource,
            attributes=_bounded({**attributes, **self._to.adapt(attributes, name, root=span.parent is None)}),
            events=[
                Event(redactor.text(e.name), _bounded(redactor.attributes(e.attributes or {})), e.timestamp)
                for e in span.events
            ],
            links=[Link(link.context, redactor.attributes(link.attributes or {})) for link in span.links],
            kind=span.kind,
            status=Status(span.status.status_code, redactor.prose(span.status.description or "") or None),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )


def _texts(span: ReadableSpan) -> Iterator[str]:
    """The texts of a span that may name a secret."""
    yield span.status.description or ""
    for attributes in (span.attributes or {}, *(event.attributes or {} for event in span.events)):
        yield from (value for value in attributes.values() if isinstance(value, str))


def _bounded(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {
        key: f"{value[:_LONGEST]}…" if isinstance(value, str) and len(value) > _LONGEST else value
        for key, value in attributes.items()
    }


class _Sender:
    """OTLP over HTTP to one address, with its headers and no others."""

    def __init__(self, to: Destination) -> None:
        import requests
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        self._seconds = SECONDS
        self._closed = False
        self.problem = ""
        own = {name.lower() for name in to.headers} | {"content-type", "content-encoding", "user-agent"}
        outer = self

        class Session(requests.Session):
            """Keeps what went wrong, which the exporter only logs. Headers meant for another receiver, which the
            exporter reads from the environment, are not sent to this one; nor is a login from ~/.netrc."""

            def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
                options["headers"] = {k: v for k, v in (options.get("headers") or {}).items() if k.lower() in own}
                options["timeout"] = min(options.get("timeout") or SECONDS, outer._seconds)
                try:
                    response = super().request(method, url, **options)
                except requests.RequestException as error:
                    outer.problem = _reason(error)
                    raise
                outer.problem = _refused(response.status_code, response.content)
                return response

        session = Session()
        session.auth = lambda prepared: prepared
        self._exporter = OTLPSpanExporter(
            endpoint=to.url, headers=dict(to.headers), timeout=SECONDS, compression=Compression.Gzip, session=session
        )
        logger = logging.getLogger(OTLPSpanExporter.__module__)
        if _not_ours not in logger.filters:
            logger.addFilter(_not_ours)

    def send(self, spans: Sequence[ReadableSpan], seconds: float) -> str:
        """Send spans within about these seconds; return what went wrong, "" where nothing did."""
        self._seconds, self.problem = seconds, ""
        with _quiet():
            done = self._exporter.export(spans) is SpanExportResult.SUCCESS
        return self.problem or ("" if done else "the request failed")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    return "nothing answers there" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _refused(status: int, body: bytes) -> str:
    """What an answer says against the spans, "" for nothing. The exporter takes a redirection for success."""
    if status in (401, 403):
        return f"it does not accept the key (HTTP {status})"
    if status >= 300:
        return f"it answered HTTP {status}" + ("; check the address" if status < 500 else "")
    rejected = _rejected(body)
    return f"it rejected {rejected} spans" if rejected else ""


def _rejected(body: bytes) -> int:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except DecodeError:  # some answer in JSON or in words
        return 0


_here = threading.local()


@contextmanager
def _quiet() -> Iterator[None]:
    """While our own spans are sent: the exporter logs each failure, and we warn of the first."""
    _here.quiet = True
    try:
        yield
    finally:
        _here.quiet = False


def _not_ours(record: logging.LogRecord) -> bool:
    """A filter of the exporter's log, which a program around us may be using too."""
    return not getattr(_here, "quiet", False)
