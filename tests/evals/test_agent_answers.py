"""What the agent did becomes numbers: its steps counted, its sentences held against their quotes, its plan followed."""

from __future__ import annotations

import pytest

from agent.plan import make_plan
from agent.types import Answer, Citation, Step, Usage
from evals.agent_answers import groundedness, plan_followed, run_answer
from evals.types import LONGEST_SHOWN, Cited, Shown
from retrieval.types import Passage

STORE = "The Heron store keeps readings for 45 days."
ASKED = "How many days does the Heron store keep readings?"


def passage(label: str, text: str, path: str = "guide.md") -> Passage:
    return Passage(label, path, "Heron", 1, 3, text, text, ("bm25",), 1.0)


def cited(label: str, quote: str, *, verified: bool = True, judged: bool = False) -> Citation:
    return Citation(label, "guide.md", 1, 1, quote, verified, judged=judged)


def given(text: str, *citations: Citation, **more: object) -> Answer:
    passages = (passage("1", STORE), passage("2", "Egret is a pier."))
    return Answer(ASKED, text, abstained=False, citations=citations, passages=passages, **more)  # type: ignore[arg-type]


def test_a_sentence_is_grounded_where_its_own_quote_says_it() -> None:
    quote = cited("1", STORE)
    assert groundedness(given("45 days [1].", quote)) == 1.0
    # Two of four: one has no label, one a quote that says something else.
    text = "45 days [1]. The store is at Egret [1]. The store keeps readings for 45 days [1]. It was built in 1999."
    assert groundedness(given(text, quote)) == 0.5


@pytest.mark.parametrize(
    "answer",
    [
        given("45 days [1].", cited("1", STORE, verified=False)),
        given("45 days [2].", cited("1", STORE)),
        given("45 days [no source].", cited("1", STORE)),
        given("54 days [1].", cited("1", STORE)),
    ],
)
def test_no_quote_another_passage_s_and_another_number_ground_nothing(answer: Answer) -> None:
    assert groundedness(answer) == 0.0


def test_a_longer_form_must_follow_from_its_quote_unless_a_model_judged_so() -> None:
    text = "## Heron\n\nThe Heron store never keeps readings for 45 days [1]."
    assert groundedness(given(text, cited("1", STORE), form="report")) == 0.0
    assert groundedness(given(text, cited("1", STORE, judged=True), form="report")) == 1.0
    assert groundedness(given(f"## Heron\n\n{STORE[:-1]} [1].", cited("1", STORE), form="report")) == 1.0


def test_abstentions_and_tables_are_not_held_against_quotes() -> None:
    assert groundedness(Answer(ASKED, "The sources do not say.", abstained=True)) is None
    assert groundedness(given("| a | b |", form="table")) is None


def test_a_plan_is_followed_as_far_as_steps_brought_what_covers_its_parts() -> None:
    question = "Which is older, the Heron store or the Egret pier?"
    assert len(make_plan(question).parts) == 2
    heron = passage("1", "The Heron store was opened in 1931 and is older than most.")
    egret = passage("2", "The Egret pier was built in 1950, older than the Heron's.")
    answer = Answer(question, "Heron", abstained=False, passages=(heron, egret))

    def followed(*labels: str) -> float | None:
        step = Step("search", question, labels)
        return plan_followed(Answer(question, "Heron", abstained=False, steps=(step,), passages=answer.passages))

    assert (followed(), followed("1"), followed("1", "2")) == (0.0, 0.5, 1.0)


def test_a_simple_question_has_no_plan_to_follow() -> None:
    assert make_plan("What is Heron?").parts == ()
    assert plan_followed(Answer("What is Heron?", "A store", abstained=False)) is None


def test_a_run_keeps_numbers_places_and_short_texts() -> None:
    steps = (Step("search", "a", ("1",)), Step("search", "b"), Step("code", "x", error="ToolError"))
    long = passage("1", "x" * (LONGEST_SHOWN + 5), "000001.md")
    answer = Answer(
        ASKED, "45 [1]", abstained=False, citations=(Citation("1", "000001.md", 2, 3, "q", True),), steps=steps,
        usage=Usage(calls=2, dollars=None), trace_id="t", passages=(long, passage("2", "y", "000001.md")),
    )  # fmt: skip
    kept = run_answer(answer, {"000001.md": "d7"})
    assert (kept.shown, kept.cited) == (("d7",), ("d7",))
    assert kept.citations == (Cited("1", "d7", 2, 3, "q", True),)
    assert kept.passages[0] == Shown("1", "d7", 1, 3, "x" * LONGEST_SHOWN)
    assert {name: kept.usage[name] for name in ("calls", "steps", "searches", "tool_errors")} == {
        "calls": 2, "steps": 3, "searches": 2, "tool_errors": 1,
    }  # fmt: skip
    assert "dollars" not in kept.usage
