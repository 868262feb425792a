"""The shipped question sets hold what they promise."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from evals.datasets import Question, load_questions
from evals.metrics import normalised
from ingest import names

OWN = ("django", "hoplite")
HOPS = {"doc-to-code", "code-to-doc", "code-to-code"}
ROOT = Path(__file__).resolve().parents[2]
DJANGO = "HOPLITE_DJANGO"
"""Names the unpacked source distribution that `evals/sets/README.md` tells of."""


@pytest.fixture(params=OWN)
def questions(request: pytest.FixtureRequest) -> tuple[Question, ...]:
    return shipped(request.param)


def shipped(name: str) -> tuple[Question, ...]:
    with as_file(files("evals.sets") / f"{name}.jsonl") as path:
        return load_questions(path)


def without_answer(questions: Sequence[Question], folder: Path) -> list[str]:
    """The answerable questions whose answers stand in none of their gold files, as typed but for case and white
    space, and those whose gold files are not all there."""
    return [question.id for question in questions if not question.unanswerable and not holds(question, folder)]


def holds(question: Question, folder: Path) -> bool:
    gold = [folder / path for path in question.supporting]
    if not all(path.is_file() for path in gold):
        return False
    texts = [squeezed(path.read_text(encoding="utf-8")) for path in gold]
    return "computed" in question.tags or any(squeezed(a) in text for a in question.answers for text in texts)


def squeezed(text: str) -> str:
    return "".join(text.lower().split())


def test_there_are_sixty_questions_of_our_own_of_every_type() -> None:
    django, hoplite = map(shipped, OWN)
    assert len(django) >= 40
    assert len(hoplite) >= 28
    assert len(django) + len(hoplite) >= 60
    for questions in (django, hoplite):
        assert {question.type for question in questions} == HOPS | {"one-hop", "comparison", "unanswerable"}
    assert sum(question.unanswerable for question in (*django, *hoplite)) >= 8


def test_a_question_has_the_gold_files_of_its_type_and_answers_that_can_be_compared(
    questions: tuple[Question, ...],
) -> None:
    for question in questions:
        gold = len(question.supporting)
        assert (question.type == "unanswerable") == question.unanswerable == (gold == 0), question.id
        assert gold == (1 if question.type == "one-hop" else 0 if question.unanswerable else 2), question.id
        assert bool(question.answers) != question.unanswerable, question.id
        assert all(normalised(answer) for answer in question.answers), question.id
        assert question.tags, question.id


def test_a_hop_goes_the_way_that_its_type_says(questions: tuple[Question, ...]) -> None:
    for question in questions:
        if question.type in HOPS:
            kinds = ["code" if path.endswith(".py") else "doc" for path in question.supporting]
            assert "-to-".join(kinds) == question.type, question.id


def test_no_question_names_its_gold_files_or_says_its_answer(questions: tuple[Question, ...]) -> None:
    for question in questions:
        assert not [gold for gold in question.supporting if gold in question.question], question.id
        if question.type != "comparison":  # which names both sides, one of which is the answer
            asked = f" {normalised(question.question)} "
            assert not [a for a in question.answers if f" {normalised(a)} " in asked], question.id


def test_every_answer_about_this_repository_stands_in_its_gold_files() -> None:
    assert without_answer(shipped("hoplite"), ROOT) == []


@pytest.mark.skipif(DJANGO not in os.environ, reason=f"no Django 5.1.4: set {DJANGO} to its unpacked source archive")
def test_every_answer_about_django_stands_in_its_gold_files() -> None:
    assert without_answer(shipped("django"), Path(os.environ[DJANGO])) == []


def test_an_answer_that_is_gone_and_a_gold_file_that_is_gone_are_found(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text("LIMIT = 45\n", encoding="utf-8")
    stands = Question("stands", "?", ("limit=45",), ("here.py",), "one-hop")
    changed = Question("changed", "?", ("44",), ("here.py",), "one-hop")
    moved = Question("moved", "?", ("45",), ("there.py",), "one-hop")
    assert without_answer([stands, changed, moved], tmp_path) == ["changed", "moved"]


def test_the_code_sets_are_a_hundred_questions_a_third_of_each_kind() -> None:
    packages = ("click", "scrapy", "starlette")
    with as_file(files("evals.sets") / "code") as folder:
        questions = [question for name in packages for question in load_questions(folder / f"{name}.jsonl")]
    kinds = Counter(question.type for question in questions)
    assert len(questions) == 100
    assert kinds.keys() == {"symbol", "behaviour", "path"}
    assert max(kinds.values()) - min(kinds.values()) <= 3
    assert all(question.supporting for question in questions)


def test_no_question_about_behaviour_has_an_identifier_or_a_path() -> None:
    with as_file(files("evals.sets") / "code") as folder:
        for path in folder.glob("*.jsonl"):
            for question in load_questions(path):
                if question.type == "behaviour":
                    assert not names.identifiers(question.question)
                    assert not [gold for gold in question.supporting if gold in question.question]
