"""Which of a run's answers to read: drawn, the worst, those on which measures disagree, the disliked, the failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, get_args

from evals.datasets import drawn
from evals.judge import Rubric, Verdict
from evals.line_file import Key
from evals.types import Finished

Pick = Literal["random", "worst", "disagreeing", "thumbs-down", "errors"]
PICKS: tuple[Pick, ...] = get_args(Pick)

DISAGREES = 0.5
"""How far apart two measures of an answer are that disagree, of 1."""


def picked(
    lines: Sequence[Finished],
    how: Pick,
    count: int,
    *,
    seed: int = 0,
    verdicts: Mapping[Rubric, Sequence[Verdict]] | None = None,
    disliked: Collection[str] = (),
) -> list[Finished]:
    """Return at most `count` answers to read.

    `random` draws them by the seed, and is the only one whose counts say something of the whole run. `worst` are those
    that are least right, `disagreeing` those furthest apart, both ties by id; `thumbs-down` are those whose trace a
    person disliked; `errors` are those that failed, which are in none of the others.
    """
    if how == "errors":
        return [line for line in lines if line.error is not None][:count]
    sound = [line for line in lines if line.error is None]
    if how == "random":
        return drawn(sound, count, seed)
    if how == "thumbs-down":
        return [line for line in sound if line.trace_id in disliked][:count]
    passed = {v.key: float(v.verdict == "pass") for v in (verdicts or {}).get("correct", ()) if v.verdict != "unjudged"}
    if how == "worst":
        known = [(right, line) for line in sound if (right := _right(line, passed)) is not None]
        return [line for _, line in sorted(known, key=lambda each: (each[0], each[1].id, each[1].repeat))][:count]
    apart = [(gap, line) for line, gap in zip(sound, disagreements(sound, passed), strict=True) if gap >= DISAGREES]
    return [line for _, line in sorted(apart, key=lambda each: (-each[0], each[1].id, each[1].repeat))][:count]


def disagreements(lines: Sequence[Finished], passed: Mapping[Key, float]) -> list[float]:
    """Return for each answer how far apart its measures are, from 0 to 1: what words say of it and what the judge says,
    or what words say of it and of another answer to the same question."""
    by_question: dict[str, list[float]] = {}
    for line in lines:
        if (words := _words(line)) is not None:
            by_question.setdefault(line.id, []).append(words)
    gaps = []
    for line in lines:
        words = _words(line)
        others = [] if words is None else by_question[line.id]
        judge = passed.get((line.id, line.repeat))
        gaps.append(
            max(
                0.0 if words is None or judge is None else abs(words - judge),
                *(abs(words - other) for other in others if words is not None),
                0.0,
            )
        )
    return gaps


def _words(line: Finished) -> float | None:
    """How right an answer is by its words: an answer in full sentences has a low F1 and contains the gold answer."""
    found = [line.scores[name] for name in ("f1", "contains") if name in line.scores]
    return max(found) if found else None


def _right(line: Finished, passed: Mapping[Key, float]) -> float | None:
    """How right an answer is: by its words, or where they cannot say, by the judge."""
    words = _words(line)
    return passed.get((line.id, line.repeat)) if words is None else words
