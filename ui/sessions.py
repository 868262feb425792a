"""Conversations of the page, kept in the workspace: found, resumed, renamed and deleted.

A turn is sealed with this user's secret, as kept answers are, because a workspace can come from somebody else: what was
not written here is no conversation. A file that cannot be used is one line, and conversations go on unkept.
"""

from __future__ import annotations

import hmac
import os
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from agent.secret import own_secret
from ui.chat import Turn
from ui.render import visible

VERSION = 1
MOST = 200
"""Conversations that are kept; beyond it those that were longest not used go."""

MOST_TURNS = 100
LONGEST_NAME = 80
_LONGEST_TURN = 2_000_000  # bytes
_ID = re.compile(r"[0-9a-f]{32}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, name TEXT NOT NULL, used REAL NOT NULL);
CREATE TABLE IF NOT EXISTS turns (session TEXT NOT NULL, number INTEGER NOT NULL, question TEXT NOT NULL,
    body BLOB NOT NULL, seal BLOB NOT NULL, PRIMARY KEY(session, number));
"""
_TURN = TypeAdapter(Turn)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation in a list. `used` is in seconds since 1970."""

    id: str
    name: str
    used: float


class Sessions:
    """The conversations of one workspace. Opens its file for each call, so that any thread may ask.

    `problem` is one line on why nothing is kept, "" where that works.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time, most: int = MOST) -> None:
        self._path = path
        self._clock = clock
        self._most = most
        self._secret: bytes | None = None
        self.problem = ""

    def found(self, words: str = "") -> tuple[Kept, ...]:
        """Return the conversations in whose name or questions each of the words stands, the last used first."""
        wanted = words.split()
        like = r"LIKE ? ESCAPE '\'"
        held = f"(name {like} OR EXISTS (SELECT 1 FROM turns WHERE session = id AND question {like}))"  # noqa: S608
        chosen = " AND ".join(["TRUE", *[held] * len(wanted)])
        likes = [like for word in wanted for like in [f"%{_literal(word)}%"] * 2]
        query = f"SELECT id, name, used FROM sessions WHERE {chosen} ORDER BY used DESC, id LIMIT ?"  # noqa: S608
        rows = self._with_file(lambda db: db.execute(query, (*likes, self._most)).fetchall()) or []
        return tuple(Kept(str(id), str(name), float(used)) for id, name, used in rows if _ID.fullmatch(str(id)))

    def name(self, session: str) -> str | None:
        """Return what a conversation is called; None where it is not kept."""
        row = self._with_file(lambda db: db.execute("SELECT name FROM sessions WHERE id = ?", (session,)).fetchone())
        return str(row[0]) if row else None

    def turns(self, session: str) -> tuple[Turn, ...]:
        """Return a conversation's turns, as far as they were written here."""
        query = "SELECT number, body, seal FROM turns WHERE session = ? ORDER BY number LIMIT ?"

        def read(db: sqlite3.Connection) -> tuple[Turn, ...]:
            rows = db.execute(query, (session, MOST_TURNS)).fetchall()
            ours = (body for n, body, seal in rows if hmac.compare_digest(seal, self._seal(session, n, body)))
            return tuple(map(_TURN.validate_json, ours))

        return self._with_file(read) or ()

    def keep(self, session: str, name: str, turns: Sequence[Turn]) -> None:
        """Write a conversation whole, in the place of what was kept of it."""
        packed = [(turn.question, _TURN.dump_json(turn)) for turn in turns[-MOST_TURNS:]]
        bodies = [(asked, body) for asked, body in packed if len(body) <= _LONGEST_TURN]

        def write(db: sqlite3.Connection) -> None:
            rows = [(session, n, asked, body, self._seal(session, n, body)) for n, (asked, body) in enumerate(bodies)]
            db.execute("DELETE FROM turns WHERE session = ?", (session,))
            db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", (session, _short(name), self._clock()))
            db.executemany("INSERT INTO turns VALUES (?, ?, ?, ?, ?)", rows)
            newest = "SELECT id FROM sessions ORDER BY used DESC, id LIMIT ?"
            db.execute(f"DELETE FROM sessions WHERE id NOT IN ({newest})", (self._most,))  # noqa: S608
            db.execute("DELETE FROM turns WHERE session NOT IN (SELECT id FROM sessions)")

        self._with_file(write)

    def rename(self, session: str, name: str) -> None:
        """Call a conversation something else; a name without words changes nothing."""
        if name := _short(name):
            self._with_file(lambda db: db.execute("UPDATE sessions SET name = ? WHERE id = ?", (name, session)))

    def delete(self, session: str) -> None:
        """Forget a conversation."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM sessions WHERE id = ?", (session,))
            db.execute("DELETE FROM turns WHERE session = ?", (session,))

        self._with_file(write)

    def _seal(self, session: str, number: int, body: bytes) -> bytes:
        if self._secret is None:
            self._secret = own_secret()
        return hmac.digest(self._secret, f"page {session} {number} ".encode() + body, "sha256")

    def _with_file(self, use: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return what `use` makes of the file, private to the user, in one transaction; None, and a problem, where it
        fails."""
        if self.problem:
            return None
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(sqlite3.connect(self._path, timeout=5)) as db, db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > VERSION:
                    raise ValueError(f"it was written by a newer Hoplite, version {version} of it")
                if version < VERSION:
                    db.executescript(f"{_SCHEMA}PRAGMA user_version = {VERSION};")
                return use(db)
        except (sqlite3.Error, OSError, TypeError, ValueError) as error:  # the last two: rows of another shape
            self.problem = (
                f"Conversations are not kept: {visible(self._path.name)} in the workspace cannot be used "
                f"({visible(str(error).partition(chr(10))[0])[:120]}). Move it away to start a new one."
            )
            return None


def _literal(word: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", word)


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"
