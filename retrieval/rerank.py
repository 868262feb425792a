"""A closer reading of a query's best candidates."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from retrieval.protocols import Embedder, Vectors


class CosineReranker:
    """Reranker: the cosine between the query and each text, by an embedder better than the first stage's.

    Text vectors are kept by chunk id, which is a hash of the text, least recently used out first: 20,000 of 384 numbers
    are 31 MB.
    """

    def __init__(self, embedder: Embedder, *, cached: int = 20_000) -> None:
        """`cached` is how many texts' vectors are kept."""
        self._embedder = embedder
        self._cached = cached
        self._vectors: OrderedDict[int, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def score(self, query: str, texts: Mapping[int, str]) -> dict[int, float]:
        """Return one cosine for each text, from -1 to 1, in the order of `texts`; 0 where either is empty.

        Raises ModelUnavailable, with the command that fetches the weights.
        """
        with self._lock:
            known = {chunk: self._vectors[chunk] for chunk in texts if chunk in self._vectors}
        unknown = [chunk for chunk in texts if chunk not in known]
        # Outside the lock: half a second for 50 texts. Two threads may embed one text, to the same vector.
        asked, *new = self._embedder.embed([query, *(texts[chunk] for chunk in unknown)])
        known.update(zip(unknown, new, strict=True))
        with self._lock:
            for chunk, vector in known.items():
                self._vectors[chunk] = vector
                self._vectors.move_to_end(chunk)
            while len(self._vectors) > self._cached:
                self._vectors.popitem(last=False)
        return {chunk: min(1.0, max(-1.0, float(asked @ known[chunk]))) for chunk in texts}
