"""Every run is one tree of spans, complete, with what the conventions want on each span."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from agent.answer_cache import AnswerCache
from agent.conversation import Conversation
from agent.executor import SandboxExecutor
from agent.loop import Agent
from agent.memory import Memory
from agent.models import Completion, Message
from agent.testing import ScriptedModel
from agent.trace_rollup import SpanRow
from agent.tracing import TraceSummary, start_tracing, trace, traces
from agent.types import Answer, Answered, AnswerToken, Event, Limits
from evals.datasets import Question
from evals.runner import run as evaluate
from evals.types import RunAnswer
from ingest.errors import ModelUnavailable, UserError
from ingest.spans import KIND, is_content
from retrieval.indexing import index
from retrieval.library import Library
from retrieval.workspace import find
from tests.ui import station

EASY = "How many days are readings kept?"
CHAIN = "After how many days does the function that the guide names delete readings at Egret's pier?"
ANSWER = "Readings older than HERON_RETENTION days are deleted every night [1]"
STEP = "```python\nsymbols('HERON_RETENTION')\nread('src/store.py')\n```"
PARALLEL = "```python\nsearch(['heron retention', 'sweep readings', 'nightly deletion'])\nlist_files('*')\n```"
BROKEN = "```python\nread('nowhere.md')\n```"
KINDS = {"AGENT", "CHAIN", "LLM", "TOOL", "RETRIEVER", "RERANKER", "EMBEDDING", "EVALUATOR"}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    station.without_weights(monkeypatch)
    folder = station.write(tmp_path / "station")
    index([folder], workers=1)
    with Library(find(folder)) as opened:
        yield opened


def made(library: Library, *script: str, max_steps: int = 0, **more: object) -> Agent:
    """An agent whose model speaks these lines, with the real sandbox."""
    limits = Limits(max_steps=max_steps, judge=bool(more.pop("judge", False)))
    model = ScriptedModel([*script, *["The sources do not say."] * 20]) if script else None
    return Agent(library, chat=model, executor=SandboxExecutor, limits=limits, **more)  # type: ignore[arg-type]


class Unreachable:
    """A model that is not there."""

    name = "openai/unreachable"
    price = None

    def complete(self, messages: Sequence[Message], **options: object) -> Completion:
        raise ModelUnavailable("The model openai/unreachable did not answer.")


def read_from_threads(events: Iterator[Event]) -> None:
    """Read a stream from another thread each time, as a web server may."""
    more = True

    def one() -> None:
        nonlocal more
        more = next(events, None) is not None

    while more:
        thread = threading.Thread(target=one)
        thread.start()
        thread.join()


def stopped_at_the_first_piece(agent: Agent) -> None:
    for event in agent.stream(EASY):
        if isinstance(event, AnswerToken):
            agent.stop()


def left_early(agent: Agent) -> None:
    with closing(agent.stream(EASY)) as events:  # type: ignore[type-var]
        next(events)


def unanswered(agent: Agent) -> None:
    with suppress(UserError):
        agent.ask(EASY)


def in_parallel(runs: Sequence[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(runs)) as pool:
        for future in [pool.submit(run) for run in runs]:
            future.result()


def twenty(library: Library, tmp_path: Path) -> None:
    """Twenty runs, as varied as they come: four at a time, five times."""
    memory = Memory(tmp_path / "memory.sqlite")
    kept = AnswerCache(tmp_path / "answers.sqlite", lambda: {"index": "1"})
    talk = Conversation()
    rounds: list[list[Callable[[], object]]] = [
        [
            lambda: made(library).ask(EASY),
            lambda: made(library, ANSWER).ask(EASY),
            lambda: made(library, ANSWER, memory=memory).ask(EASY),
            lambda: made(library, ANSWER, answers=kept).ask(EASY),
        ],
        [
            lambda: made(library, STEP, ANSWER, max_steps=1).ask(CHAIN),
            lambda: made(library, PARALLEL, STEP, ANSWER, max_steps=2).ask(CHAIN),
            lambda: made(library, BROKEN, "no code", ANSWER, max_steps=2).ask(CHAIN),
            lambda: made(library, ANSWER, answers=kept).ask(EASY),
        ],
        [
            lambda: read_from_threads(made(library, STEP, ANSWER, max_steps=1).stream(CHAIN)),
            lambda: read_from_threads(made(library, PARALLEL, ANSWER, max_steps=1).stream(CHAIN)),
            lambda: stopped_at_the_first_piece(made(library, ANSWER)),
            lambda: left_early(made(library, ANSWER)),
        ],
        [
            lambda: made(library, *[ANSWER] * 4, judge=True).ask("Write a report on how readings are kept."),
            lambda: made(library, *[ANSWER] * 4).ask("As a table: how long are readings kept, and by which name?"),
            lambda: unanswered(Agent(library, chat=Unreachable())),
            lambda: made(library, ANSWER, memory=memory).ask(EASY),
        ],
        [
            lambda: [list(talk.stream(made(library, ANSWER), asked)) for asked in (EASY, "And who deletes them?")],
            lambda: made(library, "The sources do not say.", "They do not say.").ask("Who is Egret?"),
            lambda: made(library, PARALLEL, PARALLEL, ANSWER, max_steps=2).ask(CHAIN),
        ],
    ]
    for runs in rounds:
        in_parallel(runs)


def test_each_of_twenty_varied_runs_has_one_root_and_no_orphan(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "traces.sqlite"
    tracing = start_tracing(file)
    twenty(library, tmp_path)
    tracing.close()
    found = traces(file, limit=100)
    assert len(found) == 20
    for summary in found:
        spans = [record.span for record in trace(file, summary.id)]
        known = {span.span_id for span in spans}
        assert [span.name for span in spans if span.parent_id is None] == [summary.name]
        assert [span.name for span in spans if span.parent_id and span.parent_id not in known] == []
        assert summary.name in ("invoke_agent hoplite", "follow-up")
        assert {str(span.attributes.get(KIND)) for span in spans} <= KINDS
        assert summary.spans == len(spans)
        assert_calls_lie_in_their_parents(spans)
    assert_all_stages_are_there(file, found)


def assert_calls_lie_in_their_parents(spans: Sequence[SpanRow]) -> None:
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        if span.parent_id:
            parent = by_id[span.parent_id]
            assert parent.start_ns <= span.start_ns <= span.end_ns


def assert_all_stages_are_there(file: Path, found: Sequence[TraceSummary]) -> None:
    spans = [record.span for summary in found for record in trace(file, summary.id)]
    parents = {span.span_id: span.name for span in spans}
    inside: dict[str, set[str]] = {}
    for span in spans:
        inside.setdefault(parents.get(span.parent_id or "", ""), set()).add(span.name)
    assert inside["invoke_agent hoplite"] >= {
        "recall", "plan", "search", "leads", "step 1", "step 2", "answer", "verify", "judge", "remember",
    }  # fmt: skip
    assert inside["search"] == {"retrieval", "passages"}
    assert inside["retrieval"] >= {"search.bm25", "search.dense", "search.fused", "search.hops"}
    assert inside["search.hops"] >= {"hop 1", "hop 2", "hop 3"}
    assert inside["step 1"] >= {"chat scripted", "execute_tool symbols", "execute_tool read", "searches"}
    assert inside["searches"] == {"execute_tool search", "retrieval", "passages"}
    assert inside["verify"] == {"verify citation"}
    assert inside["answer"] >= {"chat scripted"}
    assert inside["judge"] == {"chat scripted"}


def test_a_run_tells_what_came_of_it_and_a_failed_one_why(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "traces.sqlite"
    tracing = start_tracing(file)
    answer = made(library, ANSWER).ask(EASY)
    unanswered(Agent(library, chat=Unreachable()))
    tracing.close()
    failed, right = traces(file)
    assert (right.question, right.abstained, right.error) == (EASY, False, None)
    assert (right.spent.calls, right.spent.input_tokens) == (answer.usage.calls, answer.usage.input_tokens)
    assert (right.dollars, answer.usage.dollars) == (0.0, 0.0)
    assert (failed.abstained, failed.error) == (None, "The model openai/unreachable did not answer.")
    root = trace(file, right.id)[0].span
    assert root.attributes["output.value"] == answer.answer
    assert trace(file, failed.id)[0].span.attributes["error.type"] == "ModelUnavailable"


def test_what_a_model_was_told_and_said_stands_on_its_span_with_its_times(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "traces.sqlite"
    tracing = start_tracing(file)
    answer = made(library, ANSWER).ask(EASY)
    tracing.close()
    (summary,) = traces(file)
    (call,) = [record.span.attributes for record in trace(file, summary.id) if record.span.name == "chat scripted"]
    assert EASY in str(call["gen_ai.input.messages"])
    assert ANSWER in str(call["gen_ai.output.messages"])
    first, each = (float(str(call[name])) for name in ("gen_ai.response.time_to_first_chunk", "hoplite.token_seconds"))
    assert 0 < first <= answer.usage.seconds
    assert each >= 0
    assert answer.usage.first_token_seconds == pytest.approx(first)
    passages = next(record.span for record in trace(file, summary.id) if record.span.name == "passages")
    assert "HERON_RETENTION" in str(passages.attributes["retrieval.documents.0.document.content"])


def test_all_text_of_the_question_the_answer_and_the_files_counts_as_content(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "traces.sqlite"
    tracing = start_tracing(file)
    twenty(library, tmp_path)
    tracing.close()
    for summary in traces(file, limit=100):
        for record in trace(file, summary.id):
            plain = {k: v for k, v in record.span.attributes.items() if not is_content(k, v)}
            assert not [v for v in map(str, plain.values()) if "HERON" in v or "readings" in v or "guide.md" in v]


def test_the_questions_of_an_evaluation_are_its_session(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "traces.sqlite"
    tracing = start_tracing(file)

    def answer(question: Question) -> RunAnswer:
        given: Answer = made(library, ANSWER).ask(question.question)
        return RunAnswer(given.answer)

    evaluate([Question(str(n), EASY, ("45",), (), "") for n in range(2)], answer, tmp_path / "nightly", fingerprint={})
    made(library, ANSWER).ask(EASY)
    tracing.close()
    assert [(s.session, s.evaluation) for s in traces(file)] == [(None, None), *[("nightly", "nightly")] * 2]


def test_the_turns_of_a_conversation_are_one_session_until_it_begins_anew(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "traces.sqlite"
    tracing = start_tracing(file)
    talk = Conversation()
    for asked in (EASY, "And who deletes them?"):
        assert any(isinstance(event, Answered) for event in talk.stream(made(library, ANSWER), asked))
    talk.forget()
    list(talk.stream(made(library, ANSWER), EASY))
    tracing.close()
    names = [summary.session for summary in reversed(traces(file))]
    assert [a == b for a, b in pairwise(names)] == [True, False]
    assert None not in names
