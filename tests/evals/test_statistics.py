"""Intervals and tests against numbers worked by hand, and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evals import statistics
from evals.statistics import bootstrap, holm, mcnemar, noise_floor, paired, sign_flip


def test_bootstrap_brackets_the_mean_and_repeats_itself() -> None:
    values = [0.0, 1.0] * 50
    low, high = bootstrap(values)
    # The normal approximation: 0.5 ± 1.96 * 0.5 / sqrt(100).
    assert (low, high) == (pytest.approx(0.402, abs=0.02), pytest.approx(0.598, abs=0.02))
    assert bootstrap(values) == (low, high)
    assert bootstrap([1.0]) == (1.0, 1.0)


def test_a_paired_interval_is_of_the_differences() -> None:
    # Every question is half better, however hard it is: the difference is certain, though the means are not.
    hard = [0.0, 0.5] * 20
    found = paired([value + 0.5 for value in hard], hard)
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)
    # Nine won and one lost of ten: 0.8, and the normal approximation 0.8 ± 1.96 * 0.6 / sqrt(10).
    found = paired([1.0] * 9 + [0.0], [0.0] * 9 + [1.0])
    assert found.mean == pytest.approx(0.8)
    assert [found.low, found.high] == pytest.approx([0.4, 1.0], abs=0.1)
    with pytest.raises(ValueError, match="zip"):
        paired([1.0], [1.0, 0.0])


def test_a_bootstrap_in_blocks_is_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(1).random(37))
    at_once = bootstrap(values)
    monkeypatch.setattr(statistics, "_HELD", 37 * 7)
    assert bootstrap(values) == at_once


@pytest.mark.parametrize(
    ("won", "lost", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (6, 0, 2 / 64),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (4, 4, 1.0),
    ],
)
def test_mcnemar_is_worked_by_hand(won: int, lost: int, p: float) -> None:
    assert mcnemar(won, lost) == p
    assert mcnemar(lost, won) == p


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_scipys_binomial_test(won: int, lost: int) -> None:
    if won + lost:
        assert mcnemar(won, lost) == pytest.approx(stats.binomtest(won, won + lost).pvalue, rel=1e-9)


def test_mcnemar_of_many_questions_is_no_overflow() -> None:
    assert mcnemar(5_100, 4_900) == pytest.approx(stats.binomtest(5_100, 10_000).pvalue, rel=1e-6)
    assert mcnemar(10_000, 0) == 0.0


def test_the_sign_flip_test_is_worked_by_hand() -> None:
    # Of the 8 patterns of 1, 2 and 3 only +++ and --- reach a sum of 6.
    assert sign_flip([1, 2, 3]) == 2 / 8
    # A sum of 2 - 3 + 4 = 3 is reached by 2+3+4, -2+3+4, 2-3+4 and their opposites.
    assert sign_flip([2, -3, 4]) == 6 / 8
    assert sign_flip([0, 1, 0, 2, 3]) == 2 / 8  # what does not differ says nothing
    assert sign_flip([0.0, 0.0]) == 1.0
    assert sign_flip([]) == 1.0


def test_the_sign_flip_test_of_wins_and_losses_is_mcnemars() -> None:
    assert sign_flip([1.0] * 9 + [-1.0] * 2 + [0.0] * 30) == mcnemar(9, 2)


def test_the_sign_flip_test_is_scipys() -> None:
    for count, close in ((9, 1e-9), (40, 0.01)):
        differences = np.random.default_rng(count).normal(0.2, 0.5, count)
        expected = stats.permutation_test(
            (differences,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(0)
        ).pvalue
        assert sign_flip(list(differences)) == pytest.approx(expected, abs=close)


def test_drawn_signs_are_the_same_each_time_and_never_give_0() -> None:
    certain = [0.3 + n / 100 for n in range(40)]
    assert sign_flip(certain) == sign_flip(certain) == 1 / (statistics.FLIPS + 1)


def test_rounding_makes_no_pattern_more_extreme() -> None:
    # 0.1 + 0.2 - 0.3 is not exactly 0, and every pattern is as extreme as that or more.
    assert sign_flip([0.1, 0.2, -0.3]) == 1.0


def test_holm_is_worked_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1; the third is not below the second.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_itself_and_bonferronis(chances: list[float]) -> None:
    for p, corrected in zip(chances, holm(chances), strict=True):
        assert p <= corrected <= min(1.0, p * len(chances))


def test_the_noise_floor_is_worked_by_hand() -> None:
    # Two questions with two repeats that differ by 1: variance 0.5 within each, 0.25 for a question's mean,
    # 0.125 for the mean over both questions, 0.25 for the difference of two such runs.
    run = [[0.0, 1.0], [1.0, 0.0]]
    assert noise_floor(run, run) == pytest.approx(1.959964 * 0.5)
    # Against a run without repeats, which is as noisy: 0.5 / 2 more in the place of 0.125.
    assert noise_floor(run, [[1.0], [0.0]]) == pytest.approx(1.959964 * math.sqrt(0.125 + 0.25))
    assert noise_floor([[0.5, 0.5]], [[0.5, 0.5]]) == 0.0
    assert noise_floor([[1.0], [0.0]], [[1.0], [1.0]]) is None


def test_19_of_20_differences_of_equal_runs_lie_below_the_floor() -> None:
    random = np.random.default_rng(3)
    below = 0
    for _ in range(400):
        easy = random.random(50)[:, None]
        one, other = (random.random((50, 3)) < easy for _ in range(2))
        floor = noise_floor(one.astype(float).tolist(), other.astype(float).tolist())
        assert floor is not None
        below += abs(one.mean() - other.mean()) <= floor
    assert below / 400 == pytest.approx(0.95, abs=0.03)
