"""Bradley-Terry: one strength for each of several runs, from which of two was preferred, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.statistics import RESAMPLES, blocks

ROUNDS = 10_000
CLOSE = 1e-9

Counts = NDArray[np.float64]
"""(..., runs, runs): how often the run of the row was preferred to the run of the column."""


@dataclass(frozen=True, slots=True)
class Strength:
    """A run's strength: the natural logarithm of its odds against the runs' average, which has 0, with a 95 % interval.

    `share` is how often it would be preferred to such an average run. Of the pairs that it was in it `won`, `tied` and
    `lost` so many.
    """

    run: str
    strength: float
    low: float
    high: float
    share: float
    won: int
    tied: int
    lost: int


def strengths(runs: Sequence[str], questions: Sequence[Counts], *, seed: int = 0) -> list[Strength]:
    """Return each run's strength, the strongest first. `questions` holds for each question how often which run was
    preferred to which; a tie is half a time each way.

    Every pair of runs that met at all counts as having been tied once more, so that a run that was always preferred
    is strong and not infinitely so. Intervals are of resampled questions (percentiles; Efron and Tibshirani 1993,
    ch. 13), since preferences about one question go together. Raises ValueError as `fit` does.
    """
    each = np.stack(questions)
    counts = each.sum(axis=0)
    once_more = 0.5 * (counts + counts.T > 0)
    found = fit(counts + once_more)
    random = np.random.default_rng(seed)
    flat = each.reshape(len(each), -1)
    resampled = [
        fit((_drawn(random, rows, len(each)) @ flat).reshape(rows, *counts.shape) + once_more)
        for rows in blocks(RESAMPLES, len(each))
    ]
    low, high = np.percentile(np.concatenate(resampled), [2.5, 97.5], axis=0)
    order = sorted(range(len(runs)), key=lambda place: (-found[place], runs[place]))
    won, lost, tied = (each == 1).sum(axis=(0, 2)), (each == 1).sum(axis=(0, 1)), (each == 0.5).sum(axis=(0, 2))
    return [
        Strength(
            run=runs[place],
            strength=float(found[place]),
            low=float(low[place]),
            high=float(high[place]),
            share=float(1 / (1 + np.exp(-found[place]))),
            won=int(won[place]),
            tied=int(tied[place]),
            lost=int(lost[place]),
        )
        for place in order
    ]


def fit(counts: Counts) -> NDArray[np.float64]:
    """Return the strengths, (..., runs), that make the counts most likely; they add up to 0.

    Bradley and Terry 1952 (Biometrika 39:324), found by the MM algorithm of Hunter 2004 (Annals of Statistics 32:384,
    eq. 3): each run's wins over the sum, for each other run, of the pairs with it over both strengths. Raises
    ValueError where no strengths are most likely: where the runs fall in two groups of which one never lost to the
    other (his assumption 1).
    """
    _require_one_group(counts)
    met = counts + np.swapaxes(counts, -1, -2)
    wins = counts.sum(axis=-1)
    found = np.ones(wins.shape)
    for _ in range(ROUNDS):
        renewed = wins / (met / (found[..., :, None] + found[..., None, :])).sum(axis=-1)
        renewed /= np.exp(np.log(renewed).mean(axis=-1, keepdims=True))
        settled = np.abs(np.log(renewed / found)).max() < CLOSE
        found = renewed
        if settled:
            break
    return np.log(found)


def _require_one_group(counts: Counts) -> None:
    """Every run must be reached from every other by steps from a run to one that it was preferred to."""
    size = counts.shape[-1]
    reached = (counts > 0) | np.eye(size, dtype=bool)
    for _ in range(size.bit_length()):
        reached = (reached.astype(np.float64) @ reached.astype(np.float64)) > 0
    if not reached.all():
        raise ValueError("the runs fall in two groups, of which one was never preferred to the other")


def _drawn(random: np.random.Generator, rows: int, count: int) -> NDArray[np.float64]:
    """(rows, count): how often each of `count` questions was drawn, with replacement."""
    return random.multinomial(count, np.full(count, 1 / count), size=rows).astype(np.float64)
