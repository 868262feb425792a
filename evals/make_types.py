"""The values of drafting: what a writer makes of a pair, a draft, and what drafting came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evals.datasets import Question

DRAFT = "draft"
"""The tag of a question that nobody has looked at yet."""


@dataclass(frozen=True, slots=True)
class Written:
    """A question and the answers that are right, as they were written."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that a draft was made of. Lines count from 1, both included."""

    path: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A question with the tag `DRAFT`, the name or names that it was made by, and its passages."""

    question: Question
    names: tuple[str, ...]
    passages: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What drafting came to. `wanted` is how many were asked for, `candidates` how many pairs of chunks a writer saw,
    and `dropped` says why so many questions are no drafts. `error` is what ended it early."""

    wanted: int
    drafts: tuple[Draft, ...]
    candidates: int
    dropped: Mapping[str, int]
    error: BaseException | None = None
