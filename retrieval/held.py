"""Vectors in this process's memory: what a shard is to an index, for little that is made again when it is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ingest.types import Chunk
from retrieval.protocols import Vectors
from retrieval.rows import Ids
from retrieval.ties import best
from retrieval.types import Scored


class HeldVectors:
    """Vectors by chunk id. Its caller holds a lock around writes."""

    def __init__(self, dim: int) -> None:
        """`dim` is the length of each vector."""
        self._dim = dim
        self._rows: dict[int, Vectors] = {}

    def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Hold the chunks' vectors, float32 (n, dim)."""
        self._rows.update(zip((chunk.id for chunk in chunks), vectors, strict=True))

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these vectors; unknown ids are no error."""
        for chunk in ids:
            self._rows.pop(chunk, None)

    def count(self) -> int:
        """How many there are."""
        return len(self._rows)

    def ids(self) -> set[int]:
        """Every id."""
        return set(self._rows)

    def nearest(self, vector: Vectors, *, limit: int, among: Ids | None = None) -> list[Scored]:
        """Return the nearest by cosine, best first, ties by id; `among` are the ids that may be returned."""
        ids = np.fromiter(self._rows, np.int64, len(self._rows))
        rows = np.concatenate([np.zeros(0, np.float32), *self._rows.values()]).reshape(-1, self._dim)
        if among is not None:
            kept = np.isin(ids, among)
            ids, rows = ids[kept], rows[kept]
        return best(ids, np.vecdot(rows, vector).astype(np.float64), limit)

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return those that are here, by id."""
        return {chunk: self._rows[chunk] for chunk in ids if chunk in self._rows}

    def optimize(self) -> None:
        """There is nothing to merge."""

    def close(self) -> None:
        """Let the vectors go."""
        self._rows.clear()
