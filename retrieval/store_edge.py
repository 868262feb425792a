"""The embedded store: text, terms and names in one SQLite file, vectors in a Qdrant shard beside it.

A write goes to the shard first and to SQLite second, a removal the other way round: whatever a kill leaves behind is a
vector without a text, which the next index run sweeps.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ingest.types import Chunk
from retrieval import links
from retrieval.database import Database
from retrieval.held import HeldVectors
from retrieval.lexical import SCHEMA as LEXICAL_SCHEMA
from retrieval.lexical import Ids, Lexical
from retrieval.protocols import EVERY, Vectors
from retrieval.shard import Shard
from retrieval.terms import Numbers, Terms
from retrieval.tokens import searchable, tokens
from retrieval.types import Counts, Scope, Scored

# Rises with every change to the tables or to `tokens`, whose terms the removal of a chunk counts again.
FORMAT = 3

# Names whose chunks are kept between searches: about 20 MB.
KEPT = 1 << 16

_SCHEMA = (
    """
CREATE TABLE chunks(
    place INTEGER PRIMARY KEY, id INTEGER UNIQUE, path TEXT, kind TEXT, language TEXT, title TEXT, header TEXT,
    text TEXT, start_line INTEGER, end_line INTEGER, page INTEGER, names TEXT);
