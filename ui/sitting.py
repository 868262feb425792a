"""One person reading a run's answers on the page, one after another: which they are, and which is open."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from agent.scores import disliked
from evals.asked import name_of
from evals.coding import Coding
from evals.judge import RUBRICS, Rubric, Verdict
from evals.sampling import Pick, picked
from evals.types import Finished
from ingest.errors import UserError

MOST = 500
"""Answers of one sitting."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """The answers that were picked, by their names, and which of them is open. `revealed` are those whose verdict was
    looked at before it was labelled."""

    run: str
    pick: Pick
    names: tuple[str, ...]
    at: int = 0
    revealed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the answer that is open."""
        return self.names[self.at]


def begin(coding: Coding, run: str, pick: Pick, count: int, seed: int, traces: Path) -> Sitting:
    """Pick answers, and open the first that was not read yet. Raises UserError where there are none of this kind."""
    lines = picked(
        coding.lines,
        pick,
        min(max(1, count), MOST),
        seed=seed,
        verdicts=coding.verdicts,
        disliked=disliked(traces) if pick == "thumbs-down" else (),
    )
    if not lines:
        raise UserError(f"The run has no answers of this kind ({pick}). Pick others, such as random.")
    known = {name_of(line) for line in coding.read}
    names = tuple(name_of(line) for line in lines)
    return Sitting(run, pick, names, next((at for at, name in enumerate(names) if name not in known), 0))


def noted(coding: Coding, sitting: Sitting, text: str) -> None:
    """Note something of the open answer; it was read also where nothing is noted, and what was noted before stays."""
    line = coding.line(sitting.name)
    if text.strip() or coding.note_of(line) is None:
        coding.note(line, text, pick=sitting.pick)


def moved(sitting: Sitting, by: int) -> Sitting:
    """Return the sitting at the answer before or after. Raises UserError at the ends."""
    at = sitting.at + by
    if not 0 <= at < len(sitting.names):
        raise UserError("This is the first one." if by < 0 else "That was the last one. Sort the notes below, or draw.")
    return replace(sitting, at=at)


def labelled(coding: Coding, sitting: Sitting, rubrics: list[str], *, passes: bool) -> None:
    """Say whether the open answer passes rubrics. Raises UserError where none is named."""
    named: list[Rubric] = [rubric for rubric in RUBRICS if rubric in rubrics]
    if not named:
        raise UserError(f"By which rubric? Tick {', '.join(RUBRICS)}, or some of them.")
    coding.label(coding.line(sitting.name), named, passes=passes, blind=sitting.name not in sitting.revealed)


def seen(sitting: Sitting) -> Sitting:
    """Return the sitting with the open answer's verdicts in view."""
    return replace(sitting, revealed=sitting.revealed | {sitting.name})


def verdicts_of(coding: Coding, line: Finished) -> list[Verdict]:
    """Return what judges said of an answer."""
    return [each for given in coding.verdicts.values() for each in given if each.key == (line.id, line.repeat)]


def exported(coding: Coding, mode: str, folder: Path) -> Path:
    """Write the questions of a failure mode into a folder as a question set of their own, and return its file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = re.sub(r"[^a-z0-9]+", "-", mode.lower()).strip("-")[:60] or "mode"
    number = 1
    while (path := folder / f"{stem}{f'-{number}' if number > 1 else ''}.jsonl").exists():
        number += 1
    coding.export(mode, path)
    return path
