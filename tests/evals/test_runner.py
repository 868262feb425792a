"""A run survives whatever interrupts it, and says what went wrong apart from what was answered wrongly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.datasets import Question
from evals.run_asked import Conduct, read_asked
from evals.run_files import answers
from evals.run_report import RunReport, report
from evals.runner import STOPPED, Progress, Worker, run
from evals.scoring import score
from evals.tables import run_table
from evals.types import Cited, Finished, RunAnswer
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
    report: dict[str, Any] = ask_all(tmp_path / "nightly").as_json()
    assert set(report) >= {"run", "questions", "errors", "metrics", "usage", "timings"}
    assert report["counts"] == dict.fromkeys(report["metrics"], 6)
    assert (report["run"], report["usage"]) == ("nightly", {"tokens": 60})
    json.dumps(report)


def test_progress_counts_every_question(tmp_path: Path) -> None:
    seen: list[Progress] = []
    priced = {"dollars": 0.25}
    run(QUESTIONS[:2], lambda q: replace(right(q), usage=priced), tmp_path, fingerprint=MODEL, on_progress=seen.append)
    assert seen == [Progress(1, 2, 0, 0.25), Progress(2, 2, 0, 0.5)]


def test_scores_of_an_answer_worked_by_hand() -> None:
    given = RunAnswer("It is answer 0.", shown=("x.md", "a.md"), cited=("a.md", "x.md", "y.md"))
    assert score(QUESTIONS[0], given) == {
        "abstained": 0.0,
        "f1": pytest.approx(2 * 2 / 6),  # "it is answer 0" against "answer 0": two words shared of four and two
        "em": 0.0,
        "contains": 1.0,
        "recall": 0.5,
        "all_shown": 0.0,
        "mrr": 0.5,
        # b.py is not shown: 1/log2(3) of 1 + 1/log2(3)
        "ndcg": pytest.approx(0.63093 / 1.63093, abs=1e-5),
        "context_precision": 0.5,
        "context_recall": 0.5,
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


def test_citations_that_resolve_and_meet_the_gold_lines_are_scored() -> None:
    question = replace(QUESTIONS[0], places=("a.md:10-20", "b.py:5"))
    met, missed = Cited("1", "a.md", 20, 22, "q", True), Cited("2", "b.py", 6, 9, "q", False)
    scores = score(question, RunAnswer("Answer 0", cited=("a.md", "b.py"), citations=(met, missed)))
    assert (scores["citation_resolved"], scores["cited_lines"], scores["citation_recall"]) == (0.5, 0.5, 1.0)
    assert score(question, RunAnswer("", abstained=True, citations=(met,)))["cited_lines"] == 0.0


def test_meaning_is_compared_where_something_compares_it() -> None:
    question = QUESTIONS[0]
    assert "similarity" not in score(question, RunAnswer("Answer"))
    assert (
        score(question, RunAnswer("Answer [1]"), lambda text, golds: 0.75 if text == "Answer" else 0.0)["similarity"]
        == 0.75
    )
    assert score(question, RunAnswer("x", abstained=True), lambda text, golds: 1.0)["similarity"] == 0.0


# Workers, retries, time-outs, caps ----------------------------------------------------------------------------------


def test_workers_answer_side_by_side_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=10)
    asked: list[str] = []

    def answer(question: Question) -> RunAnswer:
        asked.append(question.id)
        together.wait()  # breaks, and fails the question, unless three are under way
        return right(question)

    report = run(QUESTIONS, [Worker(answer)] * 3, tmp_path, fingerprint=MODEL)
    assert (report.questions, report.errors, report.metrics["em"]) == (6, 0, 1.0)
    assert sorted(asked) == sorted(line.id for line in answers(tmp_path)) == [q.id for q in QUESTIONS]


def test_a_failed_question_is_tried_again_and_the_tries_are_counted(tmp_path: Path) -> None:
    tries: list[str] = []

    def flaky(question: Question) -> RunAnswer:
        tries.append(question.id)
        if question.id == "q4" or (question.id == "q2" and tries.count("q2") < 3):
            raise ConnectionError("provider down")
        return right(question)

    report = run(QUESTIONS, flaky, tmp_path, fingerprint=MODEL, conduct=Conduct(retries=2, pause=0.0))
    assert report.errors == 1
    assert [line.attempts for line in answers(tmp_path)] == [1, 1, 3, 1, 3, 1]


def test_a_question_that_takes_too_long_is_stopped_and_the_worker_goes_on(tmp_path: Path) -> None:
    stopped = threading.Event()

    def answer(question: Question) -> RunAnswer:
        if question.id == "q1":
            assert stopped.wait(10)
            return replace(right(question), answer="cut short")
        return right(question)

    worker = Worker(answer, stopped.set)
    report = run(QUESTIONS, [worker], tmp_path, fingerprint=MODEL, conduct=Conduct(timeout=0.2))
    line = answers(tmp_path)[1]
    assert (line.error, line.answer, line.scores, line.usage) == ("timed out after 0.2 s", "", {}, {"tokens": 10})
    assert (report.errors, report.counts["em"]) == (1, 5)


def test_a_question_in_time_is_not_stopped_and_neither_is_the_next(tmp_path: Path) -> None:
    worker = Worker(right, lambda: pytest.fail("stopped"))
    report = run(QUESTIONS, [worker], tmp_path, fingerprint=MODEL, conduct=Conduct(timeout=30))
    assert report.errors == 0
    timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    for timer in timers:  # one that was cancelled ends at once; one that was not would take its 30 seconds
        timer.join(5)
    assert not any(timer.is_alive() for timer in timers)


@pytest.mark.parametrize(
    ("conduct", "ended"),
    [(Conduct(max_cost=1.0), "--max-run-cost 1"), (Conduct(max_tokens=35), "--max-run-tokens 35")],
)
def test_a_cap_ends_the_run_cleanly_and_a_higher_one_goes_on(tmp_path: Path, conduct: Conduct, ended: str) -> None:
    def answer(question: Question) -> RunAnswer:
        return replace(right(question), usage={"dollars": 0.5, "input_tokens": 10, "output_tokens": 8})

    report = run(QUESTIONS, answer, tmp_path, fingerprint=MODEL, conduct=conduct)
    assert (report.questions, report.missing, report.ended, report.errors) == (2, 4, ended, 0)
    assert f"{ended} ended the run: 4 not asked" in run_table(report)
    still = run(QUESTIONS, answer, tmp_path, fingerprint=MODEL, conduct=conduct, resume=True)
    assert (still.questions, still.missing) == (2, 4)
    whole = run(QUESTIONS, answer, tmp_path, fingerprint=MODEL, conduct=Conduct(max_cost=3.0), resume=True)
    assert (whole.questions, whole.missing, whole.ended) == (6, 0, None)


def test_a_cap_on_dollars_is_refused_where_no_price_is_known(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'q0' cost is not known.*--max-run-tokens"):
        run(QUESTIONS, right, tmp_path, fingerprint=MODEL, conduct=Conduct(max_cost=1.0))
    assert len(answers(tmp_path)) == 1


def test_repeats_are_lines_of_their_own_and_all_are_in_the_means(tmp_path: Path) -> None:
    times: list[str] = []

    def answer(question: Question) -> RunAnswer:
        times.append(question.id)
        return right(question) if times.count(question.id) == 1 else RunAnswer("wrong")

    report = run(QUESTIONS, answer, tmp_path, fingerprint=MODEL, conduct=Conduct(repeat=3))
    assert (report.questions, report.answers, report.counts["em"], report.metrics["em"]) == (6, 18, 18, 1 / 3)
    keys = [(line.id, line.repeat) for line in answers(tmp_path)]
    assert keys == [(q.id, repeat) for repeat in range(3) for q in QUESTIONS]


def test_more_repeats_on_resume_ask_only_those(tmp_path: Path) -> None:
    ask_all(tmp_path)
    asked: list[str] = []

    def answer(question: Question) -> RunAnswer:
        asked.append(question.id)
        return right(question)

    run(QUESTIONS, answer, tmp_path, fingerprint=MODEL, conduct=Conduct(repeat=2), resume=True)
    assert asked == [q.id for q in QUESTIONS]


def test_what_ends_a_run_stops_the_other_workers_and_keeps_what_is_done(tmp_path: Path) -> None:
    stopped, begun = threading.Event(), threading.Event()

    def slow(question: Question) -> RunAnswer:
        begun.set()
        assert stopped.wait(10)
        return right(question)

    def unplugged(question: Question) -> RunAnswer:
        assert begun.wait(10)
        raise ModelUnavailable("no weights")

    with pytest.raises(ModelUnavailable):
        run(QUESTIONS, [Worker(slow, stopped.set), Worker(unplugged)], tmp_path, fingerprint=MODEL)
    assert stopped.is_set()
    assert answers(tmp_path) == []


def test_an_interrupt_keeps_what_is_done_and_the_run_goes_on_later(tmp_path: Path) -> None:
    def interrupted(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(QUESTIONS, right, tmp_path, fingerprint=MODEL, on_progress=interrupted)
    assert len(answers(tmp_path)) >= 2
    assert ask_all(tmp_path, resume=True).questions == 6


def test_declining_is_scored_over_a_run_that_has_both_kinds_of_questions(tmp_path: Path) -> None:
    # Declined: q0 (wrongly), u0, u1; not declined: the other five and u2. Precision 2 of 3, recall 2 of 3.
    nobody = [Question(f"u{n}", "?", (), (), "none", unanswerable=True) for n in range(3)]

    def answer(question: Question) -> RunAnswer:
        declines = question.id in {"q0", "u0", "u1"}
        return RunAnswer("The sources do not say.", abstained=True) if declines else RunAnswer("Forty.")

    report = run([*QUESTIONS, *nobody], answer, tmp_path, fingerprint=MODEL)
    found = {name: (report.metrics[name], report.counts[name]) for name in report.metrics if "declined" in name}
    assert found == {
        "declined_precision": (2 / 3, 3),
        "declined_recall": (2 / 3, 3),
        "declined_f1": (pytest.approx(2 / 3), 9),
    }
    assert not any("declined" in name for name in ask_all(tmp_path / "answerable").metrics)


def test_seconds_come_with_percentiles_of_what_did_not_fail() -> None:
    lines = [Finished(str(n), "?", "", False, (), (), {}, float(n), None, None, {}) for n in range(1, 12)]
    failed = replace(lines[0], id="x", seconds=500.0, error="x")
    timings = report("r", [*lines, failed]).timings
    assert timings == {"answers": 566.0, "median": 6.0, "p90": 10.0, "p95": pytest.approx(10.5)}


def test_a_run_that_is_told_to_stop_drops_what_is_under_way_and_goes_on_later(tmp_path: Path) -> None:
    stop, stopped = threading.Event(), threading.Event()

    def answer(question: Question) -> RunAnswer:
        if question.id == "q2":
            stop.set()
            assert stopped.wait(10)  # what a stopped worker says is no answer to keep
        return right(question)

    conduct = Conduct(repeat=2, retries=1)
    report = run(
        QUESTIONS, [Worker(answer, stopped.set)], tmp_path, fingerprint=MODEL, name="mine", conduct=conduct, stop=stop
    )
    assert (report.answers, report.missing, report.ended) == (2, 10, STOPPED)
    asked = read_asked(tmp_path)
    assert asked is not None
    assert (asked.set, list(asked.questions), asked.conduct, asked.total) == ("mine", QUESTIONS, conduct, 12)
    again = run(asked.questions, right, tmp_path, fingerprint=MODEL, conduct=asked.conduct, resume=True)
    assert (again.answers, again.missing) == (12, 0)


def test_waiting_for_a_turn_is_no_time_of_a_question(tmp_path: Path) -> None:
    waited: list[str] = []

    @contextmanager
    def turn() -> Iterator[None]:
        time.sleep(0.2)
        waited.append("turn")
        yield

    worker = Worker(right, turn=turn)
    run(QUESTIONS[:2], [worker], tmp_path, fingerprint=MODEL, conduct=Conduct(timeout=0.15))
    assert [line.error for line in answers(tmp_path)] == [None, None]
    assert max(line.seconds for line in answers(tmp_path)) < 0.15
    assert waited == ["turn", "turn"]


@pytest.mark.parametrize(
    "damaged", ["{", '{"set": "x"}', '{"set": "x", "questions": [], "conduct": {"repeat": 0}}', '{"evil": 1}']
)
def test_a_damaged_list_of_what_was_asked_is_named(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "asked.json").write_text(damaged)
    with pytest.raises(UserError, match=r"asked\.json is damaged"):
        read_asked(tmp_path)
    assert read_asked(tmp_path / "elsewhere") is None
