"""Small real things that retrieval's tests are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from ingest import names
from ingest.ids import chunk_id
from ingest.types import Chunk, Kind
from retrieval.protocols import Embedder, Vectors
from retrieval.tokens import tokens


class HashEmbedder:
    """Words hashed to signed places: texts that share words are near each other. Deterministic and instant."""

    name = "hash-64"
    dim = 64

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in tokens(text):
                place = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "little")
                row[place % self.dim] += 1.0 if place >> 31 else -1.0
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norms > 0, norms, 1.0)

    def states(self, texts: Sequence[str]) -> Iterator[Vectors]:
        """Each word's own vector, between two ends that say nothing."""
        for text in texts:
            yield self.embed(["", *tokens(text), ""] if text else [])


def prose(path: str, title: str, text: str, start: int = 1, kind: Kind = "prose") -> Chunk:
    """A chunk of prose that defines its title and mentions what its text mentions."""
    header = f"{path} > {title}"
    return Chunk(
        id=chunk_id(header, text, 0),
        path=path,
        kind=kind,
        language="markdown" if kind == "prose" else "python",
        title=title,
        header=header,
        text=text,
        start_line=start,
        end_line=start + text.count("\n"),
        defines=names.unique([names.prose_name(title), *names.identifiers(title)]),
        mentions=names.unique([*names.identifiers(text), *names.phrases(text)]),
    )


class SecondEmbedder(HashEmbedder):
    """Knows besides that a heron is a bird; counts the texts that it was given."""

    name = "second-48"
    dim = 48

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super().embed([text.lower().replace("bird", "heron") for text in texts])


def named(name: str | None) -> Embedder:
    """What a name means where there are no weights."""
    return SecondEmbedder() if name == SecondEmbedder.name else HashEmbedder()
