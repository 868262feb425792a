"""The truth about what is indexed: which documents, from which bytes, with which chunks."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ingest.errors import EmbedderMismatch
from ingest.types import Kind
from retrieval.database import Database
from retrieval.types import Source

# Rises with every change that makes an older index unreadable or wrong: the tables, the chunks, their identity.
FORMAT = 1

_SCHEMA = """
CREATE TABLE settings(embedder TEXT, dim INTEGER, created TEXT);
CREATE TABLE documents(
    path TEXT PRIMARY KEY, source BLOB, digest TEXT, size INTEGER, mtime_ns INTEGER, kind TEXT, language TEXT,
    indexed_at TEXT, chunks BLOB);
CREATE TABLE failures(path TEXT PRIMARY KEY, reason TEXT, message TEXT);
CREATE TABLE skips(reason TEXT PRIMARY KEY, files INTEGER);
"""

# Made at every open: an index without it is neither unreadable nor wrong.
_SOURCES = """
CREATE TABLE IF NOT EXISTS sources(
    prefix TEXT PRIMARY KEY, kind TEXT, url TEXT, asked TEXT, fetched_at TEXT, ref TEXT, commit_id TEXT, dirty INTEGER,
    etag TEXT, modified TEXT)
"""
_SOURCE = "SELECT prefix, kind, url, asked, fetched_at, ref, commit_id, dirty, etag, modified FROM sources"


@dataclass(frozen=True, slots=True)
class Entry:
    """One indexed document. `source` is the absolute path of the file; `size` is in bytes; `chunks` are ids."""

    path: str
    source: str
    digest: str
    size: int
    mtime_ns: int
    kind: Kind
    language: str
    chunks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the index was made with. `created` is UTC, ISO 8601."""

    embedder: str
    dim: int
    created: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What the index should hold."""

    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A file of the last run that could not be read; `reason` is a countable class of failure."""

    path: str
    reason: str
    message: str


