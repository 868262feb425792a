"""What is done for a file's chunks where the file is read, so that the one process that writes has less to do: their
terms are found, and their tokens cut for the static embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.types import Chunk
from retrieval.embed_static import StaticEmbedder
from retrieval.protocols import Embedder
from retrieval.terms import Vocabulary, numbered
from retrieval.tokens import embedded, searchable, tokens


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a worker sends with a file's chunks. `terms[i]` are the places of chunk `i`'s terms in `words`, in order;
    `cut[i]` are its tokens, None where the embedder takes texts only."""

    words: list[str]
    terms: list[NDArray[np.int32]]
    cut: list[NDArray[np.int32]] | None


@dataclass(frozen=True, slots=True)
class Preparation:
    """`ingest.pipeline`'s `prepare` for an index with this embedder; goes to worker processes."""

    cuts: bool

    @classmethod
    def for_embedder(cls, embedder: Embedder) -> Preparation:
        return cls(isinstance(embedder, StaticEmbedder))

    def __call__(self, chunks: Sequence[Chunk]) -> Prepared:
        vocabulary = Vocabulary()
        terms = [numbered(vocabulary, tokens(searchable(chunk))).astype(np.int32) for chunk in chunks]
        return Prepared(list(vocabulary), terms, _embedder().cut(list(map(embedded, chunks))) if self.cuts else None)


_embedders: list[StaticEmbedder] = []


def _embedder() -> StaticEmbedder:
    """This process's own, for what it remembers of words."""
    if not _embedders:
        _embedders.append(StaticEmbedder())
    return _embedders[0]
