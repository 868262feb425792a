"""Exact answers, kept: the same question to the same index, model and prompts is answered by the run that was.

An entry's key is a hash of all that an answer depends on, so nothing is ever out of date in it: where one part changes,
the key is another one. What an entry says is checked again before it is given (`still_stands`), and only entries are
read that were written with the secret of this user on this machine: a workspace can come from somebody else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from agent.citations import changed, resolve, traced
from agent.guard import visible
from agent.secret import own_secret
from agent.types import Answer, Library
from agent.units import Unit, squeeze
from retrieval.types import Passage

MOST = 500
"""Answers that are kept; beyond it the oldest go."""

KEEP_DAYS = 30

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, asked REAL NOT NULL, answer BLOB NOT NULL, seal BLOB NOT NULL)
"""
_ANSWERS = TypeAdapter(Answer)
T = TypeVar("T")
_log = logging.getLogger("hoplite.answers")


class AnswerCache:
    """The kept answers of one workspace. Opens its file for each call, so that any thread may ask.

    `basis`, called once, gives all that an answer depends on besides its question, by name; where it gives None,
    nothing is kept or given. A file that cannot be used is one warning, after which the same holds.
    """

    def __init__(
        self,
        path: Path,
        basis: Callable[[], Mapping[str, str] | None],
        *,
        clock: Callable[[], float] = time.time,
        most: int = MOST,
    ) -> None:
        self._path = path
        self._make_basis = basis
        self._clock = clock
        self._most = most
        self._usable = True

    def find(self, question: str) -> Answer | None:
        """Return what this question was answered, with `cached` set; None where nothing is kept. Not checked yet."""
        key = self._key(question)
        return self._with_file(lambda db: self._read(db, key)) if key else None

    def keep(self, question: str, answer: Answer) -> None:
        """Keep an answer, in place of what was kept for this question, where it is `worth_keeping`."""
        key = self._key(question) if worth_keeping(answer) else None
        if key:
            self._with_file(lambda db: self._write(db, key, answer))

    def _read(self, db: sqlite3.Connection, key: str) -> Answer | None:
        row = db.execute("SELECT asked, answer, seal FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        asked, packed, seal = row
        if not hmac.compare_digest(seal, self._seal(key, asked, packed)) or asked < self._oldest:
            return None
        when = datetime.fromtimestamp(asked, UTC).isoformat(timespec="seconds")
        return replace(_ANSWERS.validate_json(packed), cached=when)

    def _write(self, db: sqlite3.Connection, key: str, answer: Answer) -> None:
        asked, packed = self._clock(), _ANSWERS.dump_json(answer)
        with db:
            row = (key, asked, packed, self._seal(key, asked, packed))
            db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)
            db.execute("DELETE FROM answers WHERE asked < ?", (self._oldest,))
            newest = "SELECT key FROM answers ORDER BY asked DESC, key LIMIT ?"
            db.execute(f"DELETE FROM answers WHERE key NOT IN ({newest})", (self._most,))  # noqa: S608

    @property
    def _oldest(self) -> float:
        return self._clock() - KEEP_DAYS * 86_400

    @cached_property
    def _basis(self) -> str | None:
        basis = self._make_basis()
        return None if basis is None else json.dumps(basis, sort_keys=True)

    @cached_property
    def _secret(self) -> bytes:
        return own_secret()

    def _key(self, question: str) -> str | None:
        if not self._usable or self._basis is None:
            return None
        asked = " ".join(unicodedata.normalize("NFC", question).split())
        return hashlib.sha256(json.dumps([self._basis, asked]).encode()).hexdigest()

    def _seal(self, key: str, asked: float, packed: bytes) -> bytes:
        return hmac.digest(self._secret, f"{key} {asked!r} ".encode() + packed, "sha256")

    def _with_file(self, use: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return what `use` makes of the file, private to the user; None, with the one warning, where it fails."""
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(sqlite3.connect(self._path, timeout=5)) as db:
                db.execute(_SCHEMA)
                return use(db)
        except (sqlite3.Error, OSError, TypeError, ValueError) as error:  # the last two: rows of another shape
            self._usable = False
            _log.warning(
                "Answers are not kept: %s cannot be used (%s). Move it away to start a new one.",
                visible(str(self._path)),
                visible(str(error).partition("\n")[0]),
            )
            return None


def worth_keeping(answer: Answer) -> bool:
    """Return whether an answer would be the same again: finished, and every citation verified in an unchanged file."""
    sound = all(cited.verified and not cited.stale for cited in answer.citations)
    return not answer.abstained and answer.stopped is None and not answer.stale and sound


def still_stands(answer: Answer, library: Library) -> Answer | None:
    """Return a kept answer with its citations resolved against the files as they are now.

    None where a cited file is not as it was indexed, or does not hold its quote any more.
    """
    again = []
    for cited in answer.citations:
        document = library.resolve(cited.path)
        if changed(document, library.digest(cited.path)):
            return None
        found = resolve(_unit(cited.label, cited.path, cited.start_line, cited.end_line, cited.quote), document)
        if not found.verified:
            return None
        again.append(traced(found, stale=False, source=library.source_of(cited.path)))
    return replace(answer, citations=tuple(again))


def _unit(label: str, path: str, start: int, end: int, quote: str) -> Unit:
    return Unit(Passage(label, path, path, start, end, quote, quote, (), 0.0), squeeze(quote), 0, end - start)
