"""How well a comparison knows its noise: `python -m evals.noise [--trials N]`.

Runs are drawn from a system that is known, so that whether there is a difference is known too. Counted are the
comparisons of equal runs in which anything is claimed, and those of a better run in which that is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import numpy as np
from numpy.typing import NDArray

from evals.compare import Comparison, compare_runs
from evals.scored_run import ScoredRun, scored
from evals.tables import table
from evals.types import Finished

QUESTIONS = 50
LIFT = 0.15

CLAIMS = frozenset({"better", "worse", "higher", "lower"})

Easy = NDArray[np.float64]
"""(questions,): each question's chance of a right answer."""


def easiness(random: np.random.Generator, count: int) -> Easy:
    """Return chances as of a real set: many questions are nearly always right, many nearly never."""
    return random.beta(0.7, 0.7, count)


def drawn(random: np.random.Generator, name: str, easy: Easy, *, repeats: int = 1) -> ScoredRun:
    """Return a run whose every answer is drawn anew.

    Its eight metrics go together as a real run's do: right answers have a high F1 and cite what is gold, some wrong
    ones decline, and retrieval is the same but for the few questions where the system's own searches differ.
    """
    lines = [
        _line(f"q{number}", repeat, _scores(random, float(chance)))
        for number, chance in enumerate(easy)
        for repeat in range(repeats)
    ]
    return scored(name, {}, lines)


def equal(random: np.random.Generator, trials: int, *, runs: int = 2, repeats: int = 1) -> Iterator[list[Comparison]]:
    """Yield comparisons of so many runs of one system over `QUESTIONS` questions."""
    for _ in range(trials):
        easy = easiness(random, QUESTIONS)
        yield compare_runs([drawn(random, f"run {number}", easy, repeats=repeats) for number in range(runs)])


def lifted(random: np.random.Generator, trials: int, questions: int, *, repeats: int = 1) -> Iterator[Comparison]:
    """Yield comparisons of a system with one that is right by `LIFT` more often on every question."""
    for _ in range(trials):
        easy = easiness(random, questions) * (1 - LIFT)
        runs = [drawn(random, "plain", easy, repeats=repeats), drawn(random, "lifted", easy + LIFT, repeats=repeats)]
        yield from compare_runs(runs)


def claims(found: Sequence[Comparison]) -> bool:
    """Whether anything is said to differ."""
    return any(each.verdict in CLAIMS for comparison in found for each in comparison.metrics.values())


def _scores(random: np.random.Generator, chance: float) -> dict[str, float]:
    right = bool(random.random() < chance)
    exact = right and random.random() < 0.6
    declined = not right and random.random() < 0.3
    found = min(1.0, round(chance * 2) / 2 + 0.5 * (random.random() < 0.1))
    cited = random.choice([0.0, 0.5, 1.0], p=[0.1, 0.3, 0.6] if right else None)
    scores = {
        "contains": float(right),
        "em": float(exact),
        "f1": 1.0 if exact else 0.0 if declined else float(random.beta(4, 2) if right else random.beta(1, 4)),
        "abstained": float(declined),
        "recall": found,
        "all_shown": float(found == 1.0),
        "citation_recall": 0.0 if declined else float(cited) * (1.0 if right else 0.5),
    }
    return scores if declined else scores | {"citation_precision": float(cited)}


def _line(id: str, repeat: int, scores: dict[str, float]) -> Finished:
    return Finished(
        id=id,
        question=f"Question {id}?",
        answer="",
        abstained=bool(scores["abstained"]),
        shown=(),
        cited=(),
        usage={},
        seconds=1.0,
        trace_id=None,
        error=None,
        scores=scores,
        repeat=repeat,
    )


@click.command()
@click.option("--trials", type=click.IntRange(1), default=1_000, show_default=True, help="Comparisons a line.")
def main(trials: int) -> None:
    """Draw runs and compare them."""
    rows = [["equal runs", "asked", "nothing claimed, %", "a single p < 0.05, %"]]
    for runs, repeats in ((2, 1), (2, 3), (3, 1)):
        each = list(equal(np.random.default_rng(0), trials, runs=runs, repeats=repeats))
        single = sum(any(m.p < 0.05 for c in found for m in c.metrics.values()) for found in each)
        silent = trials - sum(map(claims, each))
        rows.append([str(runs), str(repeats), f"{100 * silent / trials:.1f}", f"{100 * single / trials:.1f}"])
    click.echo("\n".join([f"{trials} trials, {QUESTIONS} questions", *table(rows)]))
    sizes = (50, 100, 200, 300)
    rows = [[f"right {100 * LIFT:.0f} points more often, and said to be, %", *map(str, sizes)]]
    for repeats in (1, 3):
        said = [
            sum(
                each.metrics["contains"].verdict == "better"
                for each in lifted(np.random.default_rng(0), trials // 5, size, repeats=repeats)
            )
            for size in sizes
        ]
        rows.append([f"asked {repeats}", *(f"{100 * count / (trials // 5):.1f}" for count in said)])
    click.echo("\n".join([f"{trials // 5} trials, questions", *table(rows)]))


if __name__ == "__main__":
    main()
