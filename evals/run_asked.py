"""What a run asks and how it goes about it, kept in its folder, so that whoever has the folder can go on with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from evals.datasets import Question, first_wrong
from ingest.errors import UserError

ASKED = "asked.json"
LARGEST = 200_000_000
"""Bytes of a kept question set that is read."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a run goes about its questions.

    Each is asked `repeat` times. One that fails is tried `retries` times more, after `pause` seconds, then twice as
    many. One that takes longer than `timeout` seconds is stopped and failed. No question begins once the run has cost
    `max_cost` US dollars, or `max_tokens` were read and written; those under way are finished.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    repeat: int = 1
    retries: int = 0
    pause: float = 1.0
    timeout: float | None = None
    max_cost: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions of a run, in their order; `set` is what their set is called, "" where nobody said."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    set: str
    questions: tuple[Question, ...]
    conduct: Conduct = field(default_factory=Conduct)

    @property
    def total(self) -> int:
        """How many answers the whole run has."""
        return len(self.questions) * self.conduct.repeat


_ASKED = TypeAdapter(Asked)


def as_text(name: str, questions: Sequence[Question], conduct: Conduct) -> str:
    """Return what is kept of a run's questions."""
    return json.dumps({"set": name, "questions": [asdict(each) for each in questions], "conduct": asdict(conduct)})


def read_asked(folder: Path) -> Asked | None:
    """Return what a run asks; None where its folder does not say, as those of before. Raises UserError where it is
    damaged."""
    path = folder / ASKED
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Correct its permissions.") from error
    try:
        found = _ASKED.validate_json(data)
    except ValidationError as error:
        raise UserError(f"{path} is damaged ({first_wrong(error)}) Start the run again under another name.") from error
    if found.conduct.repeat < 1 or found.conduct.retries < 0:
        raise UserError(f"{path} is damaged (repeat or retries are below what can be). Start the run again.")
    return found
