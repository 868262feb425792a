"""A mean over questions with the interval that says how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.metrics import mean

RESAMPLES = 2000
STEPS = 1000
"""To so many steps of a unit are scores rounded when they are drawn again, which an interval in tenths of a per cent
does not show."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of `count` questions, and its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int


def estimate(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """Return the mean with its bootstrap percentile interval (Efron and Tibshirani 1993, ch. 13); all 0 of nothing.

    How often each score comes up when as many questions are drawn with replacement is one multinomial draw. So the
    time and the memory go by how many different scores there are, and ten thousand questions take milliseconds.
    """
    if not values:
        return Estimate(0.0, 0.0, 0.0, 0)
    scores, counts = np.unique(np.round(np.asarray(values, dtype=np.float64) * STEPS), return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), size=RESAMPLES)
    low, high = np.percentile(drawn @ scores / (len(values) * STEPS), [2.5, 97.5])
    return Estimate(mean(values), float(low), float(high), len(values))
