"""An interval from counts is the bootstrap's, at any number of questions."""

from __future__ import annotations

import random

import pytest

from evals.estimates import Estimate, estimate
from evals.statistics import bootstrap


@pytest.mark.parametrize("count", [20, 100, 500])
def test_the_interval_is_the_one_that_drawing_questions_gives(count: int) -> None:
    random.seed(count)
    values = [random.choice((0.0, 0.25, 0.667, 1.0)) for _ in range(count)]
    found, (low, high) = estimate(values), bootstrap(values)
    assert found.mean == pytest.approx(sum(values) / count)
    assert found.count == count
    # Both are drawn, 2,000 times: their ends scatter by a few hundredths of the interval's width.
    assert (found.low, found.high) == (
        pytest.approx(low, abs=0.1 * (high - low)),
        pytest.approx(high, abs=0.1 * (high - low)),
    )


def test_what_never_differs_has_an_interval_without_width() -> None:
    assert estimate([0.5] * 9) == Estimate(0.5, 0.5, 0.5, 9)


def test_nothing_has_no_mean() -> None:
    assert estimate([]) == Estimate(0.0, 0.0, 0.0, 0)


def test_the_same_scores_in_another_order_give_the_same_interval() -> None:
    values = [0.1, 0.2, 0.9, 1.0, 0.0]
    assert estimate(values) == estimate(values[::-1])
