"""Runs as they are compared, made of nothing but numbers."""

from __future__ import annotations

from collections.abc import Mapping

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
