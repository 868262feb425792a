"""Which chunks define, mention and call which names, in SQLite.

Calls are linked by the last part of what they call, and only where the chunk does not mention that part anyway: a call
of `get` or `join`, which are no mentions. So the links of Django's 28,900 chunks of code grow by 3 per cent.

A name carries how many chunks define and mention it, so that one which everything mentions is passed over by reading
one row. A chunk's own names are in its row: deleting needs no index by chunk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.types import Chunk
from retrieval.vocabulary import Vocabulary

Role = Literal["defined", "mentioned", "called"]

_ROLES: tuple[Role, ...] = ("defined", "mentioned", "called")

SCHEMA = """
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT UNIQUE, defined INTEGER, mentioned INTEGER,
    called INTEGER);
CREATE TABLE links(name INTEGER, role INTEGER, chunk INTEGER, PRIMARY KEY(name, role, chunk)) WITHOUT ROWID;
"""


def add(connection: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Link the names of chunks that have no links yet."""
    rows, _ = _counted(connection, chunks, sign=1)
    connection.executemany("INSERT INTO links VALUES (?, ?, ?)", rows)


def remove(connection: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Undo `add`; the chunks must carry the names they were added with."""
    if not chunks:
        return
    rows, numbers = _counted(connection, chunks, sign=-1)
    connection.executemany("DELETE FROM links WHERE name = ? AND role = ? AND chunk = ?", rows)
    connection.executemany(
        "DELETE FROM names WHERE id = ? AND defined = 0 AND mentioned = 0 AND called = 0",
        [(number,) for number in numbers],
    )


def chunks_with(
    connection: sqlite3.Connection, names: Iterable[str], role: Role, *, common: int
) -> dict[str, tuple[int, ...]]:
    """Map each name that between 1 and `common` chunks define (mention, call) to those chunks, ascending."""
    rows = connection.execute(
        # The cross joins fix the order: asked names, their row, their links, which the key of the table sorts.
        "SELECT n.name, l.chunk FROM json_each(?2) j CROSS JOIN names n ON n.name = j.value "
        "CROSS JOIN links l ON l.name = n.id AND l.role = ?1 "
        "WHERE CASE ?1 WHEN 0 THEN n.defined WHEN 1 THEN n.mentioned ELSE n.called END BETWEEN 1 AND ?3",
        (_ROLES.index(role), json.dumps(list(dict.fromkeys(names))), common),
    )
    return {name: tuple(chunk for _, chunk in group) for name, group in groupby(rows, key=lambda row: row[0])}


def defined(connection: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Return those of the names that any chunk defines."""
    rows = connection.execute(
        "SELECT n.name FROM json_each(?) j CROSS JOIN names n ON n.name = j.value WHERE n.defined > 0",
        (json.dumps(list(names)),),
    )
    return {name for (name,) in rows}


def everyday_calls(chunk: Chunk) -> set[str]:
    """Return the last parts of what a chunk calls without mentioning them."""
    return {name.rpartition(".")[2] for name in chunk.calls}.difference(chunk.mentions)


def _counted(
    connection: sqlite3.Connection, chunks: Sequence[Chunk], *, sign: int
) -> tuple[Iterator[tuple[int, int, int]], list[int]]:
    """Move the counts of every name in the chunks. Returns the rows of their links, in the order of their tree, and the
    numbers of the names."""
    vocabulary = Vocabulary()
    ids = np.fromiter((chunk.id for chunk in chunks), np.int64, len(chunks))
    links = [
        _occurrences(vocabulary, ids, [dict.fromkeys(chunk.defines) for chunk in chunks]),
        _occurrences(vocabulary, ids, [dict.fromkeys(chunk.mentions) for chunk in chunks]),
        _occurrences(vocabulary, ids, [everyday_calls(chunk) for chunk in chunks]),
    ]
    counts = [(sign * np.bincount(names, minlength=len(vocabulary))).tolist() for names, _ in links]
    connection.executemany(
        "INSERT INTO names(name, defined, mentioned, called) VALUES (?, ?, ?, ?) ON CONFLICT(name) DO UPDATE "
        "SET defined = defined + excluded.defined, mentioned = mentioned + excluded.mentioned, "
        "called = called + excluded.called",
        sorted(zip(vocabulary, *counts, strict=True)),
    )
    found = connection.execute(
        "SELECT name, id FROM names WHERE name IN (SELECT value FROM json_each(?))", (json.dumps(list(vocabulary)),)
    ).fetchall()
    numbers = np.empty(len(vocabulary), np.int64)
    numbers[[vocabulary[name] for name, _ in found]] = [number for _, number in found]
    names = numbers[np.concatenate([names for names, _ in links])]
    roles = np.repeat(np.arange(len(links)), [len(names) for names, _ in links])
    owners = np.concatenate([owners for _, owners in links])
    order = np.lexsort((owners, roles, names))
    rows = zip(names[order].tolist(), roles[order].tolist(), owners[order].tolist(), strict=True)
    return rows, numbers.tolist()


def _occurrences(
    vocabulary: Vocabulary, ids: NDArray[np.int64], names: Sequence[Collection[str]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return one entry for each name of each chunk: the name's place in the vocabulary, and the chunk's id."""
    lengths = np.fromiter(map(len, names), np.int64, len(names))
    flat = np.fromiter(map(vocabulary.__getitem__, chain.from_iterable(names)), np.int64, int(lengths.sum()))
    return flat, np.repeat(ids, lengths)
