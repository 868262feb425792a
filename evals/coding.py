"""What a person finds in a run's answers by reading them: notes in their own words (open coding), the failure modes
that the notes fall into (axial coding; Strauss and Corbin 1990), and pass or fail by the judge's rubrics.

All of it lies beside the run, in files that only grow; of several lines about a thing the last counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from evals.agreement import LABELS, Label
from evals.asked import answers_of, name_of
from evals.judge import Rubric, verdicts
from evals.line_file import Key, Line, append, clean, read
from evals.metrics import wilson
from evals.types import Finished
from ingest.errors import UserError

NOTES = "notes.jsonl"
MODES = "modes.jsonl"
LONGEST_NOTE = 4_000
LONGEST_MODE = 80


class Note(Line):
    """A line of `notes.jsonl`: an answer that was read, and what the reader noted, "" for nothing. `pick` is how it
    first came to be read."""

    note: str
    pick: str = ""


class ModeLabel(Line):
    """A line of `modes.jsonl`: whether an answer has a failure mode."""

    mode: str = Field(min_length=1)
    has: bool


@dataclass(frozen=True, slots=True)
class ModeCount:
    """A failure mode: how many of the answers that were `read` have it, their share, and Wilson's 95 % interval."""

    mode: str
    count: int
    read: int
    share: float
    interval: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return asdict(self)


