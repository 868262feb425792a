"""The truth about what is indexed: which documents, from which bytes, with which chunks."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ingest.errors import EmbedderMismatch
from ingest.types import Kind
from retrieval.copies import COMMON, signature
from retrieval.database import Database
from retrieval.types import HERE, Place, Source

# Rises with every change that makes an older index unreadable or wrong: the tables, the chunks, their identity.
FORMAT = 3

_SCHEMA = """
CREATE TABLE settings(embedder TEXT, dim INTEGER, created TEXT, url TEXT, collection TEXT);
CREATE TABLE documents(
    path TEXT PRIMARY KEY, source BLOB, digest TEXT, size INTEGER, mtime_ns INTEGER, kind TEXT, language TEXT,
    indexed_at TEXT, chunks BLOB, keys BLOB, original TEXT);
CREATE TABLE signatures(key INTEGER, path TEXT, PRIMARY KEY(key, path)) WITHOUT ROWID;
CREATE INDEX copies ON documents(original, path) WHERE original != '';
CREATE TABLE failures(path TEXT PRIMARY KEY, reason TEXT, message TEXT);
CREATE TABLE skips(reason TEXT PRIMARY KEY, files INTEGER, paths TEXT);
CREATE TABLE sources(
    prefix TEXT PRIMARY KEY, kind TEXT, url TEXT, asked TEXT, fetched_at TEXT, ref TEXT, commit_id TEXT, dirty INTEGER,
    etag TEXT, modified TEXT);
