"""One run: what it holds while it is under way, and its stages, each timed and traced under one root."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry import trace

from agent.budget import Budget, MeteredChat
from agent.guard import Marker
from agent.ledger import Ledger
from agent.plan import Plan
from agent.tools import Toolbox
from agent.types import Library, Note, Step

_TRACER = "hoplite.agent"


@dataclass(slots=True)
class Run:
    """The state of one question. `span` is the root of its trace."""

    question: str
    plan: Plan
    budget: Budget
    chat: MeteredChat | None
    library: Library
    span: trace.Span
    marker: Marker = field(default_factory=Marker)
    ledger: Ledger = field(default_factory=Ledger)
    notes: tuple[Note, ...] = ()
    steps: list[Step] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    stopped: str | None = None
    toolbox: Toolbox = field(init=False)

    def __post_init__(self) -> None:
        self.toolbox = Toolbox(self.library, self.ledger, self.marker)

    @contextmanager
    def stage(self, name: str) -> Iterator[trace.Span]:
        """Open a span under the root and add its seconds to the timings.

        Nothing may be yielded to a reader inside it: a stream can be read from another thread each time, and a context
        entered in one cannot be left in the next.
        """
        began = time.perf_counter()
        tracer = trace.get_tracer(_TRACER)
        try:
            with tracer.start_as_current_span(name, context=trace.set_span_in_context(self.span)) as span:
                yield span
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - began

    @property
    def trace_id(self) -> str:
        """The run's trace, 32 hexadecimal digits; all zeros where nothing is traced."""
        return trace.format_trace_id(self.span.get_span_context().trace_id)


def open_span(question: str) -> trace.Span:
    """Return the root span of a run, to be ended by whoever opened it."""
    return trace.get_tracer(_TRACER).start_span("ask", attributes={"hoplite.question": question})
