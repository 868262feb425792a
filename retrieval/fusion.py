"""Fusion: one score from words and vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrieval.protocols import Vectors
from retrieval.ties import best
from retrieval.types import Scored

LEXICAL_WEIGHT = 0.3
"""What BM25 is worth beside the cosine. On three multi-hop sets recall@5 is the same from 0.15 to 0.3; 0.5 loses 1."""


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


def ranked(scores: Mapping[int, float]) -> tuple[Scored, ...]:
    """Return the chunks best first, ties by chunk id."""
    ids, values = np.fromiter(scores, np.int64, len(scores)), np.fromiter(scores.values(), np.float64, len(scores))
    return tuple(best(ids, values, len(scores)))
