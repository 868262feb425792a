"""Two runs over the same questions, question by question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from evals import metrics
from evals.retrieval_eval import Difference, paired
from evals.run_files import answers
from evals.types import Finished
from ingest.errors import UserError


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of two runs: their means over the questions that have it in both, and the second's minus the first's
    with its 95 % bootstrap interval."""

    first: float
    second: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the `questions` that both answered. `seconds` are medians a question, `tokens` means, input and
    output together."""

    runs: tuple[str, str]
    questions: int
    metrics: dict[str, Compared]
    seconds: tuple[float, float]
    tokens: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """The object that `hoplite eval compare --json` prints."""
        return asdict(self)


def compare(first: Path, second: Path) -> Comparison:
    """Compare two folders of `hoplite eval run --out`, over the questions that both answered without an error.

    Raises UserError where a folder holds no run, or where no question is in both.
    """
    runs = [{line.id: line for line in answers(folder) if line.error is None} for folder in (first, second)]
    shared = [number for number in runs[0] if number in runs[1]]
    lines = [[run[number] for number in shared] for run in runs]
    if not shared or any(a.question != b.question for a, b in zip(*lines, strict=True)):
        raise UserError(f"{first} and {second} have no questions in common. Compare two runs over one set.")
    found = {}
    for name in dict.fromkeys(name for line in lines[0] for name in line.scores):
        both = [
            (a.scores[name], b.scores[name])
            for a, b in zip(*lines, strict=True)
            if name in a.scores and name in b.scores
        ]
        if both:
            one, other = ([pair[side] for pair in both] for side in (0, 1))
            found[name] = Compared(metrics.mean(one), metrics.mean(other), paired(other, one))
    return Comparison(
        runs=(first.name, second.name),
        questions=len(shared),
        metrics=found,
        seconds=_both(lines, lambda line: line.seconds, median),
        tokens=_both(lines, _tokens, metrics.mean),
    )


def _both(
    lines: Sequence[Sequence[Finished]], of: Callable[[Finished], float], summed: Callable[[Sequence[float]], float]
) -> tuple[float, float]:
    first, second = (summed([of(line) for line in run]) for run in lines)
    return first, second


def _tokens(line: Finished) -> float:
    return line.usage.get("input_tokens", 0) + line.usage.get("output_tokens", 0)
