"""What is done for a file's chunks where the file is read, so that the one process that writes has less to do: their
terms are found, and their tokens cut for the static embedder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ingest.types import Chunk
from retrieval.embed_static import StaticEmbedder, is_plain
from retrieval.protocols import Embedder
from retrieval.terms import Vocabulary, numbered
from retrieval.tokens import embedded, parts, searchable, terms_of, trail_of, words_in


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of numbers, end to end: two arrays travel between processes faster than one for each chunk."""

    numbers: NDArray[np.integer]
    ends: NDArray[np.int64]

    @classmethod
    def joined(cls, rows: Sequence[NDArray[np.integer]]) -> Rows:
        return cls(np.concatenate(rows), _ends(rows))

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Rows:
        return cls(np.fromiter(chain.from_iterable(rows), np.int32), _ends(rows))

    def strung(self, rows: Rows) -> Rows:
        """Return for each of the given rows these rows that it numbers, end to end."""
        lengths = np.diff(self.ends, prepend=0)
        long = lengths[rows.numbers]
        ends = np.cumsum(long)
        begun = (self.ends - lengths)[rows.numbers] - (ends - long)
        places = np.arange(len(long) and ends[-1]) + np.repeat(begun, long)
        return Rows(self.numbers[places], np.concatenate([[0], ends])[rows.ends])

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
        # Words are looked up once for terms and vectors; what each gives is found once a file and strung together.
        words, counted, read = Vocabulary(), [], []
        for chunk in chunks:
            if is_plain(chunk.text) and is_plain(chunk.header):
                trail = trail_of(chunk)
                place = parts(chunk.header.removesuffix(trail))
                row = numbered(words, [*place, *parts(trail), *parts(chunk.text)])
                counted.append(row)
                read.append(row[len(place) :])
            else:
                counted.append(numbered(words, words_in(searchable(chunk))))
                if self.static:
                    read.append(numbered(words, _embedder(self.static).words(embedded(chunk))))
        vocabulary = Vocabulary()
        found = [*terms_of(words)]
        terms = Rows(numbered(vocabulary, chain.from_iterable(found)), _ends(found))
        tokens = Rows.of(_embedder(self.static).tokens_of(words)) if self.static else None
        return Prepared(
            list(vocabulary), terms.strung(Rows.joined(counted)), tokens and tokens.strung(Rows.joined(read))
        )


def _ends(rows: Iterable[Sized]) -> NDArray[np.int64]:
    return np.cumsum([*map(len, rows)], dtype=np.int64)


@cache
def _embedder(name: str) -> StaticEmbedder:
    """This process's own, for what it remembers of words."""
    # A file's new words are so few that the tokenizer's threads would take longer to wake than to work, and each
    # processor has its worker.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return StaticEmbedder(name)
