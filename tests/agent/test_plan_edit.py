"""Editing a plan: what a typed line changes, what it may not, and how the change is shown."""

from __future__ import annotations

import pytest

from agent.plan import Plan, make_plan
from agent.plan_edit import difference, revised, rewritten
from ingest.errors import UserError

QUESTION = "When did Ada Quill's father die?"


def edited(*lines: str) -> Plan:
    plan = make_plan(QUESTION)
    for line in lines:
        after = revised(plan, line)
        assert after is not None
        plan = after
    return plan


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        (["2: How many children had Ada Quill?"], ["Ada Quill's father", "How many children had Ada Quill?"]),
        (["1. Tom Quill"], ["Tom Quill", "When did [1] die?"]),
        (["-1"], ["When did [1] die?"]),
        (["+ the town of Reed"], ["Ada Quill's father", "When did [1] die?", "the town of Reed"]),
        (["-2", "-1"], []),
    ],
)
def test_a_line_changes_one_sub_question(lines: list[str], texts: list[str]) -> None:
    assert [part.text for part in edited(*lines).parts] == texts


@pytest.mark.parametrize("line", ["Who was Ada Quill?", "3.11 brought what?", "-v is which option?"])
def test_a_line_that_is_no_edit_is_none(line: str) -> None:
    assert revised(make_plan(QUESTION), line) is None


def test_what_did_not_change_keeps_what_it_seeks_and_what_is_new_gets_its_own() -> None:
    plan = edited("2: How many children had Ada Quill?")
    assert [part.sought for part in plan.parts] == ["a name", "a number"]


def test_the_names_that_are_gone_after_are_those_of_the_sub_questions() -> None:
    assert edited("-1", "+ the town of Tom Reeves").names == ("Tom Reeves",)


def test_the_difference_is_to_the_plan_that_was_made_first() -> None:
    plan = edited("2: Where did [1] die?", "2: Where did [1] live?")
    assert difference(plan) == (" Ada Quill's father", "-When did [1] die?", "+Where did [1] live?")


def test_a_plan_that_was_changed_back_is_not_edited() -> None:
    plan = edited("+ more", "-3")
    assert (plan.edited, difference(plan)) == (False, ())


def test_a_list_written_anew_may_be_numbered() -> None:
    plan = rewritten(make_plan(QUESTION), ["1. Tom Quill", "2. When did [1] die?"])
    assert [part.text for part in plan.parts] == ["Tom Quill", "When did [1] die?"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("3: x", "no sub-question 3; there are 1 to 2"),
        ("-0", "no sub-question 0"),
        ("2: ??", "needs words"),
        ("2: [1]", "needs words"),
        ("+ " + "x" * 301, "at most 300 characters; got 301"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(line: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        revised(make_plan(QUESTION), line)


def test_a_sixth_sub_question_is_refused() -> None:
    plan = edited("+ a", "+ b", "+ c")
    with pytest.raises(UserError, match="at most 5"):
        revised(plan, "+ d")
