"""Memory: what earlier runs concluded, in the workspace's SQLite. A note is a hint where to look, never evidence."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.terms import content
from agent.types import Citation, Note, Origin
from ingest.errors import UserError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, question TEXT NOT NULL, conclusion TEXT NOT NULL, citations TEXT NOT NULL,
    digests TEXT NOT NULL, created REAL NOT NULL, untrusted INTEGER NOT NULL
)"""

_LIKE = 0.5  # share of the words of the two questions that they have in common, from which a note is a hint
_MOST_COMPARED = 1000  # the newest notes
_FORGOTTEN_AFTER = 90 * 86_400.0  # seconds; older notes are kept for `memory list`, but not recalled


class Memory:
    """The notes of one workspace. Opens its file for each call: notes are few, and any thread may ask."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def remember(
        self, question: str, conclusion: str, citations: Sequence[Citation], digests: Mapping[str, str]
    ) -> Note:
        """Write a note and return it. A note on the same question is replaced. Raises UserError."""
        record = (
            question,
            conclusion,
            json.dumps([asdict(c) for c in citations]),
            json.dumps(dict(digests)),
            self._clock(),
            True,
        )
        try:
            with closing(self._open()) as db, db:
                db.execute("DELETE FROM notes WHERE question = ?", (question,))
                cursor = db.execute(
                    "INSERT INTO notes (question, conclusion, citations, digests, created, untrusted)"
                    " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
                    record,
                )
                return _note(cursor.fetchone())
        except sqlite3.Error as error:
            raise UserError(f"The memory {self._path} cannot be written ({error}). Check the disk.") from error

    def recall(self, question: str, limit: int = 2) -> tuple[Note, ...]:
        """Return the notes whose questions share most words with this one, best first, newer first among equals."""
        asked = set(content(question))
        oldest = self._clock() - _FORGOTTEN_AFTER
        likenesses = [(_likeness(asked, n), n) for n in self.notes(_MOST_COMPARED) if n.created >= oldest]
        found = sorted((x for x in likenesses if x[0] >= _LIKE), key=lambda x: (-x[0], -x[1].id))
        return tuple(note for _, note in found[:limit])

    def notes(self, limit: int = 100) -> list[Note]:
        """Return the newest notes, newest first."""
        if not self._path.exists():
            return []
        with closing(self._open()) as db:
            return [_note(row) for row in db.execute("SELECT * FROM notes ORDER BY id DESC LIMIT ?", (limit,))]

    def forget(self, note_id: int) -> bool:
        """Delete a note; return whether there was one."""
        with closing(self._open()) as db, db:
            return db.execute("DELETE FROM notes WHERE id = ?", (note_id,)).rowcount > 0

    def _open(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self._path, timeout=5)
            db.row_factory = sqlite3.Row
            db.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise UserError(
                f"The memory {self._path} cannot be opened ({error}). Move it away, and the next run starts a new one."
            ) from error
        return db


def _likeness(asked: set[str], note: Note) -> float:
    noted = set(content(note.question))
    return len(asked & noted) / len(asked | noted) if asked | noted else 0.0


def _citation(fields: dict[str, Any]) -> Citation:
    source = fields.pop("source", None)  # notes that older runs wrote have none
    return Citation(**fields, source=Origin(**source) if source else None)


def _note(row: sqlite3.Row) -> Note:
    return Note(
        id=row["id"],
        question=row["question"],
        conclusion=row["conclusion"],
        citations=tuple(_citation(c) for c in json.loads(row["citations"])),
        digests=json.loads(row["digests"]),
        created=row["created"],
        untrusted=bool(row["untrusted"]),
    )
