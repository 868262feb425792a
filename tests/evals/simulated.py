"""Runs as they are compared, made of nothing but numbers: by hand, or drawn like those of a real system."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evals.scored_run import ScoredRun, scored
from evals.types import Finished


def line(
    id: str,
    scores: Mapping[str, float] | None = None,
    *,
    repeat: int = 0,
    type: str = "",
    tags: tuple[str, ...] = (),
    answer: str = "said",
    error: str | None = None,
    tokens: float = 100.0,
) -> Finished:
    """One finished question."""
    return Finished(
        id=id,
        question=f"Question {id}?",
        answer=answer,
        abstained=False,
        shown=(),
        cited=(),
        usage={"input_tokens": tokens},
        seconds=2.0,
        trace_id=None,
        error=error,
        scores=scores or {},
        repeat=repeat,
        type=type,
        tags=tags,
    )


def of_scores(name: str, metric: str, values: list[float], *, types: list[str] | None = None) -> ScoredRun:
    """A run of one metric, a value a question."""
    return scored(
        name,
        {},
        [line(f"q{n}", {metric: value}, type=types[n] if types else "") for n, value in enumerate(values)],
    )


def drawn(
    random: np.random.Generator, name: str, easy: np.ndarray, *, repeats: int = 1, lift: float = 0.0
) -> ScoredRun:
    """A run whose every answer is drawn anew. `easy` is each question's chance of a right answer, and `lift` is added.

    Eight metrics that go together as a real run's do: right answers have high F1 and cite what is gold, some wrong ones
    decline, and retrieval is the same but for the few questions where the system's own searches differ.
    """
    lines = []
    for n, chance in enumerate(easy):
        for repeat in range(repeats):
            right = bool(random.random() < chance + lift)
            exact = right and random.random() < 0.6
            declined = not right and random.random() < 0.3
            found = min(1.0, round(float(chance) * 2) / 2 + 0.5 * (random.random() < 0.1))
            scores = {
                "contains": float(right),
                "em": float(exact),
                "f1": 1.0 if exact else float(random.beta(4, 2) if right else random.beta(1, 4)) * (not declined),
                "abstained": float(declined),
                "recall": found,
                "all_shown": float(found == 1.0),
                "citation_recall": 0.0 if declined else float(random.choice([0.0, 0.5, 1.0])) * (0.5 + 0.5 * right),
            }
            if not declined:
                scores["citation_precision"] = float(
                    random.choice([0.0, 0.5, 1.0], p=[0.1, 0.3, 0.6] if right else None)
                )
            lines.append(line(f"q{n}", scores, repeat=repeat))
    return scored(name, {}, lines)
