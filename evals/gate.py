"""Gates for CI: conditions that a run must meet, as in `f1>=0.55, recall@5>=0.93`, and not being worse than another."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evals.compare import Comparison
from evals.scored_run import JUDGED
from ingest.errors import UserError

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(
    r"([A-Za-z][\w@./:-]{0,99}?) *(>=|<=|>|<) *(-?(?:\d{1,15}(?:\.\d{1,15})?|\.\d{1,15}))", re.ASCII
)
_DIGITS = 12  # what sums of floating-point numbers leave behind these is no difference


@dataclass(frozen=True, slots=True)
class Condition:
    """A metric and the bound that it is held against; shares are from 0 to 1."""

    metric: str
    relation: str
    bound: float

    def met(self, value: float) -> bool:
        """Whether the value meets it."""
        return _HOLDS[self.relation](round(value, _DIGITS), self.bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.bound:.12g}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a run met a condition, and by what value; of "no worse than" another run, the difference from it."""

    run: str
    condition: str
    value: float
    met: bool


def parse(expression: str) -> list[Condition]:
    """Return the conditions of an expression, divided by commas. Raises UserError for what is none."""
    found = []
    for part in expression.split(","):
        if not (matched := _CONDITION.fullmatch(part.strip())):
            raise UserError(
                f"{part.strip()[:100]!r} is no condition of a gate. Write METRIC>=NUMBER, with >=, >, <= or <, "
                "and commas between several: f1>=0.55, recall@5>=0.93."
            )
        found.append(Condition(matched[1], matched[2], float(matched[3])))
    return found


def check(run: str, values: Mapping[str, float], conditions: Sequence[Condition], *, judged: bool) -> list[Outcome]:
    """Hold a run against conditions. Raises UserError for a metric that it has not, and unless `judged` for one that a
    model judged."""
    found = []
    for condition in conditions:
        if condition.metric.startswith(JUDGED) and not judged:
            raise UserError(
                f"{condition.metric} is a model's judgement, which can change without the system that is judged. "
                "Gate on another metric, or add --gate-judged."
            )
        if condition.metric not in values:
            known = ", ".join(sorted(values))
            raise UserError(f"Run {run} has no metric {condition.metric!r} to gate on. It has {known}.")
        value = values[condition.metric]
        found.append(Outcome(run, str(condition), value, condition.met(value)))
    return found


def no_worse(comparison: Comparison, *, judged: bool) -> list[Outcome]:
    """Hold the second run of a comparison against the first: no metric's verdict may be "worse". Judged ones count only
    where `judged`."""
    first, second = comparison.runs
    return [
        Outcome(second, f"{name} no worse than {first}", each.difference.mean, each.verdict != "worse")
        for name, each in comparison.metrics.items()
        if judged or not name.startswith(JUDGED)
    ]
