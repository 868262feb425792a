"""What is done for a file's chunks where the file is read, so that the one process that writes has less to do: their
terms are found, and their tokens cut for the static embedder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ingest.types import Chunk
from retrieval.embed_static import StaticEmbedder, is_plain
from retrieval.protocols import Embedder
from retrieval.terms import Vocabulary, numbered
from retrieval.tokens import embedded, parts, searchable, terms, tokens, trail_of


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of numbers, end to end: two arrays travel between processes faster than one for each chunk."""

    numbers: NDArray[np.int32]
    ends: NDArray[np.int64]

    @classmethod
    def joined(cls, rows: Sequence[NDArray[np.int32]]) -> Rows:
        return cls(np.concatenate(rows), _ends(rows))

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return iter(np.split(self.numbers, self.ends[:-1]))


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a worker sends with a file's chunks. Row `i` of `terms` are the places of chunk `i`'s terms in `words`, in
    order; row `i` of `cut` are its tokens. `cut` is None where the embedder takes texts only."""

    words: list[str]
    terms: Rows
    cut: Rows | None


@dataclass(frozen=True, slots=True)
class Preparation:
    """`ingest.pipeline`'s `prepare` for an index with this embedder; goes to worker processes."""

    static: str | None  # the static model that tokens are cut for

    @classmethod
    def for_embedder(cls, embedder: Embedder) -> Preparation:
        return cls(embedder.name if isinstance(embedder, StaticEmbedder) else None)

    def __call__(self, chunks: Sequence[Chunk]) -> Prepared:
        vocabulary = Vocabulary()
        found: list[NDArray[np.int32]] = []
        words: list[list[str]] = []
        for chunk in chunks:
            if is_plain(chunk.text) and is_plain(chunk.header):
                # Taking a text apart is the longest part of the work, and done once for both.
                cut = parts(chunk.text)
                found.append(numbered(vocabulary, terms([*parts(chunk.header), *cut])).astype(np.int32))
                words.append([*parts(trail_of(chunk)), *cut])
            else:
                found.append(numbered(vocabulary, tokens(searchable(chunk))).astype(np.int32))
                words.append(_embedder(self.static).words(embedded(chunk)) if self.static else [])
        cuts = Rows.joined(_embedder(self.static).cut(words)) if self.static else None
        return Prepared(list(vocabulary), Rows.joined(found), cuts)


def _ends(rows: Iterable[Sized]) -> NDArray[np.int64]:
    return np.cumsum([*map(len, rows)], dtype=np.int64)


@cache
def _embedder(name: str) -> StaticEmbedder:
    """This process's own, for what it remembers of words."""
    # A file's new words are so few that the tokenizer's threads would take longer to wake than to work, and each
    # processor has its worker.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return StaticEmbedder(name)
