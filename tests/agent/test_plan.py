"""The plan: names, parts and the kind of question, by rules."""

from __future__ import annotations

import pytest

from agent.plan import MOST_PARTS, make_plan, owes_a_number


@pytest.mark.parametrize(
    ("question", "kind", "names"),
    [
        ("Which band was formed first, The Exies or Circus Diablo?", "comparison", {"The Exies", "Circus Diablo"}),
        ("Are Ada Quill and Tom Reeves both film directors?", "comparison", {"Ada Quill", "Tom Reeves"}),
        ("What does `load_settings()` return?", "simple", {"load_settings"}),
        ("For how many days does the store that Heron uses keep files?", "chain", {"Heron"}),
        ('Who wrote "Wonderland by Night"?', "simple", {"Wonderland by Night"}),
        ("what is the default time-out?", "simple", set()),
    ],
)
def test_kind_and_names(question: str, kind: str, names: set[str]) -> None:
    plan = make_plan(question)
    assert plan.kind == kind
    assert {n.removeprefix("The ") for n in plan.names} == {n.removeprefix("The ") for n in names}


def test_the_line_says_what_is_looked_for() -> None:
    assert make_plan("How many days is the retention of Heron?").line == "look it up: Heron → days retention"


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("What is the default time-out of Heron?", []),
        (
            "Where was the director of film Reed House born?",
            ["the director of film Reed House (a name)", "Where was [1] born? (a place)"],
        ),
        (
            "When did Ada Quill's father die?",
            ["Ada Quill's father (a name)", "When did [1] die? (a date)"],
        ),
        (
            "Which band was formed first, The Exies or Circus Diablo?",
            ["Exies: band formed (a date)", "Circus Diablo: band formed (a date)"],
        ),
        (
            "Heron names a store. For how many days does that store keep files?",
            [
                "Heron names a store. (a passage that says it)",
                "For how many days does that store keep files? (a number)",
            ],
        ),
        (
            "For how many days does the store that Heron uses keep files?",
            ["the store that Heron uses (a name)", "For how many days does [1] keep files? (a number)"],
        ),
        (
            "When was Reed House built in the city where Ada Quill died?",
            ["the city where Ada Quill died (a name)", "When was Reed House built in [1]? (a date)"],
        ),
        (
            "When did the state whose capital is Reed, and the Swedish artist Ada Quill lived, join the union?",
            [
                "the state whose capital is Reed (a name)",
                "When did [1], and the Swedish artist Ada Quill lived, join the union? (a date)",
            ],
        ),
    ],
)
def test_sub_questions_say_what_would_answer_them_and_a_simple_question_has_none(
    question: str, parts: list[str]
) -> None:
    assert [part.line for part in make_plan(question).parts] == parts


def test_a_plan_has_at_most_five_sub_questions() -> None:
    question = "Which stores that Heron, `Egret`, `StoreA`, `StoreB`, `StoreC` and `StoreD` name keep the most files?"
    assert len(make_plan(question).parts) == MOST_PARTS


@pytest.mark.parametrize(
    ("asked", "said", "owed"),
    [
        ("How many days are letters kept?", "KEEP_DAYS", True),
        ("The page says which constant. After how many seconds is a call given up?", "CALL_SECONDS", True),
        ("In what year was the director born?", "Anna Reed", True),
        ("How many days are letters kept?", "forty", False),
        ("How many days are letters kept?", "HTTP2_DAYS", True),
        ("How many days are letters kept?", "42 days", False),
        ("When does the council meet?", "Tuesday", False),
        ("When does the council meet?", "the Town Hall", True),
        ("What sets for how long letters are kept?", "KEEP_DAYS", False),
        ("Who was there when the bridge fell?", "Anna Reed", False),
    ],
)
def test_a_number_is_owed_where_one_is_asked_for_and_none_was_said(asked: str, said: str, owed: bool) -> None:
    assert owes_a_number(asked, said) is owed
