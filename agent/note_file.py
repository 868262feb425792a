"""The file that notes are kept in: one table in SQLite, a note a row, as JSON.

It lies in the workspace, where it can be edited by hand, copied from elsewhere, written by a newer Hoplite or be on a
full disk. What cannot be used is one UserError with one line; a row that is no note is left out and counted.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from agent.notes import names_of
from agent.types import Citation, Fact, Note
from ingest.errors import UserError
from ingest.sentences import sentences

VERSION = 2
"""Of the table. Version 1, which called itself 0, had a column for each field and one text for all that was said."""

_SCHEMA = "CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, checked REAL NOT NULL, body TEXT NOT NULL)"
_LARGEST = 1_000_000  # characters of a row; a note with 12 facts and all its history has 60,000
_NOTE = TypeAdapter(Note)
_CITATIONS = TypeAdapter(tuple[Citation, ...])
_DIGESTS = TypeAdapter(dict[str, str])


class NoteFile:
    """The notes of one workspace on disk. Opens the file for each call, so that any thread may ask."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened or made before it is needed."""
        self.path = path

    def read(self, limit: int) -> tuple[list[Note], int]:
        """Return the notes that were last written to, the newest first, and how many rows are no notes. Raises
        UserError."""
        if not self.path.exists():
            return [], 0
        with self._told("read"), closing(self._connect("ro")) as db:
            return _notes(db, limit)

    def change(self, change: Callable[[list[Note]], Sequence[Note]], limit: int) -> list[Note]:
        """Write the notes that `change` makes of those that are there, in one transaction, and return them. A note
        whose id is 0 is a new one. Raises UserError."""
        with self._told("written"), closing(self._connect("rwc")) as db, db:
            db.execute("BEGIN IMMEDIATE")
            _prepare(db)
            return [_write(db, note) for note in change(_notes(db, limit)[0])]

    def delete(self, note: int | None) -> int:
        """Delete a note, or all for None, and overwrite what it said; return how many there were. Raises UserError."""
        if not self.path.exists():
            return 0
        with self._told("written"), closing(self._connect("rwc")) as db:
            db.execute("PRAGMA secure_delete = ON")
            with db:
                db.execute("BEGIN IMMEDIATE")
                _prepare(db)
                chosen = ("DELETE FROM note", ()) if note is None else ("DELETE FROM note WHERE id = ?", (note,))
                return db.execute(*chosen).rowcount

    def _connect(self, mode: str) -> sqlite3.Connection:
        if mode == "rwc":
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))  # private from its beginning
        address = f"file:{quote(os.path.abspath(self.path))}?mode={'ro' if mode == 'ro' else 'rw'}"
        return sqlite3.connect(address, uri=True, timeout=5, isolation_level=None)

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """Say in one line what was not possible."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise UserError(
                f"The memory {self.path} cannot be {done} ({why}). Check the disk and its rights, or move the file "
                "away: the next run starts a new one."
            ) from error


def _prepare(db: sqlite3.Connection) -> None:
    """Make the table, with the notes of an older one in it."""
    version = _version(db)
    if version == VERSION:
        return
    old = _older(db)[0] if version else []
    db.execute(_SCHEMA)
    for note in reversed(old):
        db.execute("INSERT INTO note VALUES (?, ?, ?)", (note.id, note.checked, _body(note)))
    db.execute("DROP TABLE IF EXISTS notes")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _version(db: sqlite3.Connection) -> int:
    """The table's version, 0 where there is none. Raises sqlite3.DatabaseError for a newer one."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise sqlite3.DatabaseError(f"it was written by a newer Hoplite, in format {version}; this one reads {VERSION}")
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return VERSION if "note" in tables else 1 if "notes" in tables else 0


def _notes(db: sqlite3.Connection, limit: int) -> tuple[list[Note], int]:
    version = _version(db)
    if version < VERSION:
        return _older(db, limit) if version else ([], 0)
    found: list[Note] = []
    bad = 0
    newest = "SELECT id, substr(body, 1, ?) FROM note ORDER BY checked DESC, id DESC LIMIT ?"
    for number, body in db.execute(newest, (_LARGEST, limit)):
        try:
            found.append(replace(_NOTE.validate_json(body), id=number))
        except ValidationError:
            bad += 1
    return found, bad


def _write(db: sqlite3.Connection, note: Note) -> Note:
    if note.id:
        db.execute("UPDATE note SET checked = ?, body = ? WHERE id = ?", (note.checked, _body(note), note.id))
        return note
    made = db.execute("INSERT INTO note (checked, body) VALUES (?, ?)", (note.checked, _body(note)))
    return replace(note, id=int(made.lastrowid or 0))


def _body(note: Note) -> str:
    return _NOTE.dump_json(note).decode()


# The first version ----------------------------------------------------------------------------------------------------


def _older(db: sqlite3.Connection, limit: int = -1) -> tuple[list[Note], int]:
    """The notes of version 1. What one said as a single short sentence is a fact; of a longer text nobody knows which
    quote bears which sentence, and the quotes are the facts."""
    found: list[Note] = []
    bad = 0
    rows = db.execute("SELECT id, question, conclusion, citations, digests, created, untrusted FROM notes")
    for number, question, conclusion, cited, digests, created, untrusted in rows.fetchall():
        try:
            citations = tuple(c for c in _CITATIONS.validate_json(cited) if c.verified)
            short = len(conclusion) <= 200 and len(sentences(conclusion)) == 1
            facts = (Fact(conclusion, citations),) if short else tuple(Fact(c.quote, (c,)) for c in citations)
            facts = facts if citations else ()
            names = names_of(question, facts)
            known = _DIGESTS.validate_json(digests)
            found.append(Note(number, question, facts, names, known, float(created), float(created), bool(untrusted)))
        except (ValidationError, TypeError, ValueError, json.JSONDecodeError):
            bad += 1
    found = [note for note in found if note.facts]
    return sorted(found, key=lambda n: (-n.checked, -n.id))[: limit if limit >= 0 else None], bad
