"""Which chunks define, mention and call which names, in SQLite.

Calls are linked by the last part of what they call, and only where the chunk does not mention that part anyway: a call
of `get` or `join`, which are no mentions. So the links of Django's 28,900 chunks of code grow by 3 per cent.

A chunk's own names are in its row: deleting needs no index by chunk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, compress
from typing import Literal

import numpy as np

from ingest.types import Chunk
from retrieval.terms import Numbers, Vocabulary

Role = Literal["defined", "mentioned", "called"]

_ROLES: tuple[Role, ...] = ("defined", "mentioned", "called")

SCHEMA = """
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE links(name INTEGER, role INTEGER, chunk INTEGER, PRIMARY KEY(name, role, chunk)) WITHOUT ROWID;
"""


def add(connection: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Link the names of chunks that have no links yet."""
    vocabulary, links = _links(chunks)
    connection.executemany("INSERT OR IGNORE INTO names(name) VALUES (?)", [(name,) for name in sorted(vocabulary)])
    connection.executemany("INSERT INTO links VALUES (?, ?, ?)", _rows(connection, vocabulary, links))


def remove(connection: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Undo `add`; the chunks must carry the names they were added with."""
    if not chunks:
        return
    vocabulary, links = _links(chunks)
    connection.executemany(
        "DELETE FROM links WHERE name = ? AND role = ? AND chunk = ?", _rows(connection, vocabulary, links)
    )
    connection.executemany(
        "DELETE FROM names WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM links WHERE links.name = names.id)",
        [(name,) for name in vocabulary],
    )


def chunks_with(
    connection: sqlite3.Connection, names: Iterable[str], role: Role, *, common: int
) -> dict[str, tuple[int, ...]]:
    """Map each name that between 1 and `common` chunks define (mention, call) to those chunks, ascending."""
    rows = connection.execute(
        # The cross joins fix the order: asked names, their row, their links, which the key of the table sorts. Of a
        # name with too many links, no more of them are looked at than tell that.
        "SELECT n.name, l.chunk FROM json_each(?2) j CROSS JOIN names n ON n.name = j.value "
        "CROSS JOIN links l ON l.name = n.id AND l.role = ?1 "
        "WHERE NOT EXISTS (SELECT 1 FROM links WHERE name = n.id AND role = ?1 LIMIT 1 OFFSET ?3)",
        (_ROLES.index(role), json.dumps(list(dict.fromkeys(names))), common),
    )
    found: dict[str, list[int]] = {}
    for name, chunk in rows:
        found.setdefault(name, []).append(chunk)
    return {name: tuple(chunks) for name, chunks in found.items()}


def beginnings(connection: sqlite3.Connection) -> Numbers:
    """Return the hashes, in this process and ascending, of the first two words of the defined names that have more than
    one: 5,300 of Django's 105,000."""
    rows = connection.execute(
        "SELECT name FROM names WHERE instr(name, ' ') "
        "AND EXISTS (SELECT 1 FROM links WHERE links.name = names.id AND role = 0)"
    )
    return np.unique(np.fromiter((hash(_beginning(name)) for (name,) in rows), np.int64))


def begun(pairs: Collection[str], known: Numbers) -> set[str]:
    """Return those of the pairs of words whose hash is among the known ones."""
    if not len(known):
        return set()
    hashes = np.fromiter(map(hash, pairs), np.int64, len(pairs))
    at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return set(compress(pairs, known[at] == hashes))


def _beginning(name: str) -> str:
    return " ".join(name.split(" ", 2)[:2])


def defined(connection: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Return those of the names that any chunk defines."""
    rows = connection.execute(
        "SELECT n.name FROM json_each(?) j CROSS JOIN names n ON n.name = j.value "
        "WHERE EXISTS (SELECT 1 FROM links WHERE name = n.id AND role = 0)",
        (json.dumps(list(names)),),
    )
    return {name for (name,) in rows}


def everyday_calls(chunk: Chunk) -> set[str]:
    """Return the last parts of what a chunk calls without mentioning them."""
    return {name.rpartition(".")[2] for name in chunk.calls}.difference(chunk.mentions)


def _links(chunks: Sequence[Chunk]) -> tuple[Vocabulary, list[tuple[Numbers, Numbers]]]:
    """Return the names in the chunks, numbered, and for each role the name and the chunk of each link."""
    vocabulary = Vocabulary()
    ids = np.fromiter((chunk.id for chunk in chunks), np.int64, len(chunks))
    return vocabulary, [
        _occurrences(vocabulary, ids, [dict.fromkeys(chunk.defines) for chunk in chunks]),
        _occurrences(vocabulary, ids, [dict.fromkeys(chunk.mentions) for chunk in chunks]),
        _occurrences(vocabulary, ids, [everyday_calls(chunk) for chunk in chunks]),
    ]


def _occurrences(vocabulary: Vocabulary, ids: Numbers, names: Sequence[Collection[str]]) -> tuple[Numbers, Numbers]:
    lengths = np.fromiter(map(len, names), np.int64, len(names))
    flat = np.fromiter(map(vocabulary.__getitem__, chain.from_iterable(names)), np.int64, int(lengths.sum()))
    return flat, np.repeat(ids, lengths)


def _rows(
    connection: sqlite3.Connection, vocabulary: Vocabulary, links: Sequence[tuple[Numbers, Numbers]]
) -> Iterator[tuple[int, int, int]]:
    """Yield the links' rows in the order of their tree."""
    found = connection.execute(
        "SELECT name, id FROM names WHERE name IN (SELECT value FROM json_each(?))", (json.dumps(list(vocabulary)),)
    ).fetchall()
    numbers = np.empty(len(vocabulary), np.int64)
    numbers[[vocabulary[name] for name, _ in found]] = [number for _, number in found]
    names = numbers[np.concatenate([names for names, _ in links])]
    roles = np.repeat(np.arange(len(links)), [len(names) for names, _ in links])
    owners = np.concatenate([owners for _, owners in links])
    order = np.lexsort((owners, roles, names))
    return zip(names[order].tolist(), roles[order].tolist(), owners[order].tolist(), strict=True)
