"""Memory: what earlier runs concluded, in the workspace. A note is a hint where to look, never evidence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.note_file import NoteFile
from agent.notes import MOST_QUESTIONS, Documents, Draft, Written, joined, names_of, rechecked
from agent.types import Note, Past
from ingest.errors import UserError

if TYPE_CHECKING:
    from agent.note_index import Found, NoteIndex

RECALLED = 3
"""Notes that a run is given."""

_MOST_COMPARED = 1000  # the notes that were last looked at
_EVERY = 1_000_000
_LONGEST_QUESTION = 4_000  # characters
_ALIKE = 5  # notes that a new one is compared with
_FORGOTTEN_AFTER = 90 * 86_400.0  # seconds; what nobody came back to is kept for `memory list`, but not recalled


@dataclass(frozen=True, slots=True)
class Recollection:
    """Notes on a question, looked at again. `stale` are the ids of those whose sources do not say any more what they
    said, whole or in part, `renewed` of those whose sources changed and still say it. `problem` is one line on what
    could not be read. `asked_before` tells whether the first note is on the same question."""

    notes: tuple[Note, ...]
    stale: frozenset[int] = frozenset()
    renewed: frozenset[int] = frozenset()
    problem: str = ""
    asked_before: bool = False


class Memory:
    """The notes of one workspace. Any thread may ask.

    `unreadable` is how many rows of the file were no notes when it was last read.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = NoteFile(path)
        self._clock = clock
        self._index: NoteIndex | None = None
        self._lock = threading.Lock()
        self.unreadable = 0

    @property
    def now(self) -> float:
        """The time that is noted, in seconds since 1970."""
        return self._clock()

    def remember(self, draft: Draft) -> tuple[Note, Written]:
        """Write a draft that has facts, and return the note that it is now, and how: new, merged with one that says the
        same, or in the place of what that one said. Raises UserError."""
        how: Written = "new"

        def change(notes: list[Note]) -> Sequence[Note]:
            nonlocal how
            now = self._clock()
            for old in self._alike(draft, notes):
                if (found := joined(old, draft, now)) is not None:
                    how = found[1]
                    return [found[0]]
            names = names_of(draft.question, draft.facts)
            return [Note(0, draft.question, draft.facts, names, draft.digests, now, now, draft.untrusted)]

        [note] = self._file.change(change, _MOST_COMPARED)
        return note, how

    def renew(self, notes: Sequence[Note]) -> None:
        """Write notes that were looked at again; one that was forgotten meanwhile stays forgotten. Raises UserError."""
        if notes:
            self._file.change(lambda held: [n for n in notes if any(n.id == h.id for h in held)], _MOST_COMPARED)

    def approve(self, note_id: int) -> Note:
        """Take the mark off a note that was made while text of others was in view, because the user has
        read it. Returns the note. Raises UserError."""
        return self._amended(note_id, lambda note: replace(note, untrusted=False))

    def reword(self, note_id: int, question: str) -> Note:
        """Write a note's question in other words; what it was before is among those it is also found by. Returns the
        note. Raises UserError for no words and for no note."""
        words = " ".join(question.split())[:_LONGEST_QUESTION]
        if not words:
            raise UserError("A note has a question that it is found by. Write one.")

        def reworded(note: Note) -> Note:
            also = tuple(dict.fromkeys([note.question, *note.also]))
            names = names_of(words, note.facts)
            return replace(
                note, question=words, also=tuple(q for q in also if q != words)[:MOST_QUESTIONS], names=names
            )

        return self._amended(note_id, reworded)

    def drop(self, note_id: int, fact: int) -> Note:
        """Move a fact, counted from 0, to the note's history. Returns the note. Raises UserError where none is."""

        def without(note: Note) -> Note:
            if not 0 <= fact < len(note.facts):
                raise UserError(f"Note {note_id} has {len(note.facts)} facts, and none of the number {fact + 1}.")
            now = self._clock()
            gone = Past(note.facts[fact], note.checked, now, "you removed it")
            kept = note.facts[:fact] + note.facts[fact + 1 :]
            return replace(note, facts=kept, names=names_of(note.question, kept), history=(*note.history, gone))

        return self._amended(note_id, without)

    def _amended(self, note_id: int, amend: Callable[[Note], Note]) -> Note:
        def change(notes: list[Note]) -> Sequence[Note]:
            return [amend(note) for note in notes if note.id == note_id]

        changed = self._file.change(change, _EVERY)
        if not changed:
            raise UserError(f"There is no note {note_id}. `hoplite memory list` shows their numbers.")
        return changed[0]

    def recall(self, question: str, limit: int = RECALLED) -> list[Found]:
        """Return the notes that are about a question, best first: as they were written, not looked at again. Raises
        UserError."""
        oldest = self._clock() - _FORGOTTEN_AFTER
        return self._found(question, [n for n in self.notes(_MOST_COMPARED) if n.checked >= oldest], limit)

    def notes(self, limit: int = 100) -> list[Note]:
        """Return the notes that were last looked at, newest first. Raises UserError."""
        notes, self.unreadable = self._file.read(limit)
        return notes

    def forget(self, note_id: int) -> bool:
        """Delete a note with its history; return whether there was one. Raises UserError."""
        return self._file.delete(note_id) > 0

    def forget_all(self) -> int:
        """Delete every note, and rows that are none; return how many there were. Raises UserError."""
        return self._file.delete(None)

    def _alike(self, draft: Draft, notes: list[Note]) -> list[Note]:
        """The notes that a draft may be one with: on the same question to the letter first, then the likest."""
        same = [note for note in notes if draft.question in (note.question, *note.also)]
        said = " ".join([draft.question, *(fact.text for fact in draft.facts)])
        return [*same, *(f.note for f in self._found(said, notes, _ALIKE) if f.note not in same)]

    def _found(self, question: str, notes: list[Note], limit: int) -> list[Found]:
        if not notes:
            return []
        from agent.note_index import NoteIndex  # the search's parts, which a first run has no use for

        with self._lock:
            if self._index is None:
                self._index = NoteIndex()
            return self._index.find(question, notes, limit)


def recollect(memory: Memory, question: str, documents: Documents) -> Recollection:
    """Return the notes on a question as their sources bear them out now, and write down what that changed. Raises
    UserError where the memory cannot be read; one that cannot be written is a `problem`."""
    found = memory.recall(question)
    bad = memory.unreadable
    problem = f"{bad} notes cannot be read and are left out" if bad > 1 else "a note cannot be read and is left out"
    if not found:
        return Recollection((), problem=problem if bad else "")
    from agent.note_index import SAME

    now = memory.now
    pairs = [(each.note, rechecked(each.note, documents, now)) for each in found]
    try:
        memory.renew([after for before, after in pairs if after is not before])
    except UserError as error:
        problem, bad = str(error), 1
    return Recollection(
        tuple(after for _, after in pairs),
        stale=frozenset(after.id for before, after in pairs if after.stale or len(after.facts) < len(before.facts)),
        renewed=frozenset(
            after.id
            for before, after in pairs
            if after.digests != before.digests and len(after.facts) == len(before.facts)
        ),
        problem=problem if bad else "",
        asked_before=found[0].likeness >= SAME,
    )
