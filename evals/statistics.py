"""What a difference between two runs is worth: intervals, tests, and the size of what is noise. Pure, with seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals import metrics

RESAMPLES = 2_000
FLIPS = 10_000

EXACT = 14
"""So many differences that are not 0 have 2 ** 14 = 16,384 patterns of signs, which are all looked at."""

NORMAL = 1.959964
"""Standard deviations to either side of the mean within which 95 % of a normal distribution lie."""

_HELD = 4_000_000
"""Numbers drawn at once, so that ten thousand questions take no more memory than fifty."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of a difference between two runs over the same questions, with its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap(values: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over resampled questions (Efron and Tibshirani 1993, ch. 13)."""
    sample = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(seed)
    found = [
        sample[random.integers(len(sample), size=(rows, len(sample)))].mean(axis=1)
        for rows in blocks(RESAMPLES, len(sample))
    ]
    low, high = np.percentile(np.concatenate(found), [2.5, 97.5])
    return float(low), float(high)


def paired(scores: Sequence[float], others: Sequence[float]) -> Difference:
    """Return how much higher the first scores are than the second, question by question.

    Both met the same easy and the same hard questions, so the questions are resampled in pairs: the interval
    of the difference is much narrower than the two runs' own intervals are apart (Efron and Tibshirani 1993).
    Raises ValueError where there are not as many of the one as of the other.
    """
    differences = [one - other for one, other in zip(scores, others, strict=True)]
    return Difference(metrics.mean(differences), *bootstrap(differences))


def mcnemar(won: int, lost: int) -> float:
    """Return the two-sided p of so many questions won and lost where both are as likely: the exact test.

    McNemar 1947 (Psychometrika 12:153), by the binomial distribution in the place of his chi-square, which is too sure
    of itself below some 25 questions. Questions on which both runs agree say nothing.
    """
    count = won + lost
    term = tail = 1
    for k in range(min(won, lost)):  # binomial coefficients as whole numbers: exact for any count
        term = term * (count - k) // (k + 1)
        tail += term
    return float(min(1.0, 2 * tail / (1 << count)))


def sign_flip(differences: Sequence[float], *, seed: int = 0) -> float:
    """Return the two-sided p of the mean difference where each question's could as well have had the other sign.

    Fisher 1935 (The Design of Experiments, section 21). Up to `EXACT` differences that are not 0, all patterns of
    signs are looked at; beyond, `FLIPS` drawn ones, and the one that was observed counts among them, so that no p is 0
    (Phipson and Smyth 2010).
    """
    moved = np.array([difference for difference in differences if difference], dtype=np.float64)
    count, total = len(moved), moved.sum()
    # What differs by rounding alone is as extreme.
    extreme = abs(total) - 1e-9 * np.abs(moved).sum()
    if count <= EXACT:
        signs = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return float((np.abs(2 * (signs @ moved) - total) >= extreme).mean())
    random = np.random.default_rng(seed)
    reached = 0
    for rows in blocks(FLIPS, count):
        kept = random.integers(2, size=(rows, count), dtype=np.uint8)
        reached += int((np.abs(2 * (kept @ moved) - total) >= extreme).sum())
    return (reached + 1) / (FLIPS + 1)


def holm(chances: Sequence[float]) -> list[float]:
    """Return each p corrected for being one of so many, in the same order: claims by them are wrong, all together, as
    rarely as a single one would be.

    Holm 1979 (Scandinavian Journal of Statistics 6:65): the smallest times their number, the next times one fewer, none
    below one before it.
    """
    corrected = [0.0] * len(chances)
    highest = 0.0
    for done, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        highest = max(highest, min(1.0, chances[place] * (len(chances) - done)))
        corrected[place] = highest
    return corrected


def noise_floor(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> float | None:
    """Return the size below which 95 % of differences between two means lie where nothing was changed: A/A.

    Each run is a row of repeats for each question. The variance between repeats of one question, pooled over questions
    (the mean square within groups of the one-way analysis of variance: Fisher 1925, ch. VII), is what asking again
    brings by itself; the means over questions and repeats have the less of it the more of both there are. A run without
    repeats is taken to be as noisy as the other. None where neither has any.
    """
    within = [_within(run) for run in (first, second)]
    known = [each for each in within if each is not None]
    if not known:
        return None
    variance = 0.0
    for run, own in zip((first, second), within, strict=True):
        variance += (known[0] if own is None else own) * sum(1 / len(repeats) for repeats in run) / len(run) ** 2
    return NORMAL * math.sqrt(variance)


def blocks(rows: int, width: int) -> Iterator[int]:
    """Yield how many rows of so many numbers to make at a time, which add up to `rows`."""
    most = max(1, _HELD // max(1, width))
    for done in range(0, rows, most):
        yield min(most, rows - done)


def _within(run: Sequence[Sequence[float]]) -> float | None:
    """The variance between repeats of one question, pooled; None where no question has any."""
    repeated = [np.asarray(repeats, dtype=np.float64) for repeats in run if len(repeats) > 1]
    freedom = sum(len(repeats) - 1 for repeats in repeated)
    if not freedom:
        return None
    return float(sum(_squares(repeats) for repeats in repeated)) / freedom


def _squares(repeats: NDArray[np.float64]) -> float:
    return float(((repeats - repeats.mean()) ** 2).sum())
