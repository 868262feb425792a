"""The seams of retrieval, each with two implementations or more and one contract suite in `tests/contracts`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ingest.types import Chunk
from retrieval.terms import Terms
from retrieval.types import Counts, Scope, Scored, ServerState

Vectors = NDArray[np.float32]

EVERY = 2**31
"""As `common`: more chunks than any store holds."""


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """What the manifest records and compares at open, e.g. "static-all-MiniLM-L6-v2-256"."""
        ...

    @property
    def dim(self) -> int:
        """Numbers a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, dim), L2-normalised rows; an empty text gives a zero row. Deterministic.

        Raises ModelUnavailable, with the command that fetches the weights.
        """
        ...


class Store(Protocol):
    """Holds every chunk with its vector, terms and names. The manifest, not the store, knows what is complete."""

    def write(self, chunks: Sequence[Chunk], vectors: Vectors, terms: Terms | None = None) -> None:
        """Make the chunks searchable, durably before it returns. Writing a chunk again replaces it. `terms` are the
        chunks', where they are known already."""
        ...

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these chunks; unknown ids are no error."""
        ...

    def counts(self) -> Counts:
        """Count by asking each part, in well under a second at 100,000 chunks."""
        ...

    def ids(self) -> set[int]:
        """Every chunk id that any part of the store holds."""
        ...

    def strays(self, owned: Collection[int], covered: Callable[[str], bool]) -> list[int]:
        """Return the chunks that are here without being `owned`, ascending. Where others write to the store too, only
        those of documents at paths that are `covered`."""
        ...

    def dense(self, vector: Vectors, *, limit: int, scope: Scope) -> list[Scored]:
        """Return the nearest chunks by cosine, best first, ties by chunk id."""
        ...

    def lexical(self, terms: Sequence[str], *, limit: int, scope: Scope) -> list[Scored]:
        """Return the best chunks by BM25 (repeated terms count), best first, ties by chunk id, scores above 0."""
        ...

    def idf(self, terms: Sequence[str]) -> dict[str, float]:
        """Return each known term's inverse document frequency, as `lexical` weighs it; unknown terms are absent."""
        ...

    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        """Return the chunks that are here, by id."""
        ...

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id."""
        ...

    def definers(self, names: Sequence[str], *, common: int) -> dict[str, tuple[int, ...]]:
        """Map each name that between 1 and `common` chunks define to those chunks, ascending. Others are absent."""
        ...

    def mentioners(self, names: Sequence[str], *, common: int) -> dict[str, tuple[int, ...]]:
        """Map each name that between 1 and `common` chunks mention to those chunks, ascending. Others are absent."""
        ...

    def callers(self, names: Sequence[str]) -> set[int]:
        """Return the chunks that mention one of these names, or call something of which it is the last part. Those that
        call it are among them; their `calls` say which."""
        ...

    def defined(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that any chunk defines; made for thousands of names that are mostly unknown."""
        ...

    def begun(self, pairs: Collection[str]) -> Collection[str]:
        """Return, of pairs of words with one space between, those with which a defined name may begin: none is left
        out that does. It keeps back most of what `defined` would be asked for."""
        ...

    def in_document(self, path: str) -> list[Chunk]:
        """Return a document's chunks in the order of their lines."""
        ...

    def optimize(self) -> None:
        """Merge what many small writes left behind; changes no result."""
        ...

    def close(self) -> None:
        """Release files and locks; closing twice is no error."""
        ...


@runtime_checkable
class AsksAtOnce(Protocol):
    """A store that is far away, so that one request for both lists of the first stage is worth having."""

    def at_once(
        self, terms: Sequence[str], vector: Vectors, *, lexical: int, dense: int, scope: Scope
    ) -> tuple[list[Scored], list[Scored]]:
        """Return what `Store.lexical` and `Store.dense` return, with these limits."""
        ...


@runtime_checkable
class HasServer(Protocol):
    """A store on a server, which has a state of its own."""

    def state(self) -> ServerState:
        """Ask the server for its version and the number of points."""
        ...
