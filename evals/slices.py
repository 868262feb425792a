"""Two runs over parts of their questions, by type and by tag, and whether the parts say the opposite of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evals import metrics
from evals.scored_run import ANSWERED, Pair, ScoredRun, having, metrics_of
from evals.statistics import paired

LEAST = 5
"""Questions that an interval needs: of fewer, resampling says too little (Efron and Tibshirani 1993, ch. 13)."""

MOST_TAGS = 50
"""Tags that are looked at, those of most questions."""


@dataclass(frozen=True, slots=True)
class Part:
    """One metric over a slice's questions that have it in both runs. `difference` is the second's mean less the
    first's; its interval is None for fewer than `LEAST` questions."""

    questions: int
    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Slice:
    """The questions of one type, or with one tag. They are for reading: nothing is claimed of a slice."""

    by: Literal["type", "tag"]
    name: str
    metrics: Mapping[str, Part]


@dataclass(frozen=True, slots=True)
class Reversal:
    """Simpson's paradox: over all questions that each run scored, the second's mean differs from the first's by
    `whole`, and in every type, by `types`, it differs the other way."""

    metric: str
    whole: float
    types: Mapping[str, float]


def slices(pairs: Sequence[Pair]) -> list[Slice]:
    """Return the slices, by type in their order, then by tag, those of most questions first. Where all questions have
    one type, it is no slice."""
    types = list(dict.fromkeys(pair.first.type for pair in pairs))
    tags = Counter(tag for pair in pairs for tag in pair.first.tags)
    common = sorted(tags, key=lambda tag: (-tags[tag], tag))[:MOST_TAGS]
    found = [
        Slice("type", name, _parts([p for p in pairs if p.first.type == name])) for name in types if len(types) > 1
    ]
    found += [Slice("tag", name, _parts([p for p in pairs if name in p.first.tags])) for name in common]
    return [each for each in found if each.metrics]


def reversal(first: ScoredRun, second: ScoredRun, metric: str) -> Reversal | None:
    """Return the reversal of a metric's means, where there is one.

    Simpson 1951 (Journal of the Royal Statistical Society B 13:238). It cannot happen question by question, where both
    runs have as many of each type. It happens to the means that each run reports of itself, where they scored other
    mixtures: one failed or declined where it is hard.
    """
    own = [_by_type(run, metric) for run in (first, second)]
    if set(own[0]) != set(own[1]) or len(own[0]) < 2:
        return None
    whole = _apart(*([value for values in types.values() for value in values] for types in own))
    types = {name: _apart(own[0][name], own[1][name]) for name in own[0]}
    if all(difference * whole < 0 for difference in types.values()):
        return Reversal(metric, whole, types)
    return None


def _by_type(run: ScoredRun, metric: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for question in run.questions.values():
        if metric in question.scores:
            found.setdefault(question.type, []).append(question.mean(metric))
    return found


def _apart(first: Sequence[float], second: Sequence[float]) -> float:
    return metrics.mean(second) - metrics.mean(first)


def _parts(pairs: Sequence[Pair]) -> dict[str, Part]:
    return {metric: _part(having(pairs, metric), metric) for metric in metrics_of(pairs) if metric != ANSWERED}


def _part(pairs: Sequence[Pair], metric: str) -> Part:
    one, other = [pair.first.mean(metric) for pair in pairs], [pair.second.mean(metric) for pair in pairs]
    found = paired(other, one) if len(pairs) >= LEAST else None
    return Part(
        questions=len(pairs),
        first=metrics.mean(one),
        second=metrics.mean(other),
        difference=_apart(one, other),
        interval=None if found is None else (found.low, found.high),
    )
