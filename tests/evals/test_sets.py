"""The shipped question sets hold what they promise."""

from __future__ import annotations

from collections import Counter
from importlib.resources import as_file, files

from evals.datasets import load_questions
from evals.metrics import normalised
from ingest import names


def test_the_django_set_is_ten_questions_of_two_files_each() -> None:
    with as_file(files("evals.sets") / "django.jsonl") as path:
        questions = load_questions(path)
    assert len(questions) == 10
    for question in questions:
        assert len(question.supporting) == 2
        assert question.type in {"doc-to-code", "code-to-doc", "code-to-code"}
        assert all(normalised(answer) for answer in question.answers)


def test_no_question_names_its_gold_files() -> None:
    with as_file(files("evals.sets") / "django.jsonl") as path:
        questions = load_questions(path)
    for question in questions:
        assert not [gold for gold in question.supporting if gold in question.question]


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
