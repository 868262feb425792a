"""The values of an evaluation run: what answering one question gave, and its line in `answers.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

LONGEST_SHOWN = 1_200
"""Characters of a shown passage that a run keeps."""

_CHECKED: dict[str, Any] = {"extra": "forbid", "strict": True}  # how `run_files` checks what it reads


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation of an answer. `path` is named as the question's `supporting` names documents; lines count from 1.
    `verified`: the quote stood at these lines of the file when it was answered."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CHECKED

    label: str
    path: str
    start_line: int
    end_line: int
    quote: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage that was shown to the model, its text cut to `LONGEST_SHOWN` characters. `path` as in `Cited`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CHECKED

    label: str
    path: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """What answering one question came to.

    `shown` are the documents of the passages that were shown, `cited` those of the citations in the answer, both as
    the question's `supporting` names them. `usage` holds numbers to add up: tokens, calls, steps. `scores` are those
    that only who asked can give; `note` is what to read beside them. `passages` are in the order in which they were
    shown.
    """

    answer: str
    abstained: bool = False
    shown: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    trace_id: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    citations: tuple[Cited, ...] = ()
    passages: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """One question's line in `answers.jsonl`. `error` is set where answering failed; then there are no scores.

    With `--repeat` each question has several lines, told apart by `repeat`, from 0. `type` to `unanswerable`, and
    `places`, are the question's own, so that a run can be read without its set. `attempts` counts how often it was
    asked for this line: more than once where `--retries` let a failed one be tried again; `usage` is over all of them.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _CHECKED

    id: str
    question: str
    answer: str
    abstained: bool
    shown: tuple[str, ...]
    cited: tuple[str, ...]
    usage: Mapping[str, float]
    seconds: float
    trace_id: str | None
    error: str | None
    scores: Mapping[str, float]
    note: str = ""
    repeat: int = 0
    type: str = ""
    tags: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    supporting: tuple[str, ...] = ()
    unanswerable: bool = False
    citations: tuple[Cited, ...] = ()
    passages: tuple[Shown, ...] = ()
    places: tuple[str, ...] = ()
    attempts: int = 1
