"""A closer reading of a query's best candidates: a transformer's vectors, kept by chunk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ingest.types import Chunk
from retrieval.embed_transformer import OnnxMiniLM, cross_encoder
from retrieval.protocols import Vectors
from retrieval.tokens import searchable

Tokens = NDArray[np.int8]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

TOKENS_WEIGHT = 0.5
"""What the likeness of single tokens is worth beside that of the texts as wholes. On CoSQA the transformer alone has
MRR 52.9 with 0 and 54.4 to 54.6 from 0.2 to 0.5; recall@5 on three multi-hop sets rises up to 0.7."""


class _Kept(Generic[K, T]):
    """What was read of a text, by its key; the least recently used goes first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[K, T] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, texts: Mapping[K, str], read: Callable[[Sequence[str]], Iterable[T]]) -> dict[K, T]:
        """Return what was read of each text, in their order, reading those that are not kept."""
        with self._lock:
            found = {key: self._kept[key] for key in texts if key in self._kept}
        new = [key for key in texts if key not in found]
        if new:
            # Outside the lock: half a second for 60 chunks. Two threads may read one chunk, to the same vector.
            found.update(zip(new, read([texts[key] for key in new]), strict=True))
        with self._lock:
            for key in texts:
                self._kept[key] = found[key]
                self._kept.move_to_end(key)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return {key: found[key] for key in texts}


class TokenEmbedder(Protocol):
    """An embedder that also tells what it makes of each token."""

    def states(self, texts: Sequence[str]) -> Iterable[Vectors]:
        """Yield float32 (tokens, d) for each text, the first and the last standing for its ends; (0, d) for an empty
        text. Their mean is what the text's vector is made of."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A text's unit vector (d,), and those of its tokens in bytes, (tokens, d), each of length 127."""

    vector: Vectors
    tokens: Tokens


class Reader:
    """Reads candidates with an embedder better than the first stage's: whole, and token by token.

    It gives vectors beside scores, because the last stage walks the hops again with them (`retrieval.hops`): sorting
    by likeness to the question would demote the very bridges that the hops found. What was read is kept by chunk id,
    which is a hash of the text: 2,000 chunks of 90 tokens are 70 MB.
    """

    def __init__(self, embedder: TokenEmbedder, *, kept: int = 2_000) -> None:
        """`kept` is how many chunks' readings are kept."""
        self._states = embedder.states
        self._readings = _Kept[int, Reading](kept)
        self._asked = _Kept[str, Reading](16)  # one search asks twice

    def question(self, query: str) -> Vectors:
        """Return the query's unit vector (d,). Raises ModelUnavailable, with the command that fetches the weights."""
        return self._question(query).vector

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors (n, d). Raises ModelUnavailable, with the command that fetches the weights."""
        return np.stack([_unit(states.mean(axis=0)) for states in self._states(texts)])

    def vectors(self, chunks: Mapping[int, Chunk]) -> dict[int, Vectors]:
        """Return each chunk's unit vector (d,), reading those that were not read before. Raises as `question` does."""
        return {chunk: reading.vector for chunk, reading in self._readings.of(_texts(chunks), self._read).items()}

    def likeness(self, query: str, chunks: Mapping[int, Chunk]) -> dict[int, float]:
        """Return how much each chunk is like the query, 1 at the most. Raises as `question` does.

        Half of it is the cosine of the two, half is late interaction (Khattab and Zaharia 2020): each token of the
        query looks for the token of the chunk that is most like it. So a chunk counts that answers in one sentence
        and is about something else as a whole.
        """
        asked = self._question(query)
        found = {}
        for chunk, reading in self._readings.of(_texts(chunks), self._read).items():
            whole = float(asked.vector @ reading.vector)
            found[chunk] = (1 - TOKENS_WEIGHT) * whole + TOKENS_WEIGHT * interaction(asked.tokens, reading.tokens)
        return found

    def _question(self, query: str) -> Reading:
        return self._asked.of({query: query}, self._read)[query]

    def _read(self, texts: Sequence[str]) -> Iterator[Reading]:
        for states in self._states(texts):
            yield Reading(_unit(states.mean(axis=0)) if len(states) else states.sum(axis=0), in_bytes(states[1:-1]))


def in_bytes(states: Vectors) -> Tokens:
    """Return the directions of vectors (n, d) as bytes: what is lost changes a cosine by less than 0.005."""
    return np.round(127 * _unit(states)).astype(np.int8)


def interaction(question: Tokens, chunk: Tokens) -> float:
    """Return the mean cosine between each token of the question and the token of the chunk most like it."""
    if not len(question) or not len(chunk):
        return 0.0
    cosines = question.astype(np.float32) @ chunk.astype(np.float32).T
    return float(cosines.max(axis=1).mean()) / 127**2


def _texts(chunks: Mapping[int, Chunk]) -> dict[int, str]:
    return {number: searchable(chunk) for number, chunk in chunks.items()}


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), dtype=np.float32)


class CrossReader(Reader):
    """A reader whose likeness is a cross-encoder's: any of sentence-transformers, by its name on the hub or its folder.

    The walk starts from its scores, so that bridges, which a cross-encoder ranks low, still gain from their edges. Code
    that comes with a model is never run.
    """

    def __init__(self, name: str, embedder: TokenEmbedder, *, kept: int = 2_000) -> None:
        """Raises nothing yet: the model is loaded by the first `likeness`."""
        super().__init__(embedder, kept=kept)
        self._name = name
        self._model: Any = None
        self._loading = threading.Lock()

    def likeness(self, query: str, chunks: Mapping[int, Chunk]) -> dict[int, float]:
        """Return the cross-encoder's score of each chunk, from 0 to 1. Raises ModelUnavailable."""
        if not chunks:
            return {}
        with self._loading:
            if self._model is None:
                self._model = cross_encoder(self._name)
        scores = self._model.predict(
            [(query, text) for text in _texts(chunks).values()], activation_fn=_logistic(), show_progress_bar=False
        )
        return dict(zip(chunks, map(float, scores), strict=True))


def _logistic() -> Any:
    from torch.nn import Sigmoid

    return Sigmoid()


def reader_named(name: str | None) -> Reader:
    """Return what reads the best candidates: MiniLM for None, else the cross-encoder of this name.

    Nothing is loaded before it is needed.
    """
    return _reader() if name is None else CrossReader(name, OnnxMiniLM())


@cache
def _reader() -> Reader:
    """One in a process: what it read of a chunk stays so for whichever library is opened next."""
    return Reader(OnnxMiniLM())
