"""One SQLite file that the threads of this process share."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.errors import UserError, WorkspaceDamaged

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# The machine's trouble, not ours: a full disk, missing rights, a bad device.
_ENVIRONMENT = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}


class Database:
    """A connection behind a lock.

    One lock is simpler to trust than a connection a thread: what a reader keeps in memory always fits the rows it reads
    next. Reads take milliseconds; a writer holds the lock for one batch.
    """

    def __init__(self, path: Path, schema: str, version: int) -> None:
        """Open or create the file.

        Raises WorkspaceDamaged where it is no sound database, and UserError where its version is not this one.
        """
        self.path = path
        self._lock = threading.RLock()
        with self._told():
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            try:
                self._prepare(schema, version)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for reads."""
        with self._lock, self._told():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one transaction: committed at the end, rolled back on any exception.

        WAL with synchronous=NORMAL survives a killed process; a power cut may lose the last transactions, never order.
        """
        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        with self._lock:
            self._connection.close()

    def _prepare(self, schema: str, version: int) -> None:
        connection = self._connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 16000")  # 64 MB: 10% faster than after every batch
        connection.execute("PRAGMA cache_size = -65536")  # 64 MiB: the upper pages of every tree stay in memory
        connection.execute("PRAGMA temp_store = MEMORY")
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {version}; COMMIT")
        elif found > version:
            raise UserError(
                f"{self.path} was written by a newer Hoplite (format {found}; this one reads {version}). "
                "Update Hoplite, or start over with `hoplite index PATH --rebuild`."
            )
        elif found < version:
            raise UserError(
                f"{self.path} was written by an older Hoplite (format {found}; this one reads {version}). "
                "Run `hoplite index PATH --rebuild`."
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what an error of SQLite means for the user, where it means something."""
        try:
            yield
        except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the class, the rest its detail
            # SQLite has no checksums: a flipped bit in a text shows where it is decoded, in JSON of ours as it is read.
            undecoded = isinstance(error, json.JSONDecodeError) or "decode to UTF-8" in str(error)
            if code in _DAMAGE or undecoded or str(error).startswith("no such "):
                said = " ".join(str(error).split())[:120]  # some quote the text that they stumbled over
                raise WorkspaceDamaged(
                    f"{self.path} is damaged ({said}). Run `hoplite index PATH --rebuild`."
                ) from error
            if code in _ENVIRONMENT:
                raise UserError(
                    f"{self.path} could not be used: {error}. Check the disk's space and the folder's permissions."
                ) from error
            raise
