"""Runs over the same questions, question by question: what differs, and whether chance alone would do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from evals import metrics
from evals.scored_run import ANSWERED, Pair, ScoredQuestion, ScoredRun, having, load, metrics_of, pairs_of
from evals.slices import Reversal, Slice, reversal, slices
from evals.statistics import Difference, holm, mcnemar, noise_floor, paired, sign_flip
from ingest.errors import UserError

CHANCE = 0.05

RIGHT = 0.5
"""A question is right where its metric's mean over its repeats reaches this."""

RIGHT_BY = ("contains", "em", "f1", "all_shown", "recall")
"""What tells whether a question is right, unless somebody says: the first of these that there is."""

NO_DIRECTION = frozenset({"abstained"})
"""Metrics of which neither more nor less is better."""

Verdict = Literal["better", "worse", "higher", "lower", "within noise", "no difference shown"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of two runs: their means over the `questions` that have it in both, and the second's minus the first's
    with its 95 % bootstrap interval.

    `p` is of the exact McNemar test where every question is 0 or 1, else of the sign-flip permutation test, as `test`
    says; `corrected` is by Holm over all metrics of all comparisons that are made together. Below `floor` is what
    asking again changes by itself; None without repeats.
    """

    first: float
    second: float
    difference: Difference
    questions: int
    test: Literal["McNemar", "permutation"]
    p: float
    corrected: float
    floor: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Changed:
    """A question that is right in one of the runs and wrong in the other, with the answer of each."""

    id: str
    question: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the `questions` that both answered. `seconds` are medians a question, `tokens` means, input and
    output together.

    `judges` says of each metric that a model judged who judged either run, and how that judge agrees with people.
    `failed` are the questions of each run that it failed on every time, and `alone` counts those that only it was
    asked. `other` names what the runs were not made alike with. `right_by` is the metric by which questions are `fixed`
    and `broken`.
    """

    runs: tuple[str, str]
    questions: int
    metrics: dict[str, Compared]
    seconds: tuple[float, float]
    tokens: tuple[float, float]
    slices: tuple[Slice, ...]
    reversals: tuple[Reversal, ...]
    right_by: str
    fixed: tuple[Changed, ...]
    broken: tuple[Changed, ...]
    failed: tuple[tuple[str, ...], tuple[str, ...]]
    alone: tuple[int, int]
    other: tuple[str, ...]
    judges: dict[str, tuple[str, str]]

    def as_json(self) -> dict[str, Any]:
        """The object that `hoplite eval compare --json` prints of two runs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Tested:
    """A metric before the correction."""

    pairs: Sequence[Pair]
    first: Sequence[float]
    second: Sequence[float]
    test: Literal["McNemar", "permutation"]
    p: float


def compare(first: Path, second: Path) -> Comparison:
    """Compare two folders of `hoplite eval run --out`, over the questions that both answered without an error.

    Raises UserError where a folder holds no run, or where no question is in both.
    """
    return compare_runs(load([first, second]))[0]


def compare_runs(runs: Sequence[ScoredRun], *, right_by: str | None = None) -> list[Comparison]:
    """Compare each later run with the first. All that is claimed of any of them is wrong in 1 of 20 cases at most.

    Raises UserError where one has no question in common with the first, or none has the metric `right_by`.
    """
    first, *others = runs
    shared = [pairs_of(first, other) for other in others]
    tested = [_tested(pairs) for pairs in shared]
    corrected = _corrected(tested)
    return [
        _comparison(
            first,
            other,
            shared[place],
            {name: _compared(name, each, corrected[place][name]) for name, each in tested[place].items()},
            right_by,
        )
        for place, other in enumerate(others)
    ]


def means_of_all(runs: Sequence[ScoredRun]) -> dict[str, list[float]]:
    """Return the means of each metric that all runs have, over the questions that have it in all of them."""
    everywhere = [id for id in runs[0].questions if all(id in run.questions for run in runs)]
    found: dict[str, list[float]] = {}
    for name in dict.fromkeys(name for id in everywhere for name in runs[0].questions[id].scores):
        having_it = [id for id in everywhere if all(name in run.questions[id].scores for run in runs)]
        if having_it:
            found[name] = [metrics.mean([run.questions[id].mean(name) for id in having_it]) for run in runs]
    return found


def _tested(pairs: Sequence[Pair]) -> dict[str, _Tested]:
    found = {}
    for name in metrics_of(pairs):
        there = having(pairs, name)
        one, other = [pair.first.mean(name) for pair in there], [pair.second.mean(name) for pair in there]
        if name == ANSWERED and {*one, *other} == {1.0}:
            continue  # nothing failed, and nobody asked
        if {*one, *other} <= {0.0, 1.0}:
            won = sum(b > a for a, b in zip(one, other, strict=True))
            lost = sum(b < a for a, b in zip(one, other, strict=True))
            found[name] = _Tested(there, one, other, "McNemar", mcnemar(won, lost))
        else:
            p = sign_flip([b - a for a, b in zip(one, other, strict=True)])
            found[name] = _Tested(there, one, other, "permutation", p)
    return found


def _corrected(tested: Sequence[Mapping[str, _Tested]]) -> list[dict[str, float]]:
    """Each p corrected for how many there are, by comparison and metric.

    Where nothing differs no claim can be made, so that it is not counted (Tarone 1990, Biometrics 46:515). Metrics that
    differ on the same questions by the same amounts are one, as are recall and context recall.
    """
    alike: dict[tuple[int, tuple[tuple[str, float], ...]], list[str]] = {}
    for place, found in enumerate(tested):
        for name, each in found.items():
            differing = tuple(
                (pair.first.id, other - one)
                for pair, one, other in zip(each.pairs, each.first, each.second, strict=True)
                if one != other
            )
            if differing:
                alike.setdefault((place, differing), []).append(name)
    corrected = [dict.fromkeys(found, 1.0) for found in tested]
    chances = holm([max(tested[place][name].p for name in names) for (place, _), names in alike.items()])
    for ((place, _), names), chance in zip(alike.items(), chances, strict=True):
        corrected[place] |= dict.fromkeys(names, chance)
    return corrected


def _compared(name: str, tested: _Tested, corrected: float) -> Compared:
    difference = paired(tested.second, tested.first)
    floor = noise_floor(
        [pair.first.scores[name] for pair in tested.pairs], [pair.second.scores[name] for pair in tested.pairs]
    )
    return Compared(
        first=metrics.mean(tested.first),
        second=metrics.mean(tested.second),
        difference=difference,
        questions=len(tested.pairs),
        test=tested.test,
        p=tested.p,
        corrected=corrected,
        floor=floor,
        verdict=_verdict(name, difference, corrected, floor),
    )


def _verdict(name: str, difference: Difference, corrected: float, floor: float | None) -> Verdict:
    if floor is not None and 0 < abs(difference.mean) <= floor:
        return "within noise"
    if corrected >= CHANCE or difference.low <= 0 <= difference.high:
        return "no difference shown"
    if name in NO_DIRECTION:
        return "higher" if difference.mean > 0 else "lower"
    return "better" if difference.mean > 0 else "worse"


def _comparison(
    first: ScoredRun, second: ScoredRun, pairs: Sequence[Pair], found: dict[str, Compared], right_by: str | None
) -> Comparison:
    both = [pair for pair in pairs if pair.first.answered and pair.second.answered]
    if not both:
        raise UserError(f"{first.name} and {second.name} both answered none of their questions. Look at their errors.")
    metric = _right_by(found, right_by)
    fixed, broken = _changed(having(both, metric), metric)
    reversals = [reversal(first, second, name) for name in found if name != ANSWERED]
    return Comparison(
        runs=(first.name, second.name),
        questions=len(both),
        metrics=found,
        seconds=_both(both, lambda question: metrics.mean(question.seconds), median),
        tokens=_both(both, lambda question: metrics.mean(question.tokens), metrics.mean),
        slices=tuple(slices(both)),
        reversals=tuple(each for each in reversals if each is not None),
        right_by=metric,
        fixed=fixed,
        broken=broken,
        failed=(_failed(first), _failed(second)),
        alone=(len(first.questions) - len(pairs), len(second.questions) - len(pairs)),
        other=tuple(differing_keys(first.fingerprint, second.fingerprint)),
        judges={
            name: (first.judges[name], second.judges[name])
            for name in found
            if name in first.judges and name in second.judges
        },
    )


def _right_by(found: Mapping[str, Compared], wanted: str | None) -> str:
    known = [name for name in found if name != ANSWERED]
    if wanted is None:
        return next((name for name in (*RIGHT_BY, *known) if name in found), ANSWERED)
    if wanted not in known:
        raise UserError(f"The runs have no metric {wanted!r}. They have {', '.join(known) or 'none'}.")
    return wanted


def _changed(pairs: Sequence[Pair], metric: str) -> tuple[tuple[Changed, ...], tuple[Changed, ...]]:
    fixed: list[Changed] = []
    broken: list[Changed] = []
    for pair in pairs:
        before, after = pair.first.mean(metric) >= RIGHT, pair.second.mean(metric) >= RIGHT
        if before != after:
            changed = Changed(pair.first.id, pair.first.question, pair.first.answer, pair.second.answer)
            (fixed if after else broken).append(changed)
    return tuple(fixed), tuple(broken)


def _failed(run: ScoredRun) -> tuple[str, ...]:
    return tuple(question.id for question in run.questions.values() if not question.answered)


def differing_keys(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Return what of two fingerprints is not the same, by name; of an object, such as the settings, by its keys."""
    found = []
    for key in sorted({*first, *second}):
        one, other = first.get(key), second.get(key)
        if one == other:
            continue
        inner = [_object(value) for value in (one, other)]
        if inner[0] is None or inner[1] is None:
            found.append(key)
        else:
            keys = sorted(name for name in {*inner[0], *inner[1]} if inner[0].get(name) != inner[1].get(name))
            found.append(f"{key} ({', '.join(keys)})" if keys else key)
    return found


def _object(value: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(value or "")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _both(
    pairs: Sequence[Pair], of: Callable[[ScoredQuestion], float], summed: Callable[[Sequence[float]], float]
) -> tuple[float, float]:
    return summed([of(pair.first) for pair in pairs]), summed([of(pair.second) for pair in pairs])
