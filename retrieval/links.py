"""Which chunks define, mention and call which names, in SQLite.

Calls are linked by the last part of what they call, and only where the chunk does not mention that part anyway: a call
of `get` or `join`, which are no mentions. So the links of Django's 28,900 chunks of code grow by 3 per cent.

A name carries how many chunks define and mention it, so that one which everything mentions is passed over by reading
one row. A chunk's own names are in its row: deleting needs no index by chunk.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from ingest.types import Chunk

Role = Literal["defined", "mentioned", "called"]

_ROLES: tuple[Role, ...] = ("defined", "mentioned", "called")

SCHEMA = """
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT UNIQUE, defined INTEGER, mentioned INTEGER,
    called INTEGER);
CREATE TABLE links(name INTEGER, role INTEGER, chunk INTEGER, PRIMARY KEY(name, role, chunk)) WITHOUT ROWID;
"""


def add(connection: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Link the names of chunks that have no links yet."""
    numbers = _count(connection, chunks, sign=1)
    connection.executemany("INSERT INTO links VALUES (?, ?, ?)", _links(chunks, numbers))


def remove(connection: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Undo `add`; the chunks must carry the names they were added with."""
    numbers = _count(connection, chunks, sign=-1)
    connection.executemany("DELETE FROM links WHERE name = ? AND role = ? AND chunk = ?", _links(chunks, numbers))
    connection.executemany(
        "DELETE FROM names WHERE id = ? AND defined = 0 AND mentioned = 0 AND called = 0",
        [(number,) for number in numbers.values()],
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


def _count(connection: sqlite3.Connection, chunks: Sequence[Chunk], *, sign: int) -> dict[str, int]:
    """Move the counts of every name in the chunks, and return each name's number."""
    defines = Counter(name for chunk in chunks for name in dict.fromkeys(chunk.defines))
    mentions = Counter(name for chunk in chunks for name in dict.fromkeys(chunk.mentions))
    calls = Counter(name for chunk in chunks for name in everyday_calls(chunk))
    names = sorted({*defines, *mentions, *calls})
    connection.executemany(
        "INSERT INTO names(name, defined, mentioned, called) VALUES (?, ?, ?, ?) ON CONFLICT(name) DO UPDATE "
        "SET defined = defined + excluded.defined, mentioned = mentioned + excluded.mentioned, "
        "called = called + excluded.called",
        [(name, sign * defines[name], sign * mentions[name], sign * calls[name]) for name in names],
    )
    rows = connection.execute(
        "SELECT name, id FROM names WHERE name IN (SELECT value FROM json_each(?))", (json.dumps(names),)
    )
    return dict(rows.fetchall())


def _links(chunks: Sequence[Chunk], numbers: dict[str, int]) -> Iterator[tuple[int, int, int]]:
    """Yield the rows in the order of their tree: sorting the names is a tenth of sorting the links."""
    linked: dict[tuple[int, int], list[int]] = {}
    for chunk in sorted(chunks, key=lambda c: c.id):
        for role, names in enumerate((chunk.defines, chunk.mentions, everyday_calls(chunk))):
            for name in dict.fromkeys(names):
                linked.setdefault((numbers[name], role), []).append(chunk.id)
    for number, role in sorted(linked):
        for i in linked[number, role]:
            yield number, role, i
