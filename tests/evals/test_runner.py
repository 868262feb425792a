"""A run survives whatever interrupts it, and says what went wrong apart from what was answered wrongly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evals.datasets import Question
from evals.runner import RunReport, answers, run, score
from evals.types import Finished, RunAnswer
from ingest.errors import ModelUnavailable, UserError, WorkspaceBusy

ROOT = Path(__file__).parents[2]
QUESTIONS = [Question(f"q{n}", f"Question {n}?", (f"answer {n}",), ("a.md", "b.py"), "bridge") for n in range(6)]
MODEL = {"model": "scripted", "index": "1f"}

# Run in a child that kills itself: the script is given the folder and the question at which to die.
CHILD = """
import os, signal, sys, pathlib
from tests.evals.test_runner import MODEL, QUESTIONS, right
from evals.runner import run
def answer(question):
    if question.id == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    return right(question)
run(QUESTIONS, answer, pathlib.Path(sys.argv[1]), fingerprint=MODEL, resume=True)
"""


def right(question: Question) -> RunAnswer:
    return RunAnswer(question.answers[0], shown=("a.md", "b.py"), cited=("a.md",), usage={"tokens": 10})


def timeless(out: Path) -> list[Finished]:
    return [replace(line, seconds=0.0) for line in answers(out)]


def ask_all(out: Path, answer: Callable[[Question], RunAnswer] = right, *, resume: bool = False) -> RunReport:
    return run(QUESTIONS, answer, out, fingerprint=MODEL, resume=resume)


@pytest.mark.parametrize("dies_at", ["q0", "q1", "q5"])
def test_a_killed_run_resumed_equals_an_uninterrupted_one(tmp_path: Path, dies_at: str) -> None:
    whole, killed = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    whole.parent.mkdir(), killed.parent.mkdir()
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(killed), dies_at], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert child.returncode == -signal.SIGKILL
    assert len(answers(killed)) == int(dies_at[1])
    resumed, uninterrupted = ask_all(killed, resume=True), ask_all(whole)
    assert replace(resumed, timings={}) == replace(uninterrupted, timings={})
    assert timeless(killed) == timeless(whole)


@pytest.mark.parametrize("cut", [1, 40])
def test_a_torn_last_line_is_asked_again(tmp_path: Path, cut: int) -> None:
    ask_all(tmp_path)
    before = timeless(tmp_path)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    asked = []
    ask_all(tmp_path, lambda question: asked.append(question.id) or right(question), resume=True)  # type: ignore[func-returns-value]
    assert asked == ["q5"]
    assert timeless(tmp_path) == before


def test_a_finished_run_resumed_asks_nothing(tmp_path: Path) -> None:
    first = ask_all(tmp_path)
    assert ask_all(tmp_path, lambda question: pytest.fail(f"asked {question.id}"), resume=True) == first


def test_errors_are_counted_apart_and_asked_again_on_resume(tmp_path: Path) -> None:
    def flaky(question: Question) -> RunAnswer:
        if question.id == "q2":
            raise ConnectionError("provider down")
        return RunAnswer("wrong") if question.id == "q3" else right(question)

    report = ask_all(tmp_path, flaky)
    assert (report.questions, report.errors) == (6, 1)
    assert report.metrics["em"] == 4 / 5
    assert answers(tmp_path)[2].error == "ConnectionError: provider down"
    report = ask_all(tmp_path, right, resume=True)
    assert (report.questions, report.errors, report.metrics["em"]) == (6, 0, 5 / 6)


def test_what_the_user_can_fix_ends_the_run_and_keeps_what_is_done(tmp_path: Path) -> None:
    def unplugged(question: Question) -> RunAnswer:
        if question.id == "q2":
            raise ModelUnavailable("no weights")
        return right(question)

    with pytest.raises(ModelUnavailable):
        ask_all(tmp_path, unplugged)
    assert [line.id for line in answers(tmp_path)] == ["q0", "q1"]


def test_a_folder_with_a_run_is_refused_without_resume(tmp_path: Path) -> None:
    ask_all(tmp_path)
    with pytest.raises(UserError, match="--resume"):
        ask_all(tmp_path)


@pytest.mark.parametrize(
    ("questions", "fingerprint", "changed"),
    [(QUESTIONS, {**MODEL, "model": "other"}, "model 'scripted', now 'other'"), (QUESTIONS[:3], MODEL, "questions")],
)
def test_another_fingerprint_is_refused(
    tmp_path: Path, questions: list[Question], fingerprint: dict[str, str], changed: str
) -> None:
    ask_all(tmp_path)
    with pytest.raises(UserError, match=changed):
        run(questions, right, tmp_path, fingerprint=fingerprint, resume=True)


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    ask_all(tmp_path)
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"id": "q1"', b'{"ix": "q1"'))
    with pytest.raises(UserError, match=r"answers\.jsonl:2 "):
        ask_all(tmp_path, resume=True)


def test_two_writers_of_one_run_are_refused(tmp_path: Path) -> None:
    def nested(question: Question) -> RunAnswer:
        with pytest.raises(WorkspaceBusy):
            ask_all(tmp_path, resume=True)
        return right(question)

    assert ask_all(tmp_path, nested).errors == 0


def test_dollars_that_one_answer_lacks_have_no_sum(tmp_path: Path) -> None:
    def answer(question: Question) -> RunAnswer:
        known = {"dollars": 0.5} if question is not QUESTIONS[0] else {}
        return replace(right(question), usage={"tokens": 10, **known})

    assert ask_all(tmp_path, answer).usage == {"tokens": 60}


def test_the_report_adds_usage_and_has_the_promised_keys(tmp_path: Path) -> None:
    report = ask_all(tmp_path / "nightly").as_json()
    assert set(report) == {"run", "questions", "errors", "metrics", "usage", "timings"}
    assert (report["run"], report["usage"]) == ("nightly", {"tokens": 60})
    json.dumps(report)


def test_progress_counts_every_question(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    run(QUESTIONS[:2], right, tmp_path, fingerprint=MODEL, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_scores_of_an_answer_worked_by_hand() -> None:
    given = RunAnswer("It is answer 0.", shown=("x.md", "a.md"), cited=("a.md", "x.md", "y.md"))
    assert score(QUESTIONS[0], given) == {
        "abstained": 0.0,
        "f1": pytest.approx(2 * 2 / 6),  # "it is answer 0" against "answer 0": two words shared of four and two
        "em": 0.0,
        "contains": 1.0,
        "recall": 0.5,
        "all_shown": 0.0,
        "citation_precision": pytest.approx(1 / 3),
        "citation_recall": 0.5,
    }


def test_labels_are_no_part_of_the_answer_that_is_scored() -> None:
    assert score(QUESTIONS[0], RunAnswer("Answer 0 [1] [12]."))["em"] == 1.0


def test_an_abstention_is_right_only_where_nothing_can_be_answered() -> None:
    abstained = RunAnswer("The sources do not say.", abstained=True)
    unanswerable = Question("u", "?", (), (), "none", unanswerable=True)
    assert score(unanswerable, abstained)["f1"] == 1.0
    assert score(unanswerable, RunAnswer("Forty."))["f1"] == 0.0
    assert score(QUESTIONS[0], abstained)["f1"] == 0.0
    assert "citation_precision" not in score(QUESTIONS[0], abstained)
    assert score(QUESTIONS[0], abstained)["citation_recall"] == 0.0


def test_a_question_without_gold_is_in_no_mean_that_needs_it(tmp_path: Path) -> None:
    questions = [QUESTIONS[0], Question("open", "Why?", (), (), "open")]
    report = run(questions, lambda q: right(QUESTIONS[0]), tmp_path, fingerprint=MODEL)
    assert (report.metrics["em"], report.metrics["recall"]) == (1.0, 1.0)