CREATE INDEX chunks_by_path ON chunks(path, kind);
"""
    + LEXICAL_SCHEMA
    + links.SCHEMA
)


# `place` is left out: rows are appended in the order of their writing, which takes half the time of putting them where
# their ids would have them, all over the table.
_COLUMNS = "id, path, kind, language, title, header, text, start_line, end_line, page, names"
_BY_PATH = f"SELECT {_COLUMNS} FROM chunks WHERE path = ?"  # noqa: S608
_BY_IDS = f"SELECT {_COLUMNS} FROM chunks WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608


class EdgeStore:
    """`Store` in a folder of this machine. Safe among the threads of one process."""

    def __init__(self, folder: Path, dim: int) -> None:
        """Open or create the store for vectors of `dim` numbers.

        Raises WorkspaceBusy, EmbedderMismatch and WorkspaceDamaged, each with the next step.
        """
        folder.mkdir(parents=True, exist_ok=True)
        database = Database(folder / "chunks.sqlite", _SCHEMA, FORMAT)
        try:
            self._begin(database, Shard(folder / "vectors", dim))
        except BaseException:
            database.close()
            raise

    def _begin(self, database: Database, shard: Shard | HeldVectors) -> None:
        self._database = database
        self._shard = shard
        self._lexical = Lexical()
        self._paths: list[str] | None = None
        self._among: dict[Scope, Ids] = {}
        self._beginnings: Numbers | None = None
        self._names: dict[tuple[str, links.Role, int], tuple[int, ...]] = {}

    def write(self, chunks: Sequence[Chunk], vectors: Vectors, terms: Terms | None = None) -> None:
        """Make the chunks searchable, durably before it returns; the last of two with the same id counts."""
        if len(chunks) != len(vectors):
            raise ValueError(f"{len(chunks)} chunks, but {len(vectors)} vectors")
        if not chunks:
            return
        new = {chunk.id: chunk for chunk in chunks}
        # Beside one another, because each waits for the disk; leaving the pool waits for the shard, so that the text is
        # committed only once its vectors are on disk.
        with self._database.writing() as connection, ThreadPoolExecutor(1) as pool:
            placed = pool.submit(self._shard.upsert, chunks, vectors)
            self._forget()
            old = _chunks(connection, list(new))
            # A chunk that only moved keeps its terms: same text, same score, no segment of its own.
            changed = [i for i, chunk in new.items() if i not in old or searchable(old[i]) != searchable(chunk)]
            self._lexical.remove(connection, {i: tokens(searchable(old[i])) for i in changed if i in old})
            links.remove(connection, list(old.values()))
            connection.executemany(
                f"INSERT OR REPLACE INTO chunks({_COLUMNS}) VALUES ({', '.join('?' * 11)})",  # noqa: S608
                map(_row, new.values()),
            )
            links.add(connection, list(new.values()))
            terms = terms or Terms().counted(new.values())
            self._lexical.add(connection, terms.vocabulary, {i: terms.of[i] for i in changed})
            self._lexical.merge(connection)
            placed.result()

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these chunks; unknown ids are no error."""
        if not ids:
            return
        with self._database.writing() as connection:
            self._forget()
            old = _chunks(connection, ids)
            self._lexical.remove(connection, {i: tokens(searchable(chunk)) for i, chunk in old.items()})
            links.remove(connection, list(old.values()))
            connection.executemany("DELETE FROM chunks WHERE id = ?", [(i,) for i in old])
            self._lexical.merge(connection)
        self._shard.remove(ids)

    def counts(self) -> Counts:
        """Count the rows and the vectors."""
        with self._database.reading() as connection:
            chunks = int(connection.execute("SELECT count(*) FROM chunks").fetchone()[0])
        return Counts(chunks=chunks, vectors=self._shard.count())

    def ids(self) -> set[int]:
        """Every chunk id that has a row or a vector."""
        with self._database.reading() as connection:
            rows = {i for (i,) in connection.execute("SELECT id FROM chunks")}
        return rows | self._shard.ids()

    def strays(self, owned: Collection[int], covered: Callable[[str], bool]) -> list[int]:
        """Return the chunks that are here without being owned, wherever: nobody else writes here."""
        return sorted(self.ids().difference(owned))

    def dense(self, vector: Vectors, *, limit: int, scope: Scope) -> list[Scored]:
        """Return the nearest chunks by cosine, best first, ties by chunk id."""
        return self._shard.nearest(vector, limit=limit, among=self.among(scope))

    def among(self, scope: Scope) -> Ids | None:
        """Return the ids of the chunks in a scope, ascending; None for all chunks."""
        with self._database.reading() as connection:
            return None if scope == Scope() else self._within(connection, scope)

    def lexical(self, terms: Sequence[str], *, limit: int, scope: Scope) -> list[Scored]:
        """Return the best chunks by BM25, with the scores of `rank_bm25.BM25Okapi` over the chunks that are here."""
        with self._database.reading() as connection:
            among = None if scope == Scope() else self._within(connection, scope)
            return self._lexical.search(connection, terms, limit=limit, among=among)

    def idf(self, terms: Sequence[str]) -> dict[str, float]:
        """Return each known term's inverse document frequency, as `lexical` weighs it."""
        with self._database.reading() as connection:
            return self._lexical.idf(connection, terms)

    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        """Return the chunks that are here, by id, in the order asked."""
        with self._database.reading() as connection:
            found = _chunks(connection, ids)
        return {i: found[i] for i in ids if i in found}

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id."""
        return self._shard.vectors(ids)

    def definers(self, names: Sequence[str], *, common: int) -> dict[str, tuple[int, ...]]:
        """Map each name that between 1 and `common` chunks define to those chunks, ascending."""
        return self._with(names, "defined", common)

    def mentioners(self, names: Sequence[str], *, common: int) -> dict[str, tuple[int, ...]]:
        """Map each name that between 1 and `common` chunks mention to those chunks, ascending."""
        return self._with(names, "mentioned", common)

    def callers(self, names: Sequence[str]) -> set[int]:
        """Return the chunks that mention one of these names, or call something of which it is the last part."""
        with self._database.reading() as connection:
            mentioned = links.chunks_with(connection, names, "mentioned", common=EVERY)
            called = links.chunks_with(connection, names, "called", common=EVERY)
        return {chunk for found in (mentioned, called) for chunks in found.values() for chunk in chunks}

    def defined(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that any chunk defines."""
        with self._database.reading() as connection:
            return links.defined(connection, names)

    def begun(self, pairs: Collection[str]) -> Collection[str]:
        """Return the pairs of words with which a defined name may begin; hashes tell, so that some too many are no
        error."""
        with self._database.reading() as connection:
            if self._beginnings is None:
                self._beginnings = links.beginnings(connection)
            return links.begun(pairs, self._beginnings)

    def in_document(self, path: str) -> list[Chunk]:
        """Return a document's chunks in the order of their lines."""
        with self._database.reading() as connection:
            chunks = [_chunk(row) for row in connection.execute(_BY_PATH, (path,))]
        return sorted(chunks, key=lambda c: (c.start_line, c.end_line, c.id))

    def optimize(self) -> None:
        """Merge the segments of the terms and of the vectors."""
        with self._database.writing() as connection:
            self._forget()
            self._lexical.merge(connection, everything=True)
        self._shard.optimize()

    def close(self) -> None:
        """Release files and locks; closing twice is no error."""
        self._shard.close()
        self._database.close()

    def _with(self, names: Sequence[str], role: links.Role, common: int) -> dict[str, tuple[int, ...]]:
        """Return the chunks of each name. Kept, because a walk comes by the same names from many chunks."""
        with self._database.reading() as connection:
            if common == EVERY:
                return links.chunks_with(connection, names, role, common=common)
            if len(self._names) > KEPT:
                self._names.clear()
            known = self._names
            new = [name for name in names if (name, role, common) not in known]
            if new:
                found = links.chunks_with(connection, new, role, common=common)
                known.update(((name, role, common), found.get(name, ())) for name in new)
            return {name: chunks for name in names if (chunks := known[name, role, common])}

    def _forget(self) -> None:
        """Drop what was read from the rows that are about to change."""
        self._lexical.forget()
        self._paths = None
        self._among.clear()
        self._beginnings = None
        self._names.clear()

    def _matching(self, scope: Scope) -> list[str]:
        """Return the paths in a scope."""
        with self._database.reading() as connection:
            if self._paths is None:
                rows = connection.execute("SELECT DISTINCT path FROM chunks ORDER BY path")
                self._paths = [path for (path,) in rows]
            return [path for path in self._paths if scope.reaches(path)]

    def _within(self, connection: sqlite3.Connection, scope: Scope) -> Ids:
        """Return the ids of the chunks in a scope, ascending.

        One conversation asks within one scope again and again.
        """
        if scope not in self._among:
            conditions, values = ["1"], []
            if not scope.every_path:
                conditions.append("path IN (SELECT value FROM json_each(?))")
                values.append(json.dumps(self._matching(scope)))
            if scope.kind is not None:
                conditions.append("kind = ?")
                values.append(scope.kind)
            rows = connection.execute(f"SELECT id FROM chunks WHERE {' AND '.join(conditions)}", values)  # noqa: S608
            if len(self._among) >= 8:
                self._among.clear()
            self._among[scope] = np.sort(np.fromiter((i for (i,) in rows), np.int64))
        return self._among[scope]


