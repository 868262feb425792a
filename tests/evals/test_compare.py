"""Two runs are compared over what both answered, question by question."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from evals.compare import Changed, compare, compare_runs, differing_keys, means_of_all
from evals.compare_table import comparison_table
from evals.datasets import Question
from evals.judge import Verdict
from evals.line_file import append
from evals.runner import run
from evals.scored_run import ScoredRun, load, scored
from evals.statistics import mcnemar
from evals.types import RunAnswer
from ingest.errors import UserError
from tests.evals.made_lines import line, of_scores

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


def test_a_metric_of_zeros_and_ones_is_tested_by_mcnemar_and_others_by_permutation() -> None:
    (found,) = compare_runs([of_scores("a", "em", [0.0] * 8 + [1.0]), of_scores("b", "em", [1.0] * 8 + [0.0])])
    em = found.metrics["em"]
    assert (em.test, em.p, em.corrected, em.verdict) == ("McNemar", mcnemar(8, 1), mcnemar(8, 1), "better")
    (found,) = compare_runs([of_scores("a", "f1", [0.2] * 6), of_scores("b", "f1", [0.1] * 6)])
    f1 = found.metrics["f1"]
    assert (f1.test, f1.p, f1.verdict) == ("permutation", 2 / 64, "worse")


def test_a_verdict_needs_the_p_that_is_corrected_for_all_metrics() -> None:
    # 6 of 6 is 0.03 alone, and 0.06 as one of two metrics that differ; what nowhere differs is not counted.
    first = scored("a", {}, [line(f"q{n}", {"em": 0.0, "contains": 0.0, "recall": 1.0}) for n in range(6)])
    second = scored("b", {}, [line(f"q{n}", {"em": 1.0, "contains": float(n > 0), "recall": 1.0}) for n in range(6)])
    (found,) = compare_runs([first, second])
    assert (found.metrics["em"].p, found.metrics["em"].corrected) == (2 / 64, 4 / 64)
    assert {each.verdict for each in found.metrics.values()} == {"no difference shown"}
    # And over all runs that are compared with the first at once.
    alone = of_scores("a", "em", [0.0] * 6)
    both = compare_runs([alone, of_scores("b", "em", [1.0] * 6), of_scores("c", "em", [1.0] * 6)])
    assert [each.metrics["em"].corrected for each in both] == [4 / 64, 4 / 64]


def test_metrics_that_differ_alike_count_as_one_in_the_correction() -> None:
    both = [
        scored(name, {}, [line(f"q{n}", {"recall": v, "context_recall": v}) for n in range(6)])
        for name, v in (("a", 0.0), ("b", 1.0))
    ]
    (found,) = compare_runs(both)
    assert [each.corrected for each in found.metrics.values()] == [2 / 64, 2 / 64]
    assert {each.verdict for each in found.metrics.values()} == {"better"}


def test_a_metric_that_is_neither_good_nor_bad_is_higher_or_lower() -> None:
    (found,) = compare_runs([of_scores("a", "abstained", [0.0] * 9), of_scores("b", "abstained", [1.0] * 9)])
    assert found.metrics["abstained"].verdict == "higher"


def test_repeats_are_averaged_and_say_what_is_noise() -> None:
    def run(name: str, *repeats: float) -> ScoredRun:
        return scored(
            name,
            {},
            [line(f"q{n}", {"em": value}, repeat=r) for n in range(4) for r, value in enumerate(repeats)],
        )

    (found,) = compare_runs([run("a", 0.0, 1.0), run("b", 1.0, 1.0, 1.0, 0.0)])
    em = found.metrics["em"]
    assert (em.first, em.second, em.test, found.questions) == (0.5, 0.75, "permutation", 4)
    # Variances within questions of 0.5 and 0.25, for a mean over 4 questions of 2 and 4 repeats.
    assert em.floor == pytest.approx(1.959964 * math.sqrt(0.5 / 8 + 0.25 / 16))
    assert em.verdict == "within noise"
    (found,) = compare_runs([of_scores("a", "em", [0.0]), of_scores("b", "em", [1.0])])
    assert found.metrics["em"].floor is None


def test_fixed_and_broken_questions_have_both_answers() -> None:
    first = scored("a", {}, [line("q0", {"em": 0.0}, answer="no"), line("q1", {"em": 1.0}), line("q2", {"em": 1.0})])
    second = scored("b", {}, [line("q0", {"em": 1.0}, answer="yes"), line("q1", {"em": 0.0}), line("q2", {"em": 1.0})])
    (found,) = compare_runs([first, second])
    assert found.right_by == "em"
    assert found.fixed == (Changed("q0", "Question q0?", "no", "yes"),)
    assert [each.id for each in found.broken] == ["q1"]


def test_what_tells_right_from_wrong_can_be_named_and_must_be_there() -> None:
    run = scored("a", {}, [line("q0", {"em": 0.0, "recall": 1.0})])
    assert compare_runs([run, run], right_by="recall")[0].right_by == "recall"
    with pytest.raises(UserError, match=r"'f2'.*They have em, recall"):
        compare_runs([run, run], right_by="f2")


def test_failures_are_a_metric_of_their_own_and_in_no_other() -> None:
    failing = [line(f"q{n}", error="TimeoutError: x") for n in range(8)]
    first = scored("a", {}, [line(f"q{n}", {"em": 1.0}) for n in range(9)])
    second = scored("b", {}, [*failing, line("q8", {"em": 1.0})])
    (found,) = compare_runs([first, second])
    assert (found.questions, found.metrics["em"].questions, found.metrics["em"].second) == (1, 1, 1.0)
    assert (found.metrics["answered"].second, found.metrics["answered"].verdict) == (1 / 9, "worse")
    assert found.failed == ((), tuple(f"q{n}" for n in range(8)))
    with pytest.raises(UserError, match="both answered none"):
        compare_runs([first, scored("b", {}, failing)])


def test_questions_that_one_run_was_not_asked_are_counted() -> None:
    (found,) = compare_runs([of_scores("a", "em", [1.0] * 5), of_scores("b", "em", [1.0] * 3)])
    assert (found.questions, found.alone) == (3, (2, 0))


def test_what_two_runs_were_not_made_alike_with_is_named() -> None:
    one = {"index": "a", "settings": '{"model": "x", "max_steps": 3}', "code": "1", "same": "s"}
    other = {"index": "b", "settings": '{"model": "y", "max_steps": 3, "form": "short"}', "prompts": "p", "same": "s"}
    assert differing_keys(one, other) == ["code", "index", "prompts", "settings (form, model)"]
    assert differing_keys({"settings": "[" * 100_000}, {"settings": "{}"}) == ["settings"]
    assert differing_keys(one, one) == []


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match=r"'q0'.*'em'.*nan"):
        scored("a", {}, [line("q0", {"em": float("nan")})])


def test_a_runs_own_values_are_means_over_questions_and_not_over_repeats() -> None:
    lines = [line("q0", {"em": 1.0}, repeat=r) for r in range(3)] + [line("q1", {"em": 0.0})]
    values = scored("a", {}, [*lines, line("q2", error="KeyError: x")]).values
    assert values == {"em": 0.5, "answered": pytest.approx(2 / 3), "questions": 3.0, "seconds": 2.0, "tokens": 100.0}


def test_how_well_a_run_declined_is_a_value_to_gate_on() -> None:
    lines = [line("q0", {"abstained": 1.0}), line("q1", {"abstained": 1.0}), line("q2", {"abstained": 0.0})]
    values = scored("a", {}, [replace(lines[0], unanswerable=True), *lines[1:]]).values
    assert (values["declined_precision"], values["declined_recall"]) == (0.5, 1.0)


def test_means_of_several_runs_are_over_the_questions_that_all_have() -> None:
    runs = [of_scores("a", "em", [1.0, 0.0, 0.0]), of_scores("b", "em", [1.0, 1.0]), of_scores("c", "em", [0.0, 1.0])]
    assert means_of_all(runs)["em"] == [0.5, 1.0, 0.5]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    folders = [made(tmp_path / place / "run", 3) for place in ("a", "b")]
    assert [run.name for run in load(folders)] == [str(folder) for folder in folders]
    assert [run.name for run in load([folders[0], folders[0]])] == ["run", "run"]


def test_what_a_model_judged_is_a_metric_beside_how_far_to_believe_it(tmp_path: Path) -> None:
    folders = [made(tmp_path / "plain", 2), made(tmp_path / "agent", 6)]
    for folder, verdict in zip(folders, ("fail", "pass"), strict=True):
        said = Verdict(id="q0", rubric="correct", verdict=verdict, reason="r", judge=f"m of {verdict}", prompt="v1")
        append(folder / "judged.jsonl", said, said.model_copy(update={"id": "q1", "verdict": "unjudged"}))
    found = compare(*folders)
    judged = found.metrics["judge_correct"]
    assert (judged.first, judged.second, judged.questions) == (0.0, 1.0, 1)
    shown = comparison_table(found)
    assert "judge_correct: judged apart, plain by m of fail, prompt v1: not calibrated" in shown
    assert load(folders)[0].judges == {"judge_correct": "m of fail, prompt v1: not calibrated"}


def test_the_table_names_both_runs_and_what_a_question_took(tmp_path: Path) -> None:
    shown = comparison_table(compare(made(tmp_path / "plain", 2), made(tmp_path / "agent", 6)))
    assert "plain" in shown
    assert "50.0" in shown
    assert "tokens, mean" in shown


def test_the_table_says_what_a_reader_should_know_before_believing_it() -> None:
    types = ["easy"] * 10 + ["hard"] * 10
    nothing: dict[str, float] = {}
    first = [line(f"q{n}", {"f1": float(n < 8)} if n < 12 else nothing, type=types[n]) for n in range(20)]
    second = [line(f"q{n}", {"f1": float(n < 12)} if n > 7 else nothing, type=types[n]) for n in range(20)]
    (found,) = compare_runs([scored("a", {"index": "1"}, first), scored("b", {"index": "2"}, second)])
    shown = comparison_table(found)
    assert "Not made alike: index." in shown
    assert "Simpson's paradox in f1: over all that each run scored, b lies -33.3 from a" in shown
    assert "No question was repeated" in shown
    assert "\ntype easy" in shown
    assert "(too few)" in shown
    assert "fixed, by f1: 4\n  q8  Question q8?\n    a: said\n    b: said\n" in shown


def test_long_lists_and_texts_are_cut_in_the_table() -> None:
    first = scored("a", {}, [line(f"q{n}", {"em": 0.0}, answer="long\n" * 300) for n in range(14)])
    (found,) = compare_runs([first, of_scores("b", "em", [1.0] * 14)])
    shown = comparison_table(found)
    assert shown.count("Question q") == 10
    assert "and 4 more; --json has all" in shown
    assert max(map(len, shown.split("\n"))) < 200
