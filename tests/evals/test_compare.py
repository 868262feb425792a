"""Two runs are compared over what both answered, question by question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evals.compare import compare
from evals.datasets import Question
from evals.runner import run
from evals.tables import comparison_table
from evals.types import RunAnswer
from ingest.errors import UserError

QUESTIONS = [Question(f"q{n}", f"Question {n}?", (f"answer {n}",), ("a.md",), "bridge") for n in range(8)]


def made(out: Path, right: int, *, questions: list[Question] = QUESTIONS, failing: str = "") -> Path:
    """A run that answers the first `right` questions rightly, and fails on one."""

    def answer(question: Question) -> RunAnswer:
        if question.id == failing:
            raise RuntimeError("no word")
        told = question.answers[0] if int(question.id[1:]) < right else "something else"
        return RunAnswer(told, shown=("a.md",), usage={"input_tokens": 100.0 * right, "output_tokens": 5})

    run(questions, answer, out, fingerprint={})
    return out


def test_the_difference_is_the_second_runs_less_the_firsts(tmp_path: Path) -> None:
    found = compare(made(tmp_path / "plain", 2), made(tmp_path / "agent", 6))
    em = found.metrics["em"]
    assert (em.first, em.second, em.difference.mean) == (0.25, 0.75, 0.5)
    assert 0 < em.difference.low < 0.5 < em.difference.high < 1
    assert found.tokens == (205.0, 605.0)


def test_a_run_beside_itself_differs_by_nothing(tmp_path: Path) -> None:
    same = made(tmp_path / "run", 3)
    assert all(
        both.difference == replace(both.difference, mean=0, low=0, high=0)
        for both in compare(same, same).metrics.values()
    )


def test_a_question_that_failed_in_one_run_is_left_out(tmp_path: Path) -> None:
    found = compare(made(tmp_path / "a", 8, failing="q3"), made(tmp_path / "b", 8))
    assert found.questions == 7


def test_runs_over_other_questions_are_refused(tmp_path: Path) -> None:
    others = [replace(question, id=f"p{n}") for n, question in enumerate(QUESTIONS)]
    with pytest.raises(UserError, match="no questions in common"):
        compare(made(tmp_path / "a", 1), made(tmp_path / "b", 1, questions=others))
    reworded = [replace(question, question="Another?") for question in QUESTIONS]
    with pytest.raises(UserError, match="no questions in common"):
        compare(tmp_path / "a", made(tmp_path / "c", 1, questions=reworded))


def test_the_table_names_both_runs_and_what_a_question_took(tmp_path: Path) -> None:
    shown = comparison_table(compare(made(tmp_path / "plain", 2), made(tmp_path / "agent", 6)))
    assert "plain" in shown
    assert "50.0" in shown
    assert "tokens, mean" in shown
