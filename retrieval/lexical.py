"""BM25 over postings in SQLite, with the weights of `rank_bm25.BM25Okapi`.

An index is a few segments, each written once: for every term two packed arrays, the ordinals of its chunks within the
segment and how often it occurs in each. Opening costs nothing, and a query reads the rows of its own terms. A removed
chunk is struck out of its segment's `live` bytes; merging drops it. Document frequencies are kept current on every
write, and so is a histogram of them, from which the average idf comes, so scores never remember what was removed.

Source of the weights: Trotman, Puurula and Burgess, "Improvements to BM25 and Language Models Examined" (2014), as
`rank_bm25` 0.2.2 has them: an idf below zero is replaced by EPSILON times the average idf. In an index of one or two
chunks that average is not above zero either, and nothing scores; vectors find what there is.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ingest.errors import WorkspaceDamaged
from retrieval.terms import Vocabulary
from retrieval.ties import best
from retrieval.types import Scored

K1, B, EPSILON = 1.5, 0.75, 0.25
_DAMAGED = "The index is damaged: words of it point to passages that are not there. Run `hoplite index PATH --rebuild`."

# How many segments of one size class may stand before they are merged, and how many chunks a merged one holds at most
# (about 130 MB of memory while merging). A first run over 45,000 chunks in batches of 2,000 merges nothing.
FAN = 32
LARGEST = 65_536

# Postings that are kept between searches: 64 MB, the terms of several questions over a million chunks.
KEPT = 4_000_000

# Keyed by segment first: a batch is then appended in one place, and 23 segments x 8 terms are still only 184 look-ups.
SCHEMA = """
CREATE TABLE postings(segment INTEGER, term TEXT, ordinals BLOB, frequencies BLOB, PRIMARY KEY(segment, term))
    WITHOUT ROWID;
