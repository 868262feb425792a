"""Comparing knows its noise: of equal runs nothing is claimed, of different ones the truth."""

from __future__ import annotations

import numpy as np
import pytest

from evals.noise import claims, equal, lifted

TRIALS = 100


@pytest.mark.parametrize(("runs", "repeats"), [(2, 1), (2, 3), (3, 1)])
def test_of_equal_runs_nothing_is_claimed_in_95_of_100_trials(runs: int, repeats: int) -> None:
    found = list(equal(np.random.default_rng(0), TRIALS, runs=runs, repeats=repeats))
    assert all(len(comparison.metrics) == 8 for each in found for comparison in each)
    assert TRIALS - sum(map(claims, found)) >= 95
    # Whoever looks at one metric after the other claims what is not there.
    assert sum(any(m.p < 0.05 for c in each for m in c.metrics.values()) for each in found) > 10


def test_a_run_that_is_right_15_points_more_often_is_said_to_be_where_the_questions_are_many() -> None:
    verdicts = [each.metrics["contains"].verdict for each in lifted(np.random.default_rng(0), 20, 300)]
    assert verdicts.count("better") >= 18
    assert "worse" not in verdicts
