"""Vectors in one flat file, mapped into memory: read by id, or compared with a question all at once.

The engine hands out a vector as a list of numbers, 16 us each, and a search wants 600 of them. What is here is a copy:
the shard makes it anew where the two do not hold equally many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from retrieval.protocols import Vectors
from retrieval.ties import best
from retrieval.types import Scored

Ids = NDArray[np.int64]

STEP = 4_096
"""Rows that are read together."""

GONE = -1
"""In place of an id: the row of a vector that was removed. Ids are never negative."""


class Rows:
    """Unit vectors by id. Not safe among threads: the shard locks."""

    def __init__(self, folder: Path, dim: int) -> None:
        """Open or create the files. What a kill left half written is cut off."""
        folder.mkdir(parents=True, exist_ok=True)
        self._ids_file, self._vectors_file = folder / "ids.i64", folder / "vectors.f32"
        self._dim = dim
        self._mapped: tuple[Ids, Vectors] | None = None
        for file in (self._ids_file, self._vectors_file):
            file.touch()
        whole = min(self._ids_file.stat().st_size // 8, self._vectors_file.stat().st_size // (4 * dim))
        os.truncate(self._ids_file, 8 * whole)
        os.truncate(self._vectors_file, 4 * dim * whole)
        self._index()

    def __len__(self) -> int:
        return self._live

    @property
    def wasteful(self) -> bool:
        """Whether more rows are gone than here."""
        return self._written > 2 * self._live

    def put(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Write vectors, float32 (n, dim), the last of two with one id; on disk when it returns."""
        last = {number: row for row, number in enumerate(ids)}
        numbers, vectors = np.fromiter(last, np.int64, len(last)), normal(vectors[list(last.values())])
        places = self._places(numbers)
        new = numbers[places < 0]
        with self._vectors_file.open("r+b") as file:
            for row in np.flatnonzero(places >= 0).tolist():
                file.seek(int(places[row]) * 4 * self._dim)
                file.write(vectors[row].tobytes())
            file.seek(0, os.SEEK_END)
            file.write(vectors[places < 0].tobytes())
            _sync(file)  # before the ids, each of which promises a vector
        with self._ids_file.open("ab") as file:
            file.write(new.tobytes())
            _sync(file)
        self._recent.update(zip(new.tolist(), range(self._written, self._written + len(new)), strict=True))
        self._written += len(new)
        self._live += len(new)
        self._mapped = None
        if len(self._recent) > 4096 + len(self._sorted) // 8:
            self._index()

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these vectors; unknown ids are no error."""
        places = self._places(np.unique(np.asarray(ids, np.int64)))
        with self._ids_file.open("r+b") as file:
            for place in places[places >= 0].tolist():
                file.seek(8 * place)
                file.write(np.int64(GONE).tobytes())
        self._index()

    def rewrite(self, batches: Iterable[tuple[Sequence[int], Vectors]]) -> None:
        """Hold these vectors and no others."""
        new_ids, new_vectors = (file.with_suffix(".new") for file in (self._ids_file, self._vectors_file))
        with new_ids.open("wb") as ids, new_vectors.open("wb") as rows:
            for numbers, vectors in batches:
                rows.write(normal(vectors).tobytes())
                ids.write(np.asarray(numbers, np.int64).tobytes())
            for file in (rows, ids):
                _sync(file)
        # A kill from here on leaves vectors without ids, which are none.
        self._ids_file.unlink()
        new_vectors.replace(self._vectors_file)
        new_ids.replace(self._ids_file)
        self._index()

    def compact(self) -> None:
        """Hold the same vectors without the room of those that are gone."""
        held = self.ids()
        vectors = self._files()[1]
        places = self._places(held)
        self.rewrite((held[i : i + STEP].tolist(), vectors[places[i : i + STEP]]) for i in range(0, len(held), STEP))

    def ids(self) -> Ids:
        """Return the id of every vector."""
        return np.concatenate([self._sorted, np.fromiter(self._recent, np.int64, len(self._recent))])

    def unsound(self) -> Ids:
        """Return the ids whose vector is not of length 1, such as one that the disk has lost."""
        held = self.ids()
        vectors, places = self._files()[1], self._places(held)
        found = [held[:0]]
        for i in range(0, len(held), STEP):
            rows = vectors[places[i : i + STEP]]
            found.append(held[i : i + STEP][~(np.abs(np.vecdot(rows, rows) - 1) < 1e-3)])  # what is no number, too
        return np.concatenate(found)

    def nearest(self, vector: Vectors, *, limit: int, among: Ids | None) -> list[Scored]:
        """Return the nearest ids by cosine to a unit vector (dim,), best first, ties by id; `among` are those that may
        be returned."""
        # `vecdot` and not `@`: one thread reads memory as fast as two, and no core waits for the other; a vector's
        # score is the same to the last bit whichever others are looked at.
        ids, matrix = self._files()
        if among is not None:
            places = self._places(among)
            places = places[places >= 0]
        elif self._live < self._written:
            places = np.flatnonzero(ids >= 0)
        else:
            return best(ids, np.vecdot(matrix, vector), limit)
        # Rows taken out one by one cost about four times what they cost in a run.
        few = 4 * len(places) < len(ids)
        scores = np.vecdot(matrix[places], vector) if few else np.vecdot(matrix, vector)[places]
        return best(ids[places], scores, limit)

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, each float32 (dim,)."""
        asked = np.asarray(ids, np.int64)
        places = self._places(asked)
        here = places >= 0
        return dict(zip(asked[here].tolist(), self._files()[1][places[here]], strict=True))

    def _index(self) -> None:
        """Read the ids, and sort them to be found by."""
        ids = np.fromfile(self._ids_file, np.int64)
        order = np.argsort(ids, kind="stable")
        order = order[np.searchsorted(ids, 0, sorter=order) :]  # without those that are gone
        self._sorted, self._order = ids[order], order
        self._recent: dict[int, int] = {}
        self._written, self._live = len(ids), len(order)
        self._mapped = None

    def _files(self) -> tuple[Ids, Vectors]:
        """Return the id of each row, int64 (n,), and the rows, float32 (n, dim)."""
        if self._mapped is None:
            empty = np.empty((0, self._dim), np.float32)
            rows = np.memmap(self._vectors_file, np.float32, "r").reshape(-1, self._dim) if self._written else empty
            self._mapped = np.fromfile(self._ids_file, np.int64), np.asarray(rows[: self._written])
        return self._mapped

    def _places(self, ids: Ids) -> NDArray[np.int64]:
        """Return the row of each id, -1 where there is none."""
        places = np.full(len(ids), -1, np.int64)
        if len(self._sorted):
            at = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
            places = np.where(self._sorted[at] == ids, self._order[at], -1)
        if self._recent:
            for row in np.flatnonzero(places < 0).tolist():
                places[row] = self._recent.get(int(ids[row]), -1)
        return places


def normal(vectors: Vectors) -> Vectors:
    """Return the vectors in unit length; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    off = (np.abs(lengths - 1) > 1e-6) & (lengths > 0)
    made: Vectors = np.array(vectors, np.float32)
    np.divide(made, lengths, out=made, where=off)
    return made


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
