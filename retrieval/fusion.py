"""Fusion: one score from words and vectors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest

import numpy as np

from retrieval.protocols import Vectors
from retrieval.ties import best
from retrieval.types import Scored

LEXICAL_WEIGHT = 0.3
"""What BM25 is worth beside the cosine. On three multi-hop sets recall@5 is the same from 0.15 to 0.3; 0.5 loses 1."""

READ_WEIGHT = 0.15
"""The same beside what a transformer makes of prose, which knows more than the static vectors do."""

READ_CODE_WEIGHT = 0.05
"""The same where all that it has read is code; between the two for a share of code."""


def scaled(lexical: Sequence[Scored]) -> dict[int, float]:
    """Return BM25 scores divided by the best one, so that they lie in (0, 1]."""
    top = max((score for _, score in lexical), default=0.0)
    return {chunk: score / top for chunk, score in lexical} if top > 0 else {}


def cosines_of(question: Vectors, vectors: Mapping[int, Vectors]) -> dict[int, float]:
    """Return the cosine between a unit vector (d,) and each of the unit vectors (d,)."""
    if not vectors:
        return {}
    rows = np.concatenate(list(vectors.values())).reshape(len(vectors), -1)
    return dict(zip(vectors, np.vecdot(rows, question).tolist(), strict=True))


def fused(
    lexical: Mapping[int, float], cosines: Mapping[int, float], weight: float = LEXICAL_WEIGHT
) -> dict[int, float]:
    """Return the weighted sum of scaled BM25 and cosine for each chunk that either found; `weight` is BM25's.

    The cosine is taken as it is, negative as 0: scaled by the best one of each query it was worth 1 to 2 points of
    recall@5 less on all three multi-hop sets, since the best cosine of a query says how much the vectors know.
    """
    return {
        chunk: weight * lexical.get(chunk, 0.0) + (1 - weight) * max(0.0, cosines.get(chunk, 0.0))
        for chunk in lexical.keys() | cosines.keys()
    }


def close_weight(code: float) -> float:
    """Return what BM25 is worth beside a transformer's likeness, given the share of the candidates that is code."""
    return READ_WEIGHT + (READ_CODE_WEIGHT - READ_WEIGHT) * code


def ranked(scores: Mapping[int, float]) -> tuple[Scored, ...]:
    """Return the chunks best first, ties by chunk id."""
    ids, values = np.fromiter(scores, np.int64, len(scores)), np.fromiter(scores.values(), np.float64, len(scores))
    return tuple(best(ids, values, len(scores)))


def in_turn(order: Sequence[Scored], sides: Sequence[Collection[int]]) -> tuple[Scored, ...]:
    """Return the order with the chunks of the sides taking turns in the places that any of them had, beginning with the
    side of the best. Chunks of no side keep their places, and each place keeps its score."""
    queues = [[hit.id for hit in order if hit.id in side] for side in sides]
    places = [i for i, hit in enumerate(order) if any(hit.id in side for side in sides)]
    queues.sort(key=lambda queue: next((i for i, hit in enumerate(order) if [hit.id] == queue[:1]), len(order)))
    turns = [chunk for turn in zip_longest(*queues) for chunk in turn if chunk is not None]
    taken = dict(zip(places, turns, strict=True))
    return tuple(Scored(taken.get(i, hit.id), hit.score) for i, hit in enumerate(order))
