"""Reflection: what the evidence covers, what it lacks, and which new names it brings."""

from __future__ import annotations

from fake_library import passage

from agent.plan import make_plan
from agent.plan_edit import rewritten
from agent.reflect import Reflection, reflect, unheard

QUESTION = "For how many days does the store of Heron keep letters?"


def seen(question: str, *texts: str) -> Reflection:
    return reflect(question, make_plan(question), [passage(str(i), t, f"{i}.x") for i, t in enumerate(texts, 1)])


def test_evidence_that_covers_names_and_words_is_enough() -> None:
    reflection = seen(QUESTION, "Heron stores letters; they are kept for 42 days.")
    assert reflection.enough
    assert reflection.line.startswith("known: Heron, days, store, letters")


def test_a_name_that_no_passage_holds_is_lacking_however_many_words_are_covered() -> None:
    reflection = seen(QUESTION, "Egret stores letters; it keeps them for 42 days.")
    assert reflection.lacking_names == ("Heron",)
    assert not reflection.enough


def test_a_name_must_stand_in_one_passage() -> None:
    reflection = seen("Who is Ada Quill?", "Ada Lovelace wrote.", "A quill is a feather.")
    assert reflection.lacking_names == ("Ada Quill",)


def test_two_names_that_are_joined_may_stand_in_a_passage_each() -> None:
    reflection = seen("What do Heron and Egret store?", "Heron stores letters.", "Egret stores maps.")
    assert reflection.lacking_names == ()
    assert unheard(["Heron and Egret"], [passage("1", "Heron stores letters.", "a.x")]) == ("Heron and Egret",)


def test_names_that_the_evidence_brings_up_are_told_once_and_without_the_questions_own() -> None:
    reflection = seen(QUESTION, "Heron puts them into `ReedStore`. The ReedStore is old.")
    assert "ReedStore" in reflection.new_names
    assert not any("heron" in name.lower() for name in reflection.new_names)


def test_no_evidence_lacks_everything() -> None:
    reflection = seen(QUESTION)
    assert (reflection.coverage, reflection.enough) == (0.0, False)
    assert reflection.line == "known: nothing; lacking: Heron, days, store, keep, letters"


def test_a_question_without_content_lacks_nothing() -> None:
    assert seen("What is it?").enough


FATHER = "When did Ada Quill's father die?"


def test_a_sub_question_is_covered_by_the_passages_that_hold_it_and_shows_the_fact() -> None:
    father, died = seen(FATHER, "Ada Quill wrote.", "It was late. Ada Quill's father was Tom Quill of Reed.").parts
    assert (father.labels, father.fact) == (("2",), "Ada Quill's father was Tom Quill of Reed.")
    assert (died.labels, died.fact) == ((), "")


def test_a_sub_question_that_takes_the_outcome_of_an_open_one_is_open() -> None:
    father, died = seen(FATHER, "Tom Quill did die in 1902.").parts
    assert (father.labels, died.labels) == ((), ())


def test_a_sub_question_for_a_number_is_not_covered_by_words_alone() -> None:
    held = "Ada Quill's father was Tom Quill."
    without, there = (seen(FATHER, held, text).parts[1] for text in ("He did die.", "He did die in 1902."))
    assert (without.labels, there.labels) == ((), ("2",))


def test_a_passage_in_which_names_of_the_plan_meet_is_told() -> None:
    question = "Are Ada Quill and Tom Reeves both film directors?"
    links = seen(question, "Ada Quill directs.", "Tom Reeves met Ada Quill.").links
    assert [(link.label, set(link.names)) for link in links] == [("2", {"Ada Quill", "Tom Reeves"})]


def test_open_sub_questions_of_an_edited_plan_are_lacking() -> None:
    plan = rewritten(make_plan(QUESTION), ["Heron letters", "the colour of the roof"])
    reflection = reflect(QUESTION, plan, [passage("1", "Heron stores letters; they are kept for 42 days.")])
    assert (reflection.owed, reflection.enough) == (("the colour of the roof",), False)
    assert "lacking: keep, the colour of the roof" in reflection.line