"""
_ENTRY = "SELECT path, source, digest, size, mtime_ns, kind, language, chunks, keys, original FROM documents"
_ENTRIES = f"{_ENTRY} WHERE path IN (SELECT value FROM json_each(?))"  # noqa: S608
_SOURCE = "SELECT prefix, kind, url, asked, fetched_at, ref, commit_id, dirty, etag, modified FROM sources"


@dataclass(frozen=True, slots=True)
class Entry:
    """One indexed document. `source` is the absolute path of the file; `size` is in bytes; `chunks` are the ids of
    what is stored of it, and `keys` stand for their texts (see `retrieval.copies`). `original` is the document that has
    the rest of its text, "" where there is none."""

    path: str
    source: str
    digest: str
    size: int
    mtime_ns: int
    kind: Kind
    language: str
    chunks: tuple[int, ...]
    keys: tuple[int, ...]
    original: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One indexed document in a list of them; `chunks` are how many are stored of it. See `Entry` for the rest."""

    path: str
    source: str
    size: int
    mtime_ns: int
    kind: Kind
    language: str
    chunks: int
    original: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the index was made with, and where its store is. `created` is UTC, ISO 8601."""

    embedder: str
    dim: int
    created: str
    place: Place = HERE


@dataclass(frozen=True, slots=True)
class Totals:
    """What the index should hold."""

    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read when it was last walked; `reason` is a countable class of failure."""

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

    def settings(self) -> Settings | None:
        """Return what the index was made with, None before the first run."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT embedder, dim, created, url, collection FROM settings").fetchone()
        if row is None:
            return None
        embedder, dim, created, url, collection = row
        return Settings(embedder, dim, created, Place(url, collection))

    def hold_to(self, embedder: str, dim: int) -> None:
        """Note the embedder the first time; afterwards raise EmbedderMismatch where it is another one."""
        made = self.settings()
        if made is None:
            with self._database.writing() as connection:
                connection.execute("INSERT INTO settings VALUES (?, ?, ?, '', '')", (embedder, dim, _now()))
        elif (made.embedder, made.dim) != (embedder, dim):
            raise EmbedderMismatch(
                f"This workspace was indexed with {made.embedder} ({made.dim} numbers a vector); "
                f"{embedder} makes {dim}. Re-index with `hoplite index PATH --rebuild --embedder {embedder}`, "
                f"or use `--embedder {made.embedder}`."
            )

    def note_place(self, place: Place) -> None:
        """Write where the store is; the embedder must be noted already."""
        with self._database.writing() as connection:
            connection.execute("UPDATE settings SET url = ?, collection = ?", (place.url, place.collection))

    def known(self) -> dict[str, tuple[int, int, bytes]]:
        """Return the size, the time and the place (as the system spells it) of every document's file, by path."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT path, size, mtime_ns, source FROM documents")
            return {path: (size, mtime_ns, source) for path, size, mtime_ns, source in rows}

    def entry(self, path: str) -> Entry | None:
        """Return what is known of one document."""
        path = _printable(path)  # no name of a document, but a model may ask for it
        with self._database.reading() as connection:
            row = connection.execute(f"{_ENTRY} WHERE path = ?", (path,)).fetchone()
        return _entry(row) if row else None

    def alike(self, signature: Sequence[int]) -> dict[str, Entry]:
        """Return the documents that have any of these keys in their signature, by path; of each key's the first
        `COMMON`, because a text that so many documents have is no sign of anything."""
        with self._database.reading() as connection:
            paths: set[str] = set()
            for key in signature:
                rows = connection.execute("SELECT path FROM signatures WHERE key = ? LIMIT ?", (key, COMMON))
                paths.update(path for (path,) in rows)
            wanted = json.dumps(sorted(paths))
            found = connection.execute(_ENTRIES, (wanted,))
            return {entry.path: entry for entry in map(_entry, found)}

    def copies(self) -> dict[str, str]:
        """Return the documents that are stored with another one, by path, each with that one's path."""
        with self._database.reading() as connection:
            return dict(connection.execute("SELECT path, original FROM documents WHERE original != '' ORDER BY path"))

    def paths(self) -> set[str]:
        """Return every indexed document's path."""
        with self._database.reading() as connection:
            return {path for (path,) in connection.execute("SELECT path FROM documents")}

    def listed(self) -> list[Listed]:
        """Return every document, by path."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT path, source, size, mtime_ns, kind, language, length(chunks) / 8, original FROM documents "
                "ORDER BY path"
            )
            return [Listed(path, os.fsdecode(source), *rest) for path, source, *rest in rows]

    def digests(self) -> dict[str, str]:
        """Return every document's digest, by path, in the order of the paths."""
        with self._database.reading() as connection:
            return dict(connection.execute("SELECT path, digest FROM documents ORDER BY path"))

    def stranded(self) -> set[str]:
        """Return the documents that are copies of what is not there as it was any more."""
        with self._database.reading() as connection:
            return {
                path
                for (path,) in connection.execute("SELECT path FROM documents WHERE original != '' AND digest = ''")
            }

    def record(self, entries: Sequence[Entry]) -> None:
        """Write documents, replacing what was known of them; copies of them are stranded until they are written."""
        rows = [
            (
                *(e.path, os.fsencode(e.source), e.digest, e.size, e.mtime_ns, e.kind, e.language, _now()),
                *(_pack(e.chunks), _pack(e.keys), e.original),
            )
            for e in entries
        ]
        with self._database.writing() as connection:
            _leave(connection, [e.path for e in entries])
            connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            signs = [(key, e.path) for e in entries for key in signature(e.keys)]
            connection.executemany("INSERT INTO signatures VALUES (?, ?)", signs)

    def touch(self, path: str, size: int, mtime_ns: int, source: str) -> None:
        """Note a file's new time and place where its bytes turned out to be the same. The document must be known."""
        with self._database.writing() as connection:
            cursor = connection.execute(
                "UPDATE documents SET source = ?, size = ?, mtime_ns = ? WHERE path = ?",
                (os.fsencode(source), size, mtime_ns, path),
            )
            if not cursor.rowcount:
                raise ValueError(f"{path} is said to be unchanged, but was never indexed")

    def forget(self, paths: Collection[str]) -> None:
        """Remove documents; unknown ones are no error."""
        with self._database.writing() as connection:
            _leave(connection, paths)
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

    def note_failures(self, failures: Iterable[Failure], walked: Callable[[str], bool] = lambda path: True) -> None:
        """Replace the failures that are known of the places walked by this run's."""
        with self._database.writing() as connection:
            known = connection.execute("SELECT path FROM failures").fetchall()
            connection.executemany("DELETE FROM failures WHERE path = ?", [row for row in known if walked(row[0])])
            rows = [(_printable(f.path), f.reason, _printable(f.message)) for f in failures]
            connection.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", rows)

    def failures(self) -> tuple[Failure, ...]:
        """Return what could not be read when it was last walked, by path."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT path, reason, message FROM failures ORDER BY path").fetchall()
        return tuple(Failure(*row) for row in rows)

    def note_skips(self, skips: Mapping[str, int], paths: Mapping[str, Sequence[str]]) -> None:
        """Replace what is known of skipped files, by reason: how many, and the paths of the first of them."""
        rows = [(reason, n, json.dumps(list(map(_printable, paths.get(reason, ()))))) for reason, n in skips.items()]
        with self._database.writing() as connection:
            connection.execute("DELETE FROM skips")
            connection.executemany("INSERT INTO skips VALUES (?, ?, ?)", rows)

    def skips(self) -> dict[str, int]:
        """Return how many files the last run skipped, by reason."""
        with self._database.reading() as connection:
            return dict(connection.execute("SELECT reason, files FROM skips ORDER BY reason").fetchall())

    def skipped_paths(self) -> dict[str, tuple[str, ...]]:
        """Return the first of the files and folders that the last run skipped, by reason."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT reason, paths FROM skips ORDER BY reason").fetchall()
        return {reason: tuple(json.loads(paths)) for reason, paths in rows}

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


def _entry(row: tuple[Any, ...]) -> Entry:
    shown, source, digest, size, mtime_ns, kind, language, chunks, keys, original = row
    place = os.fsdecode(source)
    return Entry(shown, place, digest, size, mtime_ns, kind, language, _unpack(chunks), _unpack(keys), original)


def _leave(connection: sqlite3.Connection, paths: Collection[str]) -> None:
    """Documents are about to be replaced or forgotten: drop their signatures, and strand their copies.

    A stranded document has no digest and no time, so that the next walk reads it again, whatever becomes of this run.
    """
    for path in paths:
        # The second condition says to SQLite that the partial index will do.
        connection.execute(
            "UPDATE documents SET digest = '', mtime_ns = -1 WHERE original = ? AND original != ''", (path,)
        )
        row = connection.execute("SELECT keys FROM documents WHERE path = ?", (path,)).fetchone()
        if row:
            rows = [(key, path) for key in signature(_unpack(row[0]))]
            connection.executemany("DELETE FROM signatures WHERE key = ? AND path = ?", rows)
