"""The shipped question sets hold what they promise."""

from __future__ import annotations

from importlib.resources import as_file, files

from evals.datasets import load_questions
from evals.metrics import normalised


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
