"""Which of two runs' answers was preferred, question by question: the lines of `preferences.jsonl`.

    {"id": "q1", "winner": "agent", "loser": "plain"}
    {"id": "q2", "tie": ["agent", "plain"]}

`id` is the question's, the others are names of runs. `by` and `why` may say who judged, and for what reason. The file
belongs to no run and stands beside their folders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evals.bradley_terry import Counts, Strength, strengths
from evals.datasets import first_wrong
from ingest.errors import UserError

FILE = "preferences.jsonl"

_Name = Annotated[str, Field(min_length=1, max_length=255)]


class Preference(BaseModel):
    """One question, and which run's answer was preferred to which; or that neither was."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Annotated[str, Field(min_length=1)]
    winner: _Name | None = None
    loser: _Name | None = None
    tie: tuple[_Name, _Name] | None = None
    by: str = ""
    why: str = ""

    @model_validator(mode="after")
    def _two_runs(self) -> Self:
        given = (self.winner is not None, self.loser is not None, self.tie is not None)
        if given not in ((True, True, False), (False, False, True)):
            raise ValueError("give winner and loser, or tie")
        if len(set(self.runs)) < 2:
            raise ValueError("a run cannot be preferred to itself")
        return self

    @property
    def runs(self) -> tuple[str, str]:
        """The winner and the loser, or the two that tied."""
        return self.tie or (self.winner or "", self.loser or "")

    @property
    def of(self) -> tuple[str, frozenset[str]]:
        """The question, and the two runs."""
        return self.id, frozenset(self.runs)


def read(path: Path) -> list[Preference]:
    """Return the preferences of a file.

    Raises UserError, with file and line, for a missing file, a line that is no preference, and a second one about one
    question and two runs.
    """
    seen: dict[tuple[str, frozenset[str]], int] = {}
    found = []
    for number, preference in _lines(path):
        if preference.of in seen:
            both, where = " and ".join(preference.runs), seen[preference.of]
            raise UserError(
                f"{path}:{number}: {both} were compared on {preference.id!r} at line {where} already. Remove one."
            )
        seen[preference.of] = number
        found.append(preference)
    return found


def rank(preferences: Iterable[Preference], runs: Sequence[str]) -> list[Strength]:
    """Return the strengths of the runs, the strongest first, by the preferences between them.

    Raises UserError for fewer than two runs, for a run that was compared with none of the others, and where the runs
    fall in groups that were not compared with each other.
    """
    place = {run: number for number, run in enumerate(dict.fromkeys(runs))}
    if len(place) < 2:
        raise UserError("Strengths are of two runs or more. Name another run.")
    known: set[str] = set()
    counts: dict[str, Counts] = {}
    met: set[str] = set()
    for preference in preferences:
        known |= set(preference.runs)
        if not place.keys() >= set(preference.runs):
            continue
        met |= set(preference.runs)
        one, other = (place[run] for run in preference.runs)
        each = counts.setdefault(preference.id, np.zeros((len(place), len(place))))
        each[one, other] += 1.0 if preference.tie is None else 0.5
        each[other, one] += 0.0 if preference.tie is None else 0.5
    if alone := next((run for run in place if run not in met), None):
        raise UserError(f"No preference is between {alone!r} and another of these runs. The file has {_some(known)}.")
    try:
        return strengths(list(place), list(counts.values()))
    except ValueError as error:
        raise UserError(
            f"{', '.join(place)} fall in groups that were not compared with each other. Compare some of each."
        ) from error


def _lines(path: Path) -> Iterator[tuple[int, Preference]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}). Give the file of preferences with --file."
        ) from error
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if raw.strip():
            try:
                yield number, Preference.model_validate_json(raw)
            except ValidationError as error:
                raise UserError(f"{path}:{number} is no preference: {first_wrong(error)}") from error


def _some(names: set[str]) -> str:
    shown = sorted(names)[:20]
    return (", ".join(shown) or "none") + (" and others" if len(names) > len(shown) else "")