class HeldStore(EdgeStore):
    """`Store` in this process's memory, with the same tables, for little that is made again when it is needed."""

    def __init__(self, dim: int) -> None:
        self._begin(Database(Path(":memory:"), _SCHEMA, FORMAT), HeldVectors(dim))


def _chunks(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Chunk]:
    rows = connection.execute(_BY_IDS, (json.dumps(list(ids)),))
    return {row[0]: _chunk(row) for row in rows}


def _row(chunk: Chunk) -> tuple[object, ...]:
    return (
        chunk.id,
        chunk.path,
        chunk.kind,
        chunk.language,
        chunk.title,
        chunk.header,
        chunk.text,
        chunk.start_line,
        chunk.end_line,
        chunk.page,
        orjson.dumps([chunk.defines, chunk.mentions, chunk.calls, chunk.imports, chunk.inherits]).decode(),
    )


def _chunk(row: Sequence[Any]) -> Chunk:
    number, path, kind, language, title, header, text, start, end, page, names = row
    defines, mentions, calls, imports, inherits = map(tuple, orjson.loads(names))
    return Chunk(
        id=number,
        path=path,
        kind=kind,
        language=language,
        title=title,
        header=header,
        text=text,
        start_line=start,
        end_line=end,
        defines=defines,
        mentions=mentions,
        calls=calls,
        imports=imports,
        inherits=inherits,
        page=page,
    )
