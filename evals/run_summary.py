"""A run in numbers, added up line by line: of what was asked and read, only the worst questions stay in memory."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evals.estimates import Estimate, estimate
from evals.metrics import Declined, declined
from evals.scoring import NAMES
from evals.types import Finished

DETAILS = 300
"""Questions that are shown whole, the worst first."""

FAILURES = 100
"""Failed questions that are named."""

COLUMNS = ("f1", "contains", "recall", "citation_recall", "abstained")
"""Metrics that slices are shown with, where a run has them."""

PERCENTILES = (50, 90, 95, 99)

UNNAMED = "(none)"
"""The slice of questions that have no type."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Questions that share a type or a tag: how many were answered and how many failed, and their metrics."""

    label: str
    answered: int
    failed: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in numbers.

    `questions` are told apart by id, `lines` counts them with their repeats, `failed` those lines that ended in an
    error, which are in no metric. A question that was asked several times counts in a mean once, with the mean of its
    answers. `declined` is how well the run declined, None unless it was asked both what can be answered and what
    cannot. `main` is the metric that questions are ordered by, None where nothing was scored. `seconds` and `tokens`
    are those of each answered line; `usage` are sums over these, with the number of lines that told them.
    """

    questions: int
    lines: int
    failed: int
    main: str | None
    metrics: Mapping[str, Estimate]
    declined: Declined | None
    types: Sequence[Slice]
    tags: Sequence[Slice]
    seconds: Sequence[float]
    tokens: Sequence[float]
    usage: Mapping[str, tuple[float, int]]
    failures: Mapping[str, int]

    @property
    def answered(self) -> int:
        """Lines that ended in an answer."""
        return self.lines - self.failed


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return what half, and 90, 95 and 99 of a hundred values do not exceed; empty of nothing."""
    if not len(values):
        return {}
    found = np.percentile(np.asarray(values), PERCENTILES)
    return {f"p{name}": float(value) for name, value in zip(PERCENTILES, found, strict=True)}


@dataclass(slots=True)
class _Group:
    """The lines of one slice, counted while they come by."""

    ids: set[str] = field(default_factory=set)
    answered: int = 0
    failed: int = 0

    def add(self, line: Finished) -> None:
        self.ids.add(line.id)
        self.answered += line.error is None
        self.failed += line.error is not None


class Tally:
    """Adds up a run line by line. `worst` are the answered lines with the lowest main metric, the first of equals
    first; `broken` the first that failed."""

    def __init__(self, details: int = DETAILS) -> None:
        self._details = details
        self._scores: dict[str, dict[str, tuple[float, int]]] = {}
        self._all = _Group()
        self._types: dict[str, _Group] = defaultdict(_Group)
        self._tags: dict[str, _Group] = defaultdict(_Group)
        self._seconds, self._tokens = array("d"), array("d")
        self._usage: dict[str, tuple[float, int]] = {}
        self._declined: list[tuple[bool, bool]] = []
        self._failures: Counter[str] = Counter()
        self._heap: list[tuple[float, int, Finished]] = []
        self._lines = 0
        self.broken: list[Finished] = []

    def add(self, line: Finished) -> None:
        """Count one line."""
        self._lines += 1
        for group in (self._all, self._types[line.type or UNNAMED], *(self._tags[tag] for tag in {*line.tags})):
            group.add(line)
        if line.error is not None:
            self._failures[line.error.partition(":")[0]] += 1
            if len(self.broken) < FAILURES:
                self.broken.append(line)
            return
        for name, value in line.scores.items():
            total, count = self._scores.setdefault(name, {}).get(line.id, (0.0, 0))
            self._scores[name][line.id] = (total + value, count + 1)
        for name, value in line.usage.items():
            total, count = self._usage.get(name, (0.0, 0))
            self._usage[name] = (total + value, count + 1)
        self._declined.append((line.unanswerable, line.abstained))
        self._seconds.append(line.seconds)
        self._tokens.append(line.usage.get("input_tokens", 0) + line.usage.get("output_tokens", 0))
        self._keep(line)

    def _keep(self, line: Finished) -> None:
        """Hold the line if it is among the worst so far: the heap's first is the best of those."""
        entry = (-ordering(line), -self._lines, line)  # no two lines have one number, so lines are never compared
        if len(self._heap) < self._details:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    @property
    def worst(self) -> list[Finished]:
        """The worst answered lines, worst first."""
        return [line for _, _, line in sorted(self._heap, reverse=True)]

    def summary(self) -> Summary:
        """Return what has been counted."""
        return Summary(
            questions=len(self._all.ids),
            lines=self._lines,
            failed=self._all.failed,
            main=next((name for name in (*COLUMNS, *self._scores) if name in self._scores), None),
            metrics={name: self._estimate(name) for name in (*NAMES, *self._scores) if name in self._scores},
            declined=declined(self._declined) if len({asked for asked, _ in self._declined}) > 1 else None,
            types=self._slices(self._types),
            tags=self._slices(self._tags),
            seconds=self._seconds,
            tokens=self._tokens,
            usage=self._usage,
            failures=dict(self._failures.most_common()),
        )

    def _slices(self, groups: Mapping[str, _Group]) -> list[Slice]:
        """The slices, the one with the most questions first."""
        shown = [name for name in COLUMNS if name in self._scores]
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1].ids), group[0]))
        return [
            Slice(
                label,
                group.answered,
                group.failed,
                {name: found for name in shown if (found := self._estimate(name, group.ids)).count},
            )
            for label, group in ordered
        ]

    def _estimate(self, name: str, ids: set[str] | None = None) -> Estimate:
        scores = self._scores[name]
        of = scores.values() if ids is None else [scores[id_] for id_ in ids if id_ in scores]
        return estimate([total / count for total, count in of])


def ordering(line: Finished) -> float:
    """Return the score that a line is ordered by: the first of `COLUMNS` that it has, else its first; 0 without any."""
    found = next((line.scores[name] for name in COLUMNS if name in line.scores), None)
    return found if found is not None else next(iter(line.scores.values()), 0.0)
