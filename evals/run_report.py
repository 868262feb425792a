"""What a run came to, summed up from its lines one by one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from evals import metrics
from evals.scoring import NAMES
from evals.types import Finished

PERCENTILES = {"median": 0.5, "p90": 0.9, "p95": 0.95}


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run as `hoplite eval run --json` prints it.

    `metrics` are means, from 0 to 1, over the answers that have what the metric needs; a metric that no answer has is
    absent, and `counts` says over how many each one is. `questions` are those that were asked, `answers` the times
    they were, which are more with `--repeat`. `errors` counts those on which answering failed, which are in no mean.
    `missing` were not asked, because the run `ended` early, and what ended it. `usage` and the "answers" of
    `timings`, in seconds, are sums over all answers, whenever they were asked; the percentiles are of the seconds
    of single ones that did not fail. A usage that an answer lacks, such as dollars where a price is not known, has no
    sum.
    """

    run: str
    questions: int
    errors: int
    metrics: Mapping[str, float]
    usage: Mapping[str, float]
    timings: Mapping[str, float]
    counts: Mapping[str, int] = field(default_factory=dict)
    answers: int = 0
    missing: int = 0
    ended: str | None = None

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return asdict(self)


def report(name: str, lines: Iterable[Finished], *, missing: int = 0, ended: str | None = None) -> RunReport:
    """Sum up a run. The lines are read once, and of each only numbers are kept."""
    columns: dict[str, list[float]] = {}
    used: dict[str, list[float]] = {}
    asked: set[str] = set()
    errors, answers, counted = 0, 0, 0
    spent: list[float] = []
    seconds: list[float] = []
    declined: list[tuple[bool, bool]] = []
    for line in lines:
        asked.add(line.id)
        answers += 1
        spent.append(line.seconds)
        if line.error is None or line.usage:
            counted += 1
            for key, amount in line.usage.items():
                used.setdefault(key, []).append(amount)
        if line.error is not None:
            errors += 1
            continue
        seconds.append(line.seconds)
        declined.append((line.unanswerable, line.abstained))
        for key, value in line.scores.items():
            columns.setdefault(key, []).append(value)
    means = {key: metrics.mean(columns[key]) for key in NAMES if key in columns}
    counts = {key: len(columns[key]) for key in means}
    for key, value, count in declining(declined):
        means[key], counts[key] = value, count
    return RunReport(
        run=name,
        questions=len(asked),
        errors=errors,
        metrics=means,
        usage={key: math.fsum(amounts) for key, amounts in used.items() if len(amounts) == counted},
        timings={"answers": math.fsum(spent)}
        | {key: metrics.percentile(seconds, share) for key, share in PERCENTILES.items() if seconds},
        counts=counts,
        answers=answers,
        missing=missing,
        ended=ended,
    )


def declining(pairs: Sequence[tuple[bool, bool]]) -> Iterable[tuple[str, float, int]]:
    """Yield how well a run declined, where it was asked what can be answered and what cannot: name, value and count.

    A pair an answer: whether its question is unanswerable, and whether it declined.
    """
    if len({unanswerable for unanswerable, _ in pairs}) < 2:
        return
    found = metrics.declined(pairs)
    counted = (("precision", found.precision, found.declined), ("recall", found.recall, found.unanswerable))
    for name, value, count in (*counted, ("f1", found.f1, len(pairs))):
        if value is not None:
            yield f"declined_{name}", value, count
