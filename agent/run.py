"""One run: what it holds while it is under way, and its stages, each timed and traced under one root."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from opentelemetry import trace

from agent.budget import Budget, MeteredChat
from agent.citations import changed
from agent.guard import Marker
from agent.ledger import Ledger
from agent.memory import Memory, Recollection, recollect
from agent.plan import Plan, make_plan
from agent.plan_edit import difference
from agent.roles import Roles
from agent.tools import Toolbox
from agent.trace_session import session_attributes
from agent.types import Answer, Form, Library, Note, Sent, Step
from ingest import spans
from ingest.errors import UserError
from ingest.types import Document, Kind
from retrieval.types import Hit, Passage

_TRACER = "hoplite.agent"


class Run:
    """The state of one question. Its root span is open until `end`."""

    def __init__(
        self,
        question: str,
        plan: Plan | None,
        budget: Budget,
        chats: Roles[MeteredChat],
        library: Library,
        memory: Memory | None = None,
        *,
        form: Form = "short",
        asked: str = "",
    ) -> None:
        self.question = question  # what is looked for: `asked` without the words that only ask for a form
        self.asked = asked or question
        self.form = form
        self.budget = budget
        self.chats = chats
        self.library = library
        self.marker = Marker()
        self.ledger = Ledger()
        self.memory = memory  # until it turns out that it cannot be used
        self.notes: tuple[Note, ...] = ()
        self.toolbox = Toolbox(library, self.ledger, self.marker, self.recall)
        self.asked_before = False  # the first of them is on the same question
        self.remembered: tuple[str, ...] = ()  # labels of what they cite, once that was opened
        self.steps: list[Step] = []
        self.found: tuple[Hit, ...] = ()  # by the search for the question itself: where leads start
        self.leads_followed = False
        self.answered_from: set[str] = set()  # labels that a draft was written from
        self.timings: dict[str, float] = {}
        self._documents: dict[str, Document | None] = {}
        self._span = trace.get_tracer(_TRACER).start_span("invoke_agent hoplite", attributes=self._about())
        with self.stage("plan") as span:
            self.plan = plan or make_plan(question)
            span.set_attribute(spans.OUTPUT, "\n".join((self.plan.line, *(part.line for part in self.plan.parts))))
            if changes := difference(self.plan):
                span.set_attribute("hoplite.plan.changes", "\n".join(changes))

    def _about(self) -> dict[str, str]:
        return {
            spans.KIND: "AGENT",
            spans.OPERATION: "invoke_agent",
            "gen_ai.agent.name": "hoplite",
            spans.INPUT: self.asked,
            "hoplite.form": self.form,
            **session_attributes(),
        }

    def recall(self, question: str) -> Recollection:
        """Return notes of earlier runs on a question, looked at again. A memory that cannot be used is left alone for
        the rest of the run, and `problem` says why once."""
        if self.memory is None:
            return Recollection(())
        try:
            found = recollect(self.memory, question, self.document)
        except UserError as error:
            self.memory = None
            return Recollection((), problem=str(error))
        return found

    @property
    def trace_id(self) -> str:
        """The run's trace, 32 hexadecimal digits; all zeros where nothing is traced."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def chat(self) -> MeteredChat | None:
        """The model that writes the answer; None answers without one."""
        return self.chats.answer

    def note(self, name: str, value: str) -> None:
        """Set an attribute of the root span."""
        self._span.set_attribute(name, value)

    def note_sent(self, sent: Sent | None) -> None:
        """Say on the root span where text went and how many values of each kind were masked in it, never which."""
        if sent is not None:
            self._span.set_attributes({"hoplite.sent.to": sent.to, "hoplite.mask": sent.mask})
            self._span.set_attributes({f"hoplite.masked.{kind}": count for kind, count in sent.masked.items()})

    def answered(self, answer: Answer) -> None:
        """Note on the root span what came of the run."""
        self._span.set_attributes(
            {
                spans.OUTPUT: answer.answer,
                "hoplite.abstained": answer.abstained,
                "hoplite.citations": len(answer.citations),
                "hoplite.citations.unverified": sum(not cited.verified for cited in answer.citations),
            }
        )

    def failed(self, error: BaseException) -> None:
        """Note on the root span why there is no answer. A reader that left early is no failure."""
        if not isinstance(error, GeneratorExit):
            self._span.set_attribute(spans.ERROR, type(error).__name__)
            self._span.set_status(trace.StatusCode.ERROR, str(error))

    def end(self) -> None:
        """Close the root span."""
        self._span.set_attribute("hoplite.stopped", self.budget.ended_by or "")
        self._span.end()

    def open(self, name: str, *, kind: str = "CHAIN", shown: str = "") -> Stage:
        """Begin a stage that its caller closes: for one that yields to a reader before it is over.

        `kind` is its span's, among OpenInference's, and `shown` its name, where that is not the stage's.
        """
        context = trace.set_span_in_context(self._span)
        span = trace.get_tracer(_TRACER).start_span(shown or name, context=context, attributes={spans.KIND: kind})
        return Stage(name, span, self.timings)

    @contextmanager
    def stage(self, name: str, *, kind: str = "CHAIN", shown: str = "") -> Iterator[trace.Span]:
        """Run a stage under the root. Nothing may be yielded to a reader inside it: see `Stage.current`."""
        stage = self.open(name, kind=kind, shown=shown)
        try:
            with stage.current():
                yield stage.span
        finally:
            stage.close()

    def document(self, path: str) -> Document | None:
        """Return a file as it is now, loaded once a run."""
        if path not in self._documents:
            self._documents[path] = self.library.resolve(path)
        return self._documents[path]

    def changed(self, path: str) -> bool:
        """Return whether a file is not as it was indexed any more."""
        return changed(self.document(path), self.library.digest(path))

    def kind(self, path: str) -> Kind:
        """Return whether a file is code, as its loader has it."""
        document = self.document(path)
        return document.kind if document else "prose"

    def shown(self, labels: Iterator[str] | tuple[str, ...]) -> tuple[Passage, ...]:
        """Return the passages under these labels."""
        return tuple(p for label in labels if (p := self.ledger.get(label)) is not None)


@dataclass(slots=True)
class Stage:
    """A span with a clock. Its seconds are added to the run's timings under its name."""

    name: str
    span: trace.Span
    _timings: dict[str, float]
    _began: float = field(default_factory=time.perf_counter)

    def current(self) -> AbstractContextManager[trace.Span]:
        """Make the span the parent of what opens inside.

        Not across a yield: a stream may be read from another thread each time, and a context entered in one cannot be
        left in another.
        """
        return trace.use_span(self.span)

    def close(self) -> None:
        """End the span."""
        self._timings[self.name] = self._timings.get(self.name, 0.0) + time.perf_counter() - self._began
        self.span.end()
