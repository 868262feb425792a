"""A run as it is compared: each question with the scores of its repeats, without passages and citations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median

from evals import metrics
from evals.agreement import judged_with_agreement
from evals.judge import verdicts
from evals.run_files import Key, finished, read_run
from evals.run_report import declining
from evals.types import Finished
from ingest.errors import UserError

ANSWERED = "answered"
"""The metric that every question has: the share of its repeats that did not fail."""

JUDGED = "judge_"
"""Metrics whose names begin so are a model's opinion, which can change where nothing else did; a rubric follows."""

LONGEST_ANSWER = 1_000
"""Characters of an answer that are kept."""

Values = Mapping[str, Sequence[float]]
"""By metric, what each repeat scored that has it."""


@dataclass(frozen=True, slots=True)
class ScoredQuestion:
    """One question of a run. `answer` is its first that did not fail, "" without one. `scores` are by repeat;
    `seconds` and `tokens`, input and output together, are of the repeats that did not fail."""

    id: str
    question: str
    answer: str
    type: str
    tags: tuple[str, ...]
    unanswerable: bool
    scores: Values
    seconds: tuple[float, ...]
    tokens: tuple[float, ...]

    @property
    def answered(self) -> bool:
        """Whether any repeat was."""
        return any(self.scores[ANSWERED])

    def mean(self, metric: str) -> float:
        """Return the mean over the repeats that have the metric."""
        return metrics.mean(self.scores[metric])


@dataclass(frozen=True)
class ScoredRun:
    """A run: its folder's name, what its answers depend on, and its questions by id, in the order first asked.

    `judges` says of each judged metric who judged, and how that judge agrees with people.
    """

    name: str
    fingerprint: Mapping[str, str]
    questions: Mapping[str, ScoredQuestion]
    judges: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def values(self) -> dict[str, float]:
        """What the run came to: each metric's mean over the questions that have it, how well it declined, how many
        `questions` it has, and the median `seconds` and mean `tokens` of a question."""
        there = self.questions.values()
        names = dict.fromkeys(name for question in there for name in question.scores)
        means = {name: metrics.mean([q.mean(name) for q in there if name in q.scores]) for name in names}
        answered = [question for question in there if question.answered]
        declined = [(q.unanswerable, bool(value)) for q in there for value in q.scores.get("abstained", ())]
        means |= {name: value for name, value, _ in declining(declined)}
        return means | {
            "questions": float(len(there)),
            "seconds": median([metrics.mean(question.seconds) for question in answered]) if answered else 0.0,
            "tokens": metrics.mean([metrics.mean(question.tokens) for question in answered]),
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """One question in two runs."""

    first: ScoredQuestion
    second: ScoredQuestion


def load(folders: Sequence[Path]) -> list[ScoredRun]:
    """Return the runs of folders of `hoplite eval run --out`, named as they were given where two have one name.

    Raises UserError where a folder holds no run, or a damaged one.
    """
    runs = [_load(folder) for folder in folders]
    if len({run.name for run in runs}) == len({folder.resolve() for folder in folders}):
        return runs
    return [replace(run, name=str(folder)) for run, folder in zip(runs, folders, strict=True)]


def scored(
    name: str,
    fingerprint: Mapping[str, str],
    lines: Iterable[Finished],
    *,
    judged: Mapping[Key, Mapping[str, float]] | None = None,
    judges: Mapping[str, str] | None = None,
) -> ScoredRun:
    """Return the run of finished questions, each (id, repeat) once; `judged` are more scores of some of them.

    Raises UserError for a score that is no number.
    """
    repeats: dict[str, list[Finished]] = {}
    for line in lines:
        for metric, value in line.scores.items():
            if not math.isfinite(value):
                raise UserError(f"Run {name}, question {line.id!r}: the score {metric!r} is {value}. Ask it again.")
        more = (judged or {}).get((line.id, line.repeat), {})
        kept = replace(
            line,
            answer=line.answer[:LONGEST_ANSWER],
            scores={**line.scores, **more},
            passages=(),
            citations=(),
            shown=(),
            cited=(),
        )
        repeats.setdefault(line.id, []).append(kept)
    return ScoredRun(name, fingerprint, {id: _question(lines) for id, lines in repeats.items()}, judges or {})


def pairs_of(first: ScoredRun, second: ScoredRun) -> list[Pair]:
    """Return the questions that both runs were asked. Raises UserError where there are none, or a text differs."""
    pairs = [Pair(first.questions[id], second.questions[id]) for id in first.questions if id in second.questions]
    reworded = next((pair.first.id for pair in pairs if pair.first.question != pair.second.question), None)
    if not pairs or reworded is not None:
        why = "" if reworded is None else f": {reworded!r} is another one in each"
        raise UserError(
            f"{first.name} and {second.name} have no questions in common{why}. Compare two runs over one set."
        )
    return pairs


def metrics_of(pairs: Iterable[Pair]) -> list[str]:
    """Return the metrics that some question has in both runs, in the order first seen."""
    return list(dict.fromkeys(name for pair in pairs for name in pair.first.scores if name in pair.second.scores))


def having(pairs: Iterable[Pair], metric: str) -> list[Pair]:
    """Return the questions that have the metric in both runs."""
    return [pair for pair in pairs if metric in pair.first.scores and metric in pair.second.scores]


def _load(folder: Path) -> ScoredRun:
    made = read_run(folder)
    judged: dict[Key, dict[str, float]] = {}
    for rubric, given in verdicts(folder).items():
        for verdict in given:
            if verdict.verdict != "unjudged":
                judged.setdefault(verdict.key, {})[f"{JUDGED}{rubric}"] = float(verdict.verdict == "pass")
    judges = {
        f"{JUDGED}{each.rubric}": f"{each.judge}, prompt {each.prompt}: {each.beside}"
        for each in judged_with_agreement(folder)
    }
    return scored(made.name, made.fingerprint, finished(folder), judged=judged, judges=judges)


def _question(lines: Sequence[Finished]) -> ScoredQuestion:
    answered = [line for line in lines if line.error is None]
    scores: dict[str, list[float]] = {}
    for line in answered:
        for name, value in line.scores.items():
            scores.setdefault(name, []).append(value)
    return ScoredQuestion(
        id=lines[0].id,
        question=lines[0].question,
        answer=answered[0].answer if answered else "",
        type=lines[0].type,
        tags=tuple(dict.fromkeys(lines[0].tags)),
        unanswerable=lines[0].unanswerable,
        scores={**scores, ANSWERED: [float(line.error is None) for line in lines]},
        seconds=tuple(line.seconds for line in answered),
        tokens=tuple(line.usage.get("input_tokens", 0) + line.usage.get("output_tokens", 0) for line in answered),
    )
