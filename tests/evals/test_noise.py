"""Comparing knows its noise: of equal runs nothing is claimed, of different ones the truth."""

from __future__ import annotations

import numpy as np
import pytest

from evals.compare import Comparison, compare_runs
from tests.evals.simulated import drawn

CLAIMS = {"better", "worse", "higher", "lower"}
TRIALS = 100


def claims(comparison: Comparison) -> bool:
    return any(each.verdict in CLAIMS for each in comparison.metrics.values())


@pytest.mark.parametrize("repeats", [1, 3])
def test_of_two_equal_runs_nothing_is_claimed_in_95_of_100_trials(repeats: int) -> None:
    random = np.random.default_rng(20)
    silent = uncorrected = 0
    for _ in range(TRIALS):
        easy = random.beta(0.7, 0.7, 50)
        one, other = (drawn(random, name, easy, repeats=repeats) for name in ("one", "other"))
        (found,) = compare_runs([one, other])
        assert len(found.metrics) == 8
        silent += not claims(found)
        uncorrected += any(each.p < 0.05 for each in found.metrics.values())
    assert silent >= 95
    assert uncorrected > 10  # a test that looked at one metric after the other would claim what is not there


def test_of_three_equal_runs_nothing_is_claimed_either() -> None:
    random = np.random.default_rng(21)
    silent = 0
    for _ in range(TRIALS):
        easy = random.beta(0.7, 0.7, 50)
        silent += not any(map(claims, compare_runs([drawn(random, name, easy) for name in "abc"])))
    assert silent >= 95


def test_a_run_that_is_15_points_better_on_many_questions_is_said_to_be() -> None:
    random = np.random.default_rng(22)
    said = 0
    for _ in range(20):
        easy = random.beta(0.7, 0.7, 300) * 0.85
        (found,) = compare_runs([drawn(random, "plain", easy), drawn(random, "agent", easy, lift=0.15)])
        assert found.metrics["contains"].verdict != "worse"
        said += found.metrics["contains"].verdict == "better"
    assert said >= 18
