"""Strengths from preferences, by hand, by scipy, and where none are most likely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from evals.bradley_terry import fit, strengths


def test_two_runs_have_the_odds_of_their_wins() -> None:
    # 3 to 1: odds of 3 between them, so that each lies half of ln 3 from the average.
    assert fit(np.array([[0.0, 3.0], [1.0, 0.0]])) == pytest.approx([math.log(3) / 2, -math.log(3) / 2], abs=1e-6)


def test_the_strengths_are_the_most_likely_ones_that_scipy_finds() -> None:
    counts = np.random.default_rng(4).integers(1, 20, size=(5, 5)).astype(float)
    np.fill_diagonal(counts, 0)

    def unlikely(free: NDArray[np.float64]) -> float:
        each = np.append(free, -free.sum())
        return float((counts * np.log1p(np.exp(each[None, :] - each[:, None]))).sum())

    found = optimize.minimize(unlikely, np.zeros(4), tol=1e-10)
    assert fit(counts)[:4] == pytest.approx(found.x, abs=1e-4)


def test_a_run_that_never_lost_has_no_most_likely_strength() -> None:
    with pytest.raises(ValueError, match="two groups"):
        fit(np.array([[0.0, 2.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))


def test_a_run_that_always_won_is_strong_and_not_infinitely_so() -> None:
    first, second = strengths(["b", "a"], [np.array([[0.0, 0.0], [1.0, 0.0]])] * 10)
    assert (first.run, first.won, first.tied, first.lost) == ("a", 10, 0, 0)
    assert (second.run, second.won, second.lost) == ("b", 0, 10)
    # Ten wins and half of a tie each way: 10.5 to 0.5.
    assert first.strength == pytest.approx(math.log(21) / 2, abs=1e-6)
    assert first.share == pytest.approx(1 / (1 + 1 / math.sqrt(21)), abs=1e-6)
    assert first.low == first.high == first.strength  # every question says the same


def test_ties_alone_leave_all_runs_average() -> None:
    tie = np.array([[0.0, 0.5], [0.5, 0.0]])
    found = strengths(["a", "b"], [tie] * 5)
    assert [(each.run, each.strength, each.tied) for each in found] == [("a", 0.0, 5), ("b", 0.0, 5)]


def test_the_interval_is_narrower_with_more_questions_and_holds_the_strength() -> None:
    win, loss = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    few, many = (strengths(["a", "b"], ([win] * 3 + [loss] * 2) * times)[0] for times in (4, 40))
    assert few.low < few.strength < few.high
    assert many.high - many.low < (few.high - few.low) / 2
    # By hand, of 120 wins to 80: half of ln(p / (1 - p)), whose standard error is 1 / sqrt(200 * 0.24) / 2.
    assert many.high - many.low == pytest.approx(2 * 1.96 / math.sqrt(200 * 0.24) / 2, rel=0.1)
