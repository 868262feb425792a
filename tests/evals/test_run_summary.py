"""A run is added up line by line: failures apart, repeats once, the worst kept and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evals.run_summary import UNNAMED, Summary, Tally, percentiles
from evals.types import Finished
from tests.evals.long_run import line


def answered(id_: str, f1: float, *, type_: str = "bridge", tags: tuple[str, ...] = (), repeat: int = 0) -> Finished:
    made = replace(line(0), id=id_, type=type_, tags=tags, repeat=repeat, error=None, scores={"f1": f1})
    return replace(made, usage={"input_tokens": 10.0, "output_tokens": 5.0}, seconds=2.0)


def failed(id_: str) -> Finished:
    return replace(answered(id_, 0.0), error="TimeoutError: no word", scores={}, usage={})


def tally(*lines: Finished, details: int = 10) -> Tally:
    made = Tally(details)
    for each in lines:
        made.add(each)
    return made


def summary(*lines: Finished) -> Summary:
    return tally(*lines).summary()


def test_a_failed_question_is_in_no_mean_and_counted() -> None:
    found = summary(answered("a", 1.0), answered("b", 0.0), failed("c"))
    assert (found.questions, found.lines, found.failed, found.answered) == (3, 3, 1, 2)
    assert (found.metrics["f1"].mean, found.metrics["f1"].count) == (0.5, 2)
    assert found.failures == {"TimeoutError": 1}
    assert len(found.seconds) == 2


def test_a_question_asked_again_counts_once_with_the_mean_of_its_answers() -> None:
    found = summary(answered("a", 1.0), answered("a", 0.0, repeat=1), answered("b", 0.0))
    assert (found.questions, found.lines) == (2, 3)
    assert (found.metrics["f1"].mean, found.metrics["f1"].count) == (0.25, 2)


def test_slices_hold_their_own_questions_the_largest_first() -> None:
    lines = [answered("a", 1.0, tags=("x", "y")), answered("b", 0.0, tags=("x",)), answered("c", 0.0, type_="")]
    found = summary(*lines, replace(failed("d"), tags=("y",)))
    assert [(each.label, each.answered, each.failed) for each in found.types] == [("bridge", 2, 1), (UNNAMED, 1, 0)]
    means = {each.label: (each.metrics["f1"].mean, each.metrics["f1"].count) for each in found.tags}
    assert means == {"x": (0.5, 2), "y": (1.0, 1)}


def test_only_the_worst_are_held_worst_first_and_the_earlier_of_equals() -> None:
    scores = {"a": 0.5, "b": 0.0, "c": 1.0, "d": 0.0, "e": 0.25}
    kept = tally(*(answered(id_, f1) for id_, f1 in scores.items()), failed("z"), details=3)
    assert [each.id for each in kept.worst] == ["b", "d", "e"]
    assert [each.id for each in kept.broken] == ["z"]


def test_usage_is_summed_over_the_lines_that_tell_it() -> None:
    found = summary(answered("a", 1.0), replace(answered("b", 1.0), usage={"dollars": 0.5}))
    assert found.usage == {"input_tokens": (10.0, 1), "output_tokens": (5.0, 1), "dollars": (0.5, 1)}
    assert list(found.tokens) == [15.0, 0.0]


def test_a_run_that_failed_throughout_has_no_metric() -> None:
    found = summary(failed("a"), failed("b"))
    assert (found.main, found.metrics, found.answered) == (None, {}, 0)


def test_percentiles_of_a_hundred_seconds() -> None:
    found = percentiles([float(n) for n in range(101)])
    assert found == {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": pytest.approx(99.0)}
    assert percentiles([]) == {}
