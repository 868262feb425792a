"""What the stored runs say together."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from agent import trace_file
from agent.trace_rollup import DOLLARS, FIRST_TOKEN, TOKENS_IN, TOKENS_OUT, SpanRow
from agent.trace_stats import health, questions, stage_of
from agent.tracing import rate
from ingest.spans import ERROR, INPUT, OPERATION

DAY = 86_400 * 10**9
NOW = time.time_ns()


def run(number: int, *, age: int = 0, status: str = "OK", seconds: float = 1.0, **about: object) -> list[SpanRow]:
    """A run with one search stage of half its time, and a call of a fifth of it."""
    trace_id, begun = f"{number:032x}", NOW - age * DAY - 10**10 + number
    taken = int(seconds * 1e9)
    root = {OPERATION: "invoke_agent", INPUT: f"question {number}", **about}
    chat = {OPERATION: "chat", TOKENS_IN: 100, TOKENS_OUT: 11, DOLLARS: 0.5, FIRST_TOKEN: 0.1 * seconds}

    def span(id_: str, parent: str | None, name: str, nanoseconds: int, attributes: dict[str, object]) -> SpanRow:
        state = status if parent is None else "UNSET"
        return SpanRow(
            trace_id, id_, parent, name, "INTERNAL", "t", begun, begun + nanoseconds, state, "", attributes, []
        )

    return [
        span("a", "c", f"hop {1 + number % 3}", taken // 2, {}),
        span("b", "c", "chat heron", taken // 5, chat),
        span("c", None, "invoke_agent hoplite", taken, root),
    ]


def written(tmp_path: Path, *runs: list[SpanRow]) -> Path:
    file = tmp_path / "traces.sqlite"
    with closing(trace_file.open_for_writing(file)) as connection:
        for spans in runs:
            trace_file.insert(connection, spans)
    return file


def test_questions_outcomes_and_costs_are_counted_without_those_of_evaluations(tmp_path: Path) -> None:
    cited = {"hoplite.abstained": False, "hoplite.citations": 2, "hoplite.citations.unverified": 1}
    file = written(
        tmp_path,
        run(1, **cited),
        run(2, **{**cited, "hoplite.citations.unverified": 0, "hoplite.cached": "2026"}),
        run(3, **{"hoplite.abstained": True, "hoplite.citations": 0, "hoplite.stopped": "seconds"}),
        run(4, status="ERROR", **{ERROR: "ModelUnavailable"}),
        run(5, **{"hoplite.evaluation": "nightly", "session.id": "nightly"}),
        run(6, age=40),
    )
    rate(file, f"{1:032x}", good=True)
    rate(file, f"{3:032x}", good=False)
    rate(file, f"{5:032x}", good=False)
    found = health(file, 30)
    assert (found.questions, sum(found.per_day.values())) == (4, 4)
    assert (found.abstained, found.reused, dict(found.stopped)) == (1, 1, {"seconds": 1})
    assert dict(found.failures) == {"ModelUnavailable": 1}
    assert (found.citations, found.unverified, found.miscited) == (4, 1, 1)
    assert (found.good, found.bad) == (1, 1)
    assert (found.spent.calls, found.spent.input_tokens, found.dollars) == (4, 400, 2.0)
    assert questions(file, 30) == ["question 4", "question 3", "question 2", "question 1"]
    assert questions(file, 30, evaluated=True) == ["question 5"]


def test_latency_has_the_percentiles_of_each_stage_whatever_its_number(tmp_path: Path) -> None:
    file = written(tmp_path, *(run(n, seconds=n / 100) for n in range(1, 101)))
    found = health(file, 30)
    stages = {each.stage: each for each in found.stages}
    assert [each.stage for each in found.stages] == ["invoke_agent", "hop", "chat"]
    assert (stages["invoke_agent"].count, round(stages["invoke_agent"].median, 3)) == (100, 0.505)
    assert (round(stages["hop"].p95, 3), round(stages["hop"].p99, 3)) == (0.475, 0.495)
    assert found.first_token is not None
    assert round(found.first_token, 4) == 0.0505
    assert found.token is not None
    assert round(found.token, 5) == 0.00505


def test_nothing_stored_is_no_error(tmp_path: Path) -> None:
    found = health(written(tmp_path), 30)
    assert (found.questions, found.stages, found.first_token, found.dollars) == (0, (), None, 0.0)


def test_a_span_is_of_one_stage_whatever_its_number_or_model() -> None:
    names = ("hop 2", "step 11", "chat openai/heron-1", "execute_tool search", "search.bm25", "embeddings static 2")
    assert [*map(stage_of, names)] == ["hop", "step", "chat", "execute_tool search", "search.bm25", "embeddings"]
