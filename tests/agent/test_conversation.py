"""A conversation: follow-ups are asked written out, in one trace, and what was not answered is no turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fake_library import FakeLibrary
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.build import make_agent
from agent.conversation import Conversation
from agent.loop import Agent
from agent.models import Message
from agent.plan import Plan
from agent.settings import Settings
from agent.testing import ScriptedModel
from agent.types import Answered, Event, Rewritten, Searched
from ingest.errors import UserError
from retrieval.workspace import create

FILES = {
    "heron.md": "# Heron\nHeron keeps the letters of the harbour office in `ReedStore`.\n",
    "reed.py": "class ReedStore:\n    KEEP = 42  # days\n",
}
FIRST = "What keeps the letters of the harbour office?"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
    return exporter


def agent(lines: Sequence[str] | None = None) -> Agent:
    return Agent(FakeLibrary(FILES), chat=ScriptedModel(lines) if lines is not None else None)


def ask(talk: Conversation, made: Agent, *questions: str) -> list[Event]:
    events: list[Event] = []
    for question in questions:
        events = list(talk.stream(made, question))
    return events


def test_a_follow_up_is_asked_written_out_and_said_so_first() -> None:
    talk = Conversation()
    events = ask(talk, agent(), "Which class has KEEP?", "Who uses that class?")
    written = "Who uses the class ReedStore?"
    assert events[0] == Rewritten("Who uses that class?", written, "rules")
    assert next(e.query for e in events if isinstance(e, Searched)) == written
    assert [(t.asked, t.question) for t in talk.turns][1] == ("Who uses that class?", written)


def test_a_question_that_stands_alone_is_asked_as_it_is() -> None:
    talk = Conversation()
    events = ask(talk, agent(), FIRST, "What has KEEP?")
    assert not any(isinstance(e, Rewritten) for e in events)
    assert talk.turns[1].question == "What has KEEP?"


NAMELESS = ("For how many days are letters kept?", "Who keeps them?")
SCRIPT = ["42 days [1]", "Who keeps the letters?", "Heron [1]"]


def test_the_agents_model_writes_what_has_no_name() -> None:
    events = ask(Conversation(), agent(SCRIPT), *NAMELESS)
    assert events[0] == Rewritten("Who keeps them?", "Who keeps the letters?", "model")


def test_a_turn_has_its_plan() -> None:
    talk = Conversation()
    ask(talk, agent(), FIRST)
    assert talk.turns[0].plan.startswith("look it up: ")


def test_what_is_forgotten_is_not_referred_to() -> None:
    talk = Conversation()
    ask(talk, agent(), FIRST)
    talk.forget()
    assert talk.turns == ()
    assert not any(isinstance(e, Rewritten) for e in ask(talk, agent(), "Who uses it?"))


def test_a_run_that_was_left_before_its_answer_is_no_turn_and_frees_the_agent() -> None:
    talk, made = Conversation(), agent()
    run = talk.stream(made, FIRST)
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert talk.turns == ()
    assert ask(talk, made, FIRST)


def test_a_follow_up_is_one_trace_with_the_models_rewriting(spans: InMemorySpanExporter) -> None:
    events = ask(Conversation(), agent(SCRIPT), *NAMELESS)
    [answered] = [e for e in events if isinstance(e, Answered)]
    ended = {span.name: span for span in spans.get_finished_spans()}
    turn = ended["follow-up"]
    assert turn.parent is None
    about = dict(turn.attributes or {})
    session = about.pop("session.id")
    assert about == {
        "openinference.span.kind": "CHAIN",
        "input.value": "Who keeps them?",
        "output.value": "Who keeps the letters?",
        "hoplite.rewritten_by": "model",
    }
    assert session == (ended["invoke_agent hoplite"].attributes or {})["session.id"]
    assert f"{turn.context.trace_id:032x}" == answered.answer.trace_id
    below = [
        span.name for span in spans.get_finished_spans() if span.parent and span.parent.span_id == turn.context.span_id
    ]
    assert below == ["chat scripted", "invoke_agent hoplite"]


def test_a_first_question_is_traced_as_any(spans: InMemorySpanExporter) -> None:
    ask(Conversation(), agent(), FIRST)
    assert [span.name for span in spans.get_finished_spans() if span.parent is None] == ["invoke_agent hoplite"]


def test_stopping_gives_the_best_answer_so_far() -> None:
    talk = Conversation()
    run = talk.stream(agent(["Heron [1]"]), FIRST)
    next(run)
    talk.stop()
    [answered] = [e for e in run if isinstance(e, Answered)]
    assert answered.answer.stopped == "stop"
    assert talk.turns[0].answer == answered.answer


def test_stopping_while_the_question_is_rewritten_stops_its_run() -> None:
    talk = Conversation()

    class Stops(ScriptedModel):
        def complete(self, messages: Sequence[Message], **options: object):  # type: ignore[no-untyped-def, override]
            if "rewrite" in messages[0]["content"]:
                talk.stop()
            return super().complete(messages, **options)  # type: ignore[arg-type]

    made = Agent(FakeLibrary(FILES), chat=Stops(SCRIPT[:2]))
    [answered] = [e for e in ask(talk, made, *NAMELESS) if isinstance(e, Answered)]
    assert answered.answer.stopped == "stop"


def test_an_agent_that_fails_leaves_the_conversation_as_it_was() -> None:
    class Fails(Agent):
        def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
            raise UserError("no model")

    talk = Conversation()
    ask(talk, agent(), FIRST)
    with pytest.raises(UserError):
        ask(talk, Fails(FakeLibrary(FILES), chat=None), "Why?")
    assert len(talk.turns) == 1
    assert ask(talk, agent(), "Why?")


def test_a_kept_answer_is_a_turn_too(tmp_path: Path) -> None:
    workspace = create(tmp_path / ".hoplite", tmp_path)
    made = make_agent(FakeLibrary(FILES), Settings(model="none"), workspace=workspace)
    talk = Conversation()
    ask(talk, made, FIRST, FIRST)
    assert [bool(t.answer.cached) for t in talk.turns] == [False, True]
    assert list(talk.stream(made, FIRST, fresh=True))[-1] != list(talk.stream(made, FIRST))[-1]