CREATE TABLE segments(segment INTEGER PRIMARY KEY, ids BLOB, lengths BLOB, live BLOB);
CREATE TABLE terms(term TEXT PRIMARY KEY, chunks INTEGER) WITHOUT ROWID;
CREATE TABLE frequencies(chunks INTEGER PRIMARY KEY, terms INTEGER);
CREATE TABLE totals(chunks INTEGER, length INTEGER, average_idf REAL);
INSERT INTO totals VALUES (0, 0, 0.0);
"""

Ids = NDArray[np.int64]
Int32s = NDArray[np.int32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Segments:
    """Every chunk of every segment, laid end to end. `start[segment]` is where a segment begins."""

    start: Mapping[int, int]
    ids: Ids
    norms: NDArray[np.float64]  # the part of BM25's denominator that depends on the chunk's length alone
    live: Flags
    whole: bool  # nothing is struck out
    chunks: int
    average_idf: float


class Lexical:
    """The index inside an open database. Callers hold the database's lock, and a transaction around every write."""

    def __init__(self) -> None:
        self._read: _Segments | None = None
        self._terms: dict[str, tuple[Ids, NDArray[np.float64]]] = {}
        self._kept = 0
        self._scores = np.zeros(0)
        self._within: tuple[Ids, Flags] | None = None

    def forget(self) -> None:
        """Drop what was read: after every write, and after a write that was rolled back."""
        self._read = None
        self._within = None
        self.forget_terms()

    def forget_terms(self) -> None:
        """Drop what was read of single terms only: as if none had been asked for."""
        self._terms, self._kept = {}, 0

    def add(self, connection: sqlite3.Connection, vocabulary: Vocabulary, documents: Mapping[int, Ids]) -> None:
        """Index chunks that are not in the index, given as the numbers that their terms have in the vocabulary."""
        if not documents:
            return
        self.forget()
        lengths = np.fromiter(map(len, documents.values()), np.int32, len(documents))
        numbers = np.concatenate(list(documents.values()))
        # One integer an occurrence: sorting them brings equal (term, chunk) pairs together to be counted.
        pairs = numbers * len(documents) + np.repeat(np.arange(len(documents)), lengths)
        pairs, counted = np.unique(pairs, return_counts=True)
        terms, ordinals = np.divmod(pairs, len(documents))
        ids = np.fromiter(documents, np.int64, len(documents))
        _write_segment(connection, ids, lengths, vocabulary, terms, ordinals, counted)
        found = np.bincount(terms, minlength=len(vocabulary)).tolist()
        change = {term: n for term, n in zip(vocabulary, found, strict=True) if n}
        _shift(connection, change, len(documents), int(lengths.sum()))

    def remove(self, connection: sqlite3.Connection, documents: Mapping[int, Sequence[str]]) -> None:
        """Strike chunks out. Their terms must be those they were added with."""
        if not documents:
            return
        self.forget()
        doomed = np.fromiter(documents, np.int64, len(documents))
        for segment, packed, flags in connection.execute("SELECT segment, ids, live FROM segments").fetchall():
            live = np.frombuffer(flags, np.bool_).copy()
            struck = live & np.isin(np.frombuffer(packed, np.int64), doomed)
            if struck.any():
                live &= ~struck
                connection.execute("UPDATE segments SET live = ? WHERE segment = ?", (live.tobytes(), segment))
        lost = Counter(term for terms in documents.values() for term in set(terms))
        length = sum(map(len, documents.values()))
        _shift(connection, {term: -n for term, n in lost.items()}, -len(documents), -length)

    def search(
        self, connection: sqlite3.Connection, terms: Sequence[str], *, limit: int, among: Ids | None = None
    ) -> list[Scored]:
        """Return the best chunks, best first, ties by id, scores above 0. `among` are the ids that may be returned."""
        held = self._segments(connection)
        found = self._look_up(connection, held, terms)
        if len(self._scores) != len(held.ids):
            self._scores = np.zeros(len(held.ids))
        for term in terms:  # in the query's order, repeats and all, so that even the rounding is the reference's
            places, worth = found[term]
            self._scores[places] += worth
        positive = self._scores > 0
        allowed = self._allowed(held, among)
        if allowed is not None:
            positive &= allowed
        places = np.flatnonzero(positive)
        scores = self._scores[places]
        # Kept as zeros for the next search: where there are a million chunks, a new array takes longer than the search.
        self._scores.fill(0.0)
        if 0 < limit < len(scores):
            top = scores >= np.partition(scores, -limit)[-limit]
            places, scores = places[top], scores[top]
        return best(held.ids[places], scores, limit)

    def _allowed(self, held: _Segments, among: Ids | None) -> Flags | None:
        """Return for each place whether its chunk may be returned, None where all may; `among` is mostly that of the
        last search."""
        if among is None:
            return None if held.whole else held.live
        if self._within is None or self._within[0] is not among:
            self._within = among, held.live & np.isin(held.ids, among)
        return self._within[1]

    def _look_up(
        self, connection: sqlite3.Connection, held: _Segments, terms: Sequence[str]
    ) -> Mapping[str, tuple[Ids, NDArray[np.float64]]]:
        """Return what each term adds to the scores of which chunks. Kept, because one search asks for the same words of
        its question again and again: in Django 10 times, which was a third of a search without the transformer."""
        if self._kept > KEPT:
            self._terms, self._kept = {}, 0
        new = [term for term in dict.fromkeys(terms) if term not in self._terms]
        weights = _weigh(connection, held, new) if new else {}
        for term in new:
            places, found = _postings(connection, held, term)
            worth = weights.get(term, 0.0) * (found * (K1 + 1) / (found + held.norms[places]))
            self._terms[term] = (places, worth)
            self._kept += len(places) + 1
        return self._terms

    def idf(self, connection: sqlite3.Connection, terms: Sequence[str]) -> dict[str, float]:
        """Return the weight of each term that is in the index."""
        return _weigh(connection, self._segments(connection), terms)

    def merge(self, connection: sqlite3.Connection, *, everything: bool = False) -> None:
        """Merge the segments that are `due`; with `everything`, all that fit together."""
        sizes = {}
        for segment, flags in connection.execute("SELECT segment, live FROM segments").fetchall():
            live = np.frombuffer(flags, np.bool_)
            sizes[segment] = (int(live.sum()), len(live))
        for group in packed(sizes) if everything else due(sizes):
            self.forget()
            _merge(connection, group)

    def _segments(self, connection: sqlite3.Connection) -> _Segments:
        if self._read is None:
            rows = connection.execute("SELECT segment, ids, lengths, live FROM segments ORDER BY segment").fetchall()
            chunks, length, average_idf = connection.execute("SELECT * FROM totals").fetchone()
            starts = np.cumsum([0] + [len(row[1]) // 8 for row in rows])
            lengths = np.frombuffer(b"".join(row[2] for row in rows), np.int32)
            live = np.frombuffer(b"".join(row[3] for row in rows), np.bool_)
            if chunks != live.sum():
                raise WorkspaceDamaged(_DAMAGED)
            self._read = _Segments(
                start={row[0]: int(start) for row, start in zip(rows, starts[:-1], strict=True)},
                ids=np.frombuffer(b"".join(row[1] for row in rows), np.int64),
                norms=K1 * (1 - B + B * lengths / (length / chunks if length else 1.0)),
                live=live,
                whole=bool(live.all()),
                chunks=chunks,
                average_idf=average_idf,
            )
        return self._read


def due(sizes: Mapping[int, tuple[int, int]]) -> list[list[int]]:
    """Return groups of segments to merge now, given each one's live chunks and its chunks altogether.

    A segment more than half struck out is rewritten. FAN segments of one size class (a factor of FAN wide) are merged.
    """
    groups: list[list[int]] = []
    classes: dict[int, list[int]] = {}
    for segment, (live, size) in sizes.items():
        if 2 * live < size:
            groups.append([segment])
        elif 2 * live < LARGEST:
            classes.setdefault(int(math.log(max(live, 1), FAN) + 1e-9), []).append(segment)
    for members in classes.values():
        if len(members) >= FAN:
            groups += packed({segment: sizes[segment] for segment in members})
    return groups


def packed(sizes: Mapping[int, tuple[int, int]]) -> list[list[int]]:
    """Group segments, smallest first, up to LARGEST chunks a group; leave out those that would stay as they are."""
    groups: list[list[int]] = [[]]
    total = 0
    for segment in sorted(sizes, key=lambda s: (sizes[s][0], s)):
        live = sizes[segment][0]
        if groups[-1] and total + live > LARGEST:
            groups.append([])
            total = 0
        groups[-1].append(segment)
        total += live
    return [group for group in groups if len(group) > 1 or any(sizes[s][0] < sizes[s][1] for s in group)]


def _postings(connection: sqlite3.Connection, held: _Segments, term: str) -> tuple[Ids, NDArray[np.float64]]:
    """Return where a term occurs, as places in the segments laid end to end, and how often in each."""
    rows = connection.execute(
        # The cross join fixes the order: one look-up in the postings for each segment.
        "SELECT p.segment, p.ordinals, p.frequencies FROM segments s CROSS JOIN postings p "
        "ON p.segment = s.segment AND p.term = ?",
        (term,),
    ).fetchall()
    ordinals = np.frombuffer(b"".join(row[1] for row in rows), np.int32).astype(np.int64)
    found = np.frombuffer(b"".join(row[2] for row in rows), np.int32)
    starts = np.asarray([held.start[row[0]] for row in rows], np.int64)
    ordinals += np.repeat(starts, [len(row[1]) // 4 for row in rows])
    if len(ordinals) and not 0 <= ordinals.min() <= ordinals.max() < len(held.ids):
        raise WorkspaceDamaged(_DAMAGED)
    return ordinals, found.astype(np.float64)


def _weigh(connection: sqlite3.Connection, held: _Segments, terms: Sequence[str]) -> dict[str, float]:
    """Return each known term's idf, with the reference's floor under the negative ones."""
    floor = EPSILON * held.average_idf
    weights = {term: _idf(n, held.chunks) for term, n in _frequencies(connection, terms).items()}
    return {term: weight if weight >= 0 else floor for term, weight in weights.items()}


def _idf(having: int, chunks: int) -> float:
    if not 0 <= having <= chunks:
        raise WorkspaceDamaged(_DAMAGED)
    return math.log(chunks - having + 0.5) - math.log(having + 0.5)


def _frequencies(connection: sqlite3.Connection, terms: Sequence[str]) -> dict[str, int]:
    rows = connection.execute(
        "SELECT term, chunks FROM terms WHERE term IN (SELECT value FROM json_each(?))", (json.dumps(list(terms)),)
    )
    return dict(rows.fetchall())


def _shift(connection: sqlite3.Connection, change: Mapping[str, int], chunks: int, length: int) -> None:
    """Move document frequencies, their histogram and the totals by the given differences."""
    old = _frequencies(connection, list(change))
    histogram: Counter[int] = Counter()
    new: list[tuple[str, int]] = []
    for term in sorted(change):
        before = old.get(term, 0)
        after = before + change[term]
        histogram[before] -= 1
        histogram[after] += 1
        new.append((term, after))
    connection.executemany("INSERT OR REPLACE INTO terms VALUES (?, ?)", [row for row in new if row[1]])
    connection.executemany("DELETE FROM terms WHERE term = ?", [(term,) for term, n in new if not n])
    del histogram[0]
    connection.executemany(
        "INSERT INTO frequencies VALUES (?, ?) ON CONFLICT DO UPDATE SET terms = terms + excluded.terms",
        [(having, terms) for having, terms in histogram.items() if terms],
    )
    connection.execute("DELETE FROM frequencies WHERE terms = 0")
    connection.execute("UPDATE totals SET chunks = chunks + ?, length = length + ?", (chunks, length))
    total = int(connection.execute("SELECT chunks FROM totals").fetchone()[0])
    having = connection.execute("SELECT chunks, terms FROM frequencies ORDER BY chunks").fetchall()
    known = sum(terms for _, terms in having)
    average = math.fsum(terms * _idf(n, total) for n, terms in having) / known if known else 0.0
    connection.execute("UPDATE totals SET average_idf = ?", (average,))


def _write_segment(
    connection: sqlite3.Connection,
    ids: Ids,
    lengths: Int32s,
    vocabulary: Mapping[str, int],
    terms: Ids,
    ordinals: Ids,
    counted: Ids | Int32s,
) -> None:
    """Write one segment. The last three arrays are one entry a posting, sorted by term number, then by ordinal."""
    segment = int(connection.execute("SELECT coalesce(max(segment), 0) + 1 FROM segments").fetchone()[0])
    flags = np.ones(len(ids), np.bool_)
    connection.execute(
        "INSERT INTO segments VALUES (?, ?, ?, ?)", (segment, ids.tobytes(), lengths.tobytes(), flags.tobytes())
    )
    edges = np.searchsorted(terms, np.arange(len(vocabulary) + 1)).tolist()
    slices = list(pairwise(edges))
    places, found = ordinals.astype(np.int32).tobytes(), counted.astype(np.int32).tobytes()
    connection.executemany(
        "INSERT INTO postings VALUES (?, ?, ?, ?)",
        (
            (segment, term, places[4 * start : 4 * end], found[4 * start : 4 * end])
            for term in sorted(vocabulary)  # the order of the tree: each row lands next to the last one
            for start, end in (slices[vocabulary[term]],)
            if start < end
        ),
    )


def _merge(connection: sqlite3.Connection, segments: Sequence[int]) -> None:
    """Write the live chunks of some segments as one new segment, and drop the old ones."""
    vocabulary: dict[str, int] = {}
    ids, lengths, terms, ordinals, counted = [], [], [], [], []
    start = 0
    for segment in segments:
        row = connection.execute("SELECT ids, lengths, live FROM segments WHERE segment = ?", (segment,)).fetchone()
        live = np.frombuffer(row[2], np.bool_)
        ids.append(np.frombuffer(row[0], np.int64)[live])
        lengths.append(np.frombuffer(row[1], np.int32)[live])
        rows = connection.execute(
            "SELECT term, ordinals, frequencies FROM postings WHERE segment = ?", (segment,)
        ).fetchall()
        places = np.frombuffer(b"".join(r[1] for r in rows), np.int32)
        kept = live[places]
        numbers = [vocabulary.setdefault(r[0], len(vocabulary)) for r in rows]
        terms.append(np.repeat(np.asarray(numbers, np.int64), [len(r[1]) // 4 for r in rows])[kept])
        ordinals.append(start + np.cumsum(live)[places[kept]] - 1)
        counted.append(np.frombuffer(b"".join(r[2] for r in rows), np.int32)[kept])
        start += int(live.sum())
        connection.execute("DELETE FROM postings WHERE segment = ?", (segment,))
        connection.execute("DELETE FROM segments WHERE segment = ?", (segment,))
    if start:
        of, at, many = np.concatenate(terms), np.concatenate(ordinals), np.concatenate(counted)
        order = np.lexsort((at, of))
        _write_segment(
            connection, np.concatenate(ids), np.concatenate(lengths), vocabulary, of[order], at[order], many[order]
        )
