"""A closer reading of a query's best candidates: a transformer's vectors, kept by chunk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from ingest.types import Chunk
from retrieval.protocols import Embedder, Vectors
from retrieval.tokens import searchable


class Reader:
    """Reads candidates with an embedder better than the first stage's.

    It gives vectors and not scores, because the last stage walks the hops again with them (`retrieval.hops`): sorting
    by likeness to the question would demote the very bridges that the hops found. Vectors are kept by chunk id, which
    is a hash of the text, least recently used out first: 20,000 of 384 numbers are 31 MB.
    """

    def __init__(self, embedder: Embedder, *, kept: int = 20_000) -> None:
        """`kept` is how many chunks' vectors are kept."""
        self._embedder = embedder
        self._capacity = kept
        self._kept: OrderedDict[int, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def question(self, query: str) -> Vectors:
        """Return the query's unit vector (d,). Raises ModelUnavailable, with the command that fetches the weights."""
        return np.asarray(self._embedder.embed([query])[0])

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors (n, d). Raises ModelUnavailable, with the command that fetches the weights."""
        return self._embedder.embed(texts)

    def vectors(self, chunks: Mapping[int, Chunk]) -> dict[int, Vectors]:
        """Return each chunk's unit vector (d,), reading those that were not read before.

        Raises ModelUnavailable, with the command that fetches the weights.
        """
        with self._lock:
            found = {chunk: self._kept[chunk] for chunk in chunks if chunk in self._kept}
        new = [chunk for chunk in chunks if chunk not in found]
        if new:
            # Outside the lock: half a second for 60 chunks. Two threads may read one chunk, to the same vector.
            read = self._embedder.embed([searchable(chunks[chunk]) for chunk in new])
            found.update(zip(new, read, strict=True))
        with self._lock:
            for chunk, vector in found.items():
                self._kept[chunk] = vector
                self._kept.move_to_end(chunk)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return found
