"""A conversation: questions one after the other, each asked with what it refers to in those before written out."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import Protocol, cast
from uuid import uuid4

from opentelemetry import trace

from agent.budget import Budget, MeteredChat
from agent.follow_up import Standalone, Turn, by_rules, standalone
from agent.models import ChatModel
from agent.plan import Plan
from agent.trace_session import session
from agent.types import Answered, Event, Planned, Rewritten
from ingest import spans

_REWRITE_SECONDS = 20.0  # a model on this machine loads first, once
_MOST_TURNS = 100  # that are kept


class Asked(Protocol):
    """What a conversation needs of an agent. It may be another one at every question."""

    @property
    def chat(self) -> ChatModel | None:
        """The model that answers, which rewrites follow-ups too."""
        ...

    def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
        """Answer a question, event by event."""
        ...

    def stop(self) -> None:
        """End the run with the best answer so far; from any thread."""
        ...


class Conversation:
    """The turns so far, and the question under way. One question at a time; `stop` may be called from any thread."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        self._session = uuid4().hex
        self._under_way: tuple[Budget, Asked] | None = None

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The questions that were answered, in order."""
        return tuple(self._turns)

    def forget(self) -> None:
        """Begin anew."""
        self._turns.clear()
        self._session = uuid4().hex

    def restore(self, turns: Sequence[Turn]) -> None:
        """Go on with a conversation that was kept, in a session of its own for its traces."""
        self._turns = list(turns[-_MOST_TURNS:])
        self._session = uuid4().hex

    def stream(
        self, agent: Asked, question: str, plan: Plan | None = None, *, fresh: bool = False, after: int | None = None
    ) -> Iterator[Event]:
        """Yield what happens, as `Agent.stream` does; before it `Rewritten`, where the question was. Raises the same.

        With a plan, which a person has seen, the question is asked as it is. It comes after the first `after` turns,
        where that is said: once there is an answer, it takes the place of those behind them.

        A follow-up is one trace: the rewriting, with the model's call, and the run.
        """
        budget = Budget(_REWRITE_SECONDS)
        self._under_way = (budget, agent)
        span = None
        before = self._turns[:after]
        if plan is None and before and by_rules(question, before[-1]) is not None:
            about = {spans.KIND: "CHAIN", spans.INPUT: question, "session.id": self._session}
            span = trace.get_tracer("hoplite.agent").start_span("follow-up", attributes=about)
        try:
            with trace.use_span(span) if span else nullcontext():
                written = Standalone(question, "asked") if plan else self._written(agent, question, before, budget)
            if span and written.by != "asked":
                span.set_attributes({spans.OUTPUT: written.question, "hoplite.rewritten_by": written.by})
                yield Rewritten(question, written.question, written.by)
            with closing(cast("Generator[Event]", agent.stream(written.question, plan, fresh=fresh))) as events:
                yield from self._told(question, written.question, before, events, span, budget)
        finally:
            self._under_way = None
            if span:
                span.end()

    def stop(self) -> None:
        """End the run under way, if there is one: it still gives the best cited answer so far."""
        if (under_way := self._under_way) is not None:
            budget, agent = under_way
            budget.stop()
            agent.stop()

    def standalone(self, agent: Asked, question: str, *, after: int | None = None) -> Standalone:
        """Return the question with what it refers to in the turns so far, or the first `after`, written out."""
        return self._written(agent, question, self._turns[:after], Budget(_REWRITE_SECONDS))

    def _written(self, agent: Asked, question: str, before: Sequence[Turn], budget: Budget) -> Standalone:
        return standalone(question, before, MeteredChat(agent.chat, budget) if agent.chat else None)

    def _told(
        self,
        asked: str,
        question: str,
        before: Sequence[Turn],
        events: Generator[Event],
        span: trace.Span | None,
        budget: Budget,
    ) -> Iterator[Event]:
        """Pass the run's events on, and note the turn with its answer."""
        plan = ""
        while True:
            # The run finds its parent here. Not across a yield: see `Stage.current`.
            with session(self._session), trace.use_span(span) if span else nullcontext():
                event = next(events, None)
            if event is None:
                return
            if budget.spent == "stop" and self._under_way is not None:
                self._under_way[1].stop()  # asked before the run had begun
            if isinstance(event, Planned):
                plan = event.line
            elif isinstance(event, Answered):
                self._turns = [*before, Turn(asked, question, plan, event.answer)][-_MOST_TURNS:]
            yield event
