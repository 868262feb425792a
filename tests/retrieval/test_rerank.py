from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrieval.protocols import Vectors
from retrieval.rerank import Reader
from tests.retrieval.made import HashEmbedder, prose

CHUNKS = [
    prose("a.md", "Heron", "Herons wade."),
    prose("b.md", "Owl", "Owls hoot."),
    prose("c.md", "Crow", "Crows caw."),
]


class Counting(HashEmbedder):
    """Counts the texts that it reads."""

    read = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.read += len(texts)
        return super().embed(texts)


def test_the_reader_reads_a_chunk_once_and_keeps_the_newest() -> None:
    embedder = Counting()
    reader = Reader(embedder, kept=2)
    first, second, third = ({c.id: c} for c in CHUNKS)
    for chunk in (first, second, first, third, first):
        reader.vectors(chunk)
    assert embedder.read == 3
    reader.vectors(second)
    assert embedder.read == 4


def test_the_reader_sees_a_chunks_place_with_its_text() -> None:
    reader = Reader(HashEmbedder())
    chunk = CHUNKS[0]
    expected = HashEmbedder().embed([f"{chunk.header}\n{chunk.text}"])[0]
    assert np.array_equal(reader.vectors({chunk.id: chunk})[chunk.id], expected)