class Coding:
    """The reading of one run. Whatever is said is on disk when the method that says it returns."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError where there is no run, or a file beside it is damaged."""
        self.folder = folder
        self.lines = answers_of(folder)
        self.verdicts = verdicts(folder)
        self._by_name = {name_of(line): line for line in reversed(self.lines)}
        self._notes = {note.key: note for note in read(folder / NOTES, Note)}
        self._labels = {(label.key, label.rubric): label for label in read(folder / LABELS, Label)}
        self._modes: dict[str, dict[Key, bool]] = {}
        for said in read(folder / MODES, ModeLabel):
            self._modes.setdefault(said.mode, {})[said.key] = said.has

    def line(self, name: str) -> Finished:
        """Return the answer that `name_of` names so. Raises UserError for none."""
        found = self._by_name.get(name)
        if found is None:
            raise UserError(f"{self.folder} has no answer {name!r}. Names are questions' ids, `ID#1` a second repeat.")
        return found

    @property
    def read(self) -> list[Finished]:
        """The answers that were read, in the order in which they were asked: those with a note, also an empty one, and
        those that were said to have a mode."""
        known = set(self._notes) | {key for mode in self._modes.values() for key in mode}
        return [line for line in self.lines if key_of(line) in known]

    @property
    def chosen(self) -> int:
        """How many of those that were read were not drawn at random: their counts say nothing of the whole run."""
        return sum((note := self._notes.get(key_of(line))) is None or note.pick != "random" for line in self.read)

    @property
    def notes(self) -> list[tuple[Finished, str]]:
        """The answers with a note in words, and the notes."""
        kept = ((line, self._notes.get(key_of(line))) for line in self.lines)
        return [(line, note.note) for line, note in kept if note and note.note]

    @property
    def modes(self) -> list[str]:
        """The failure modes that at least one answer has, those of most answers first."""
        counts = {mode: sum(having.values()) for mode, having in self._modes.items()}
        return sorted((mode for mode, count in counts.items() if count), key=lambda mode: (-counts[mode], mode))

    def note_of(self, line: Finished) -> str | None:
        """Return what was noted of an answer, None of one that was not read."""
        note = self._notes.get(key_of(line))
        return note.note if note else None

    def labels_of(self, line: Finished) -> dict[Rubric, Label]:
        """Return the labels of an answer."""
        return {rubric: label for (key, rubric), label in self._labels.items() if key == key_of(line)}

    def modes_of(self, line: Finished) -> list[str]:
        """Return the failure modes of an answer."""
        return [mode for mode in self.modes if self._modes[mode].get(key_of(line))]

    def having(self, mode: str) -> list[Finished]:
        """Return the answers with a failure mode. Raises UserError for a mode that there is not."""
        if mode not in self.modes:
            there = f"There are: {', '.join(self.modes)}." if self.modes else "There are none yet."
            raise UserError(f"There is no failure mode {mode!r}. {there}")
        return [line for line in self.lines if self._modes[mode].get(key_of(line))]

    def counts(self) -> list[ModeCount]:
        """Return how many of the answers that were read have each mode."""
        total = len(self.read)
        each = {mode: len(self.having(mode)) for mode in self.modes}
        return [ModeCount(mode, n, total, n / total, wilson(n, total)) for mode, n in each.items()]

    def note(self, line: Finished, text: str, *, pick: str = "") -> None:
        """Note something of an answer, in the place of what was noted before; "" says that it was read."""
        before = self._notes.get(key_of(line))
        note = Note(
            id=line.id,
            repeat=line.repeat,
            note=clean(text.strip(), LONGEST_NOTE),
            pick=before.pick if before else pick,
        )
        append(self.folder / NOTES, note)
        self._notes[note.key] = note

    def label(self, line: Finished, rubrics: Sequence[Rubric], *, passes: bool, blind: bool) -> None:
        """Say whether an answer passes rubrics. `blind`: without having seen what the judge says."""
        given = [
            Label(id=line.id, repeat=line.repeat, rubric=rubric, label="pass" if passes else "fail", blind=blind)
            for rubric in rubrics
        ]
        append(self.folder / LABELS, *given)
        self._labels |= {(label.key, label.rubric): label for label in given}

    def assign(self, lines: Iterable[Finished], mode: str, *, has: bool = True) -> None:
        """Say that answers have a failure mode, or have it not. Raises UserError for a name that none can have."""
        name = mode_name(mode)
        self._say([ModeLabel(id=line.id, repeat=line.repeat, mode=name, has=has) for line in lines])

    def rename(self, old: str, new: str) -> None:
        """Give a failure mode another name; where there is one of that name, the two become one.

        Raises UserError for a mode that there is not, and for a name that none can have.
        """
        name, lines = mode_name(new), self.having(old)
        if name != old:
            both = ((name, True), (old, False))
            self._say([ModeLabel(id=at.id, repeat=at.repeat, mode=mode, has=has) for mode, has in both for at in lines])

    def export(self, mode: str, out: Path) -> int:
        """Write the questions of the answers with a failure mode as a question file, tagged with the mode; return how
        many. Raises UserError for a mode that there is not, and where the file is there or cannot be written."""
        questions = {line.id: _question(line, mode) for line in self.having(mode)}
        try:
            with os.fdopen(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in questions.values())
        except FileExistsError:
            raise UserError(f"{out} is there already. Name another file.") from None
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}. Name another file.") from error
        return len(questions)

    def _say(self, said: Sequence[ModeLabel]) -> None:
        append(self.folder / MODES, *said)
        for each in said:
            self._modes.setdefault(each.mode, {})[each.key] = each.has


def key_of(line: Finished) -> Key:
    """Return which answer of its run it is."""
    return line.id, line.repeat


def mode_name(text: str) -> str:
    """Return the name of a failure mode as it is kept, in one line. Raises UserError for an empty one, a longer one,
    and one with "=", which separates it from what it is given to."""
    name = " ".join(clean(text, LONGEST_MODE + 1).split())
    if not name or len(name) > LONGEST_MODE or "=" in name:
        raise UserError(f"A failure mode cannot be called {name!r}: up to {LONGEST_MODE} characters, and no `=`.")
    return name


def _question(line: Finished, mode: str) -> Mapping[str, Any]:
    """A line of a question file, with what there is of it."""
    given = {
        "answers": line.answers,
        "supporting": line.supporting,
        "type": line.type,
        "tags": tuple(dict.fromkeys((*line.tags, mode))),
        "unanswerable": line.unanswerable,
    }
    return {"id": line.id, "question": line.question, **{key: value for key, value in given.items() if value}}
