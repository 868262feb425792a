"""Comparing two things: what is read out of a draft, what it is compared by, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.comparison import Comparison, Decided, comparison_of, decide, own_answer, readings
from agent.units import Unit, units
from ingest.names import prose_name
from retrieval.types import Passage

SOURCES = {
    "Heron": "Heron is a kettle of 1984, designed by Ada Marsh. It holds 1,250 ml.",
    "Egret": "Egret is a kettle by Ben Reed, first sold on 3 May 1979. It holds 2 litres.",
    "Bittern": "Bittern is a kettle by Cleo Fenn. It holds 900 ml.",
    "Ada Marsh": "Ada Marsh (2 July 1931, in Leith – 9 June 1990) was a Scottish designer.",
    "Ben Reed": "Ben Reed was a Welsh designer. He was born in Barry on March 4, 1928 and died in May 2001.",
}


def passages() -> list[Passage]:
    return [
        Passage(str(n), f"{title}.md", title, 1, 1, text, text, (), 1.0, names=(prose_name(title),))
        for n, (title, text) in enumerate(SOURCES.items(), start=1)
    ]


def decided(question: str, draft: str, shown: Sequence[Passage] | None = None) -> Decided | None:
    quotable = [unit for passage in shown or passages() for unit in units(passage, "prose")]

    def about(name: str) -> list[Unit]:
        return [unit for unit in quotable if prose_name(name) in unit.passage.names]

    pair = readings(question, draft)
    return decide(question, pair, quotable, about) if pair else None


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who was born first, Ada or Ben?", Comparison("birth", most=False)),
        ("Which kettle's designer is younger, Ada or Ben?", Comparison("birth", most=True)),
        ("Who died later, Ada or Ben?", Comparison("death", most=True)),
        ("Who lived longer, Ada or Ben?", Comparison("life", most=True)),
        ("Which came out more recently, Ada or Ben?", Comparison("date", most=True)),
        ("Which is taller, Ada or Ben?", Comparison("number", most=True)),
        ("Which has fewer keys, Ada or Ben?", Comparison("number", most=False)),
        ("Do Ada and Ben share a nationality?", Comparison("same")),
        ("Which do people prefer, Ada or Ben?", None),
        ("Which came first and which last, Ada or Ben?", None),
    ],
)
def test_what_is_compared_is_read_off_the_question(question: str, expected: Comparison | None) -> None:
    assert comparison_of(question, ("Ada", "Ben")) == expected


def test_a_word_inside_a_name_does_not_say_how_to_compare() -> None:
    assert comparison_of("Which is longer, Last Stand or Ben?", ("Last Stand", "Ben")) == Comparison(
        "number", most=True
    )


def test_each_side_may_hold_a_colon_or_a_comma_and_is_spelled_as_the_question_spells_it() -> None:
    question = "Which came first, Heron: The Return, or That Egret, Bateese?"
    pair = readings(question, "heron: the return: 1984 [1]\nThat Egret, Bateese: 1979 [2]\nAnswer: x")
    assert pair is not None
    assert [(r.side, r.said, r.labels) for r in pair] == [
        ("Heron: The Return", "1984", ("1",)),
        ("That Egret, Bateese", "1979", ("2",)),
    ]


@pytest.mark.parametrize(
    "draft",
    ["Heron: 1984 [1]", "Heron: 1984 [1]\nHeron: 1985 [2]", "Heron: 1984\nOsprey: 1979", "The sources do not say.", ""],
)
def test_a_draft_that_does_not_have_both_sides_is_not_compared(draft: str) -> None:
    assert readings("Which came first, Heron or Egret?", draft) is None


def test_the_earlier_side_wins_whichever_the_model_named() -> None:
    draft = "Heron: 1984 [1]\nEgret: 3 May 1979 [2]\nAnswer: Heron"
    found = decided("Which kettle came out first, Heron or Egret?", draft)
    assert found is not None
    assert found.answer == "Egret"
    assert {quote.passage.label for quote in found.quotes} >= {"1", "2"}
    later = decided("Which kettle came out later, Heron or Egret?", draft)
    assert later is not None
    assert later.answer == "Heron"


def test_a_birth_is_read_where_the_sources_tell_of_the_person_that_the_model_named() -> None:
    draft = "Heron: Ada Marsh [1]\nEgret: Ben Reed [2], died 2001 [5]\nAnswer: Heron"
    found = decided("Which kettle's designer was born first, Heron or Egret?", draft)
    assert found is not None
    assert found.answer == "Egret"
    assert found.line == "Heron: Ada Marsh, 2 July 1931; Egret: Ben Reed, March 4, 1928"
    assert {quote.passage.label for quote in found.quotes} == {"1", "2", "4", "5"}


def test_deaths_and_lives_are_compared() -> None:
    draft = "Ada Marsh: 9 June 1990 [4]\nBen Reed: May 2001 [5]\nAnswer: Ada Marsh"
    found = decided("Who died later, Ada Marsh or Ben Reed?", draft)
    assert found is not None
    assert found.answer == "Ben Reed"
    lives = [
        Passage(str(n), f"{name}.md", name, 1, 1, text, text, (), 1.0, names=(prose_name(name),))
        for n, (name, text) in enumerate(
            {
                "Ada Marsh": "Ada Marsh (2 July 1931 – 9 June 1990) drew kettles.",
                "Cleo Fenn": "Cleo Fenn (1950 – 1 May 1999) drew pans.",
            }.items(),
            start=1,
        )
    ]
    found = decided("Who lived longer, Cleo Fenn or Ada Marsh?", "Cleo Fenn: 1999 [2]\nAda Marsh: 1990 [1]", lives)
    assert found is not None
    assert found.answer == "Ada Marsh"


def test_numbers_are_compared_in_one_unit_only() -> None:
    question = "Which kettle holds more, {} or {}?"
    same = decided(question.format("Heron", "Bittern"), "Heron: 1,250 ml [1]\nBittern: 900 ml [3]\nAnswer: Bittern")
    assert same is not None
    assert same.answer == "Heron"
    assert decided(question.format("Heron", "Egret"), "Heron: 1,250 ml [1]\nEgret: 2 litres [2]") is None


@pytest.mark.parametrize(("second", "answer"), [("Ada Marsh: Scottish [4]\nBen Reed: Welsh [5]", "no"), ("", None)])
def test_whether_two_are_the_same_is_told_by_their_words(second: str, answer: str | None) -> None:
    found = decided("Are Ada Marsh and Ben Reed of the same nationality?", second)
    assert (found.answer if found else None) == answer


def test_what_the_sources_do_not_bear_out_is_not_compared() -> None:
    question = "Which kettle came out first, Heron or Egret?"
    assert decided(question, "Heron: 1884 [1]\nEgret: 1979 [2]\nAnswer: Heron") is None


def test_equal_dates_and_a_year_without_its_day_decide_nothing() -> None:
    one = Passage("1", "a.md", "A", 1, 1, "Heron came out in 1984.", "Heron came out in 1984.", (), 1.0)
    two = Passage("2", "b.md", "B", 1, 1, "Egret came out in May 1984.", "Egret came out in May 1984.", (), 1.0)
    draft = "Heron: 1984 [1]\nEgret: May 1984 [2]"
    assert decided("Which came out first, Heron or Egret?", draft, [one, two]) is None


def test_the_models_own_answer_is_its_last_line() -> None:
    assert own_answer("Heron: 1984 [1]\nEgret: 1979 [2]\nAnswer: Egret") == "Egret"
    assert own_answer("Heron: 1984 [1]") == ""