class Manifest:
    """`manifest.sqlite`. Safe among the threads of one process; every write is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or create it.

        Raises WorkspaceDamaged where the file is no sound database, UserError where its format is not this one.
        """
        self._database = Database(path, _SCHEMA, FORMAT)
        try:
            with self._database.writing() as connection:
                connection.execute(_SOURCES)
        except BaseException:
            self._database.close()
            raise

    def settings(self) -> Settings | None:
        """Return what the index was made with, None before the first run."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT embedder, dim, created FROM settings").fetchone()
        return Settings(*row) if row else None

    def hold_to(self, embedder: str, dim: int) -> None:
        """Note the embedder the first time; afterwards raise EmbedderMismatch where it is another one."""
        made = self.settings()
        if made is None:
            with self._database.writing() as connection:
                connection.execute("INSERT INTO settings VALUES (?, ?, ?)", (embedder, dim, _now()))
        elif (made.embedder, made.dim) != (embedder, dim):
            raise EmbedderMismatch(
                f"This workspace was indexed with {made.embedder} ({made.dim} numbers a vector); "
                f"{embedder} makes {dim}. Re-index with `hoplite index PATH --rebuild --embedder {embedder}`, "
                f"or use `--embedder {made.embedder}`."
            )

    def unchanged(self, path: str, size: int, mtime_ns: int) -> bool:
        """Tell whether a file is as it was indexed, by its size and time alone, without reading it."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT size, mtime_ns FROM documents WHERE path = ?", (path,)).fetchone()
        return row is not None and tuple(row) == (size, mtime_ns)

    def entry(self, path: str) -> Entry | None:
        """Return what is known of one document."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT path, source, digest, size, mtime_ns, kind, language, chunks FROM documents WHERE path = ?",
                (path,),
            ).fetchone()
        if row is None:
            return None
        shown, source, digest, size, mtime_ns, kind, language, chunks = row
        return Entry(shown, os.fsdecode(source), digest, size, mtime_ns, kind, language, _unpack(chunks))

    def paths(self) -> set[str]:
        """Return every indexed document's path."""
        with self._database.reading() as connection:
            return {path for (path,) in connection.execute("SELECT path FROM documents")}

    def record(self, entries: Sequence[Entry]) -> None:
        """Write documents, replacing what was known of them."""
        rows = [
            (e.path, os.fsencode(e.source), e.digest, e.size, e.mtime_ns, e.kind, e.language, _now(), _pack(e.chunks))
            for e in entries
        ]
        with self._database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def touch(self, path: str, size: int, mtime_ns: int) -> None:
        """Note a file's new time where its bytes turned out to be the same. The document must be known."""
        with self._database.writing() as connection:
            cursor = connection.execute(
                "UPDATE documents SET size = ?, mtime_ns = ? WHERE path = ?", (size, mtime_ns, path)
            )
            if not cursor.rowcount:
                raise ValueError(f"{path} is said to be unchanged, but was never indexed")

    def forget(self, paths: Collection[str]) -> None:
        """Remove documents; unknown ones are no error."""
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM documents WHERE path = ?", [(path,) for path in paths])

    def owned(self, paths: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """Return the chunk ids of those of the documents that are known."""
        found = {}
        with self._database.reading() as connection:
            for path in paths:
                row = connection.execute("SELECT chunks FROM documents WHERE path = ?", (path,)).fetchone()
                if row:
                    found[path] = _unpack(row[0])
        return found

    def chunk_ids(self) -> set[int]:
        """Return every chunk id that a document owns."""
        with self._database.reading() as connection:
            packed = b"".join(row[0] for row in connection.execute("SELECT chunks FROM documents"))
        return set(_unpack(packed))

    def totals(self) -> Totals:
        """Count documents and chunks."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT count(*), coalesce(sum(length(chunks)), 0) / 8 FROM documents").fetchone()
        return Totals(*row)

    def indexed_at(self) -> str | None:
        """Return when a document was last written, UTC, ISO 8601; None before the first."""
        with self._database.reading() as connection:
            found: str | None = connection.execute("SELECT max(indexed_at) FROM documents").fetchone()[0]
        return found

    def note_failures(self, failures: Iterable[Failure]) -> None:
        """Replace the failures of the run before by this one's."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM failures")
            rows = [(_printable(f.path), f.reason, _printable(f.message)) for f in failures]
            connection.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", rows)

    def failures(self) -> tuple[Failure, ...]:
        """Return the last run's failures, by path."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT path, reason, message FROM failures ORDER BY path").fetchall()
        return tuple(Failure(*row) for row in rows)

    def note_skips(self, skips: Mapping[str, int]) -> None:
        """Replace the counts of skipped files of the run before, by reason, by this one's."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM skips")
            connection.executemany("INSERT INTO skips VALUES (?, ?)", list(skips.items()))

    def skips(self) -> dict[str, int]:
        """Return how many files the last run skipped, by reason."""
        with self._database.reading() as connection:
            return dict(connection.execute("SELECT reason, files FROM skips ORDER BY reason").fetchall())

    def note_sources(self, sources: Iterable[Source], *, gone: Collection[str] = ()) -> None:
        """Write where documents came from, in place of what was known of the same prefixes; forget the prefixes `gone`.

        A folder also replaces the folders and files below it, which were read with it.
        """
        rows = [
            (s.prefix, s.kind, s.url, s.asked, s.fetched_at, s.ref, s.commit, s.dirty, s.etag, s.modified)
            for s in sources
        ]
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM sources WHERE prefix = ?", [(prefix,) for prefix in gone])
            for prefix, kind, *_ in rows:
                if kind == "folder":
                    # Compared by length, not by LIKE, for which "_" is any character.
                    below = "" if prefix == "." else prefix.rstrip("/") + "/"
                    connection.execute(
                        "DELETE FROM sources WHERE kind = 'folder' AND substr(prefix, 1, ?) = ?", (len(below), below)
                    )
            connection.executemany("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def sources(self) -> tuple[Source, ...]:
        """Return where the documents came from, by prefix."""
        with self._database.reading() as connection:
            rows = connection.execute(f"{_SOURCE} ORDER BY prefix").fetchall()
        return tuple(_source(row) for row in rows)

    def source_of(self, path: str) -> Source | None:
        """Return where a document came from: the source of the longest prefix that it lies under."""
        above = [path, *(str(folder) for folder in PurePosixPath(path).parents)]
        with self._database.reading() as connection:
            row = connection.execute(
                f"{_SOURCE} WHERE prefix IN ({','.join('?' * len(above))}) ORDER BY length(prefix) DESC LIMIT 1", above
            ).fetchone()
        return _source(row) if row else None

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        self._database.close()


def _source(row: tuple[Any, ...]) -> Source:
    prefix, kind, url, asked, fetched_at, ref, commit, dirty, etag, modified = row
    return Source(prefix, kind, url, asked, fetched_at, ref, commit, bool(dirty), etag, modified)


def _pack(ids: Sequence[int]) -> bytes:
    return np.asarray(ids, np.int64).tobytes()


def _unpack(packed: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(packed, np.int64).tolist())


def _printable(text: str) -> str:
    """A failure may be about the very name that is not Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
