"""Orders in which ties are settled by chunk id, before anything is cut off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Scored


def best(ids: NDArray[np.int64], scores: NDArray[np.floating], limit: int) -> list[Scored]:
    """Return the `limit` highest scores, best first, ties by id."""
    if limit <= 0:
        return []
    if limit < len(scores):
        keep = scores >= np.partition(scores, -limit)[-limit]
        ids, scores = ids[keep], scores[keep]
    order = np.lexsort((ids, -scores))[:limit]
    # Past the constructor, which is Python: a search makes 5,000 of them.
    return list(map(partial(tuple.__new__, Scored), zip(ids[order].tolist(), scores[order].tolist(), strict=True)))


def settled(ask: Callable[[int], list[Scored]], limit: int) -> list[Scored]:
    """Return the `limit` best of an engine that breaks ties as it likes.

    `ask(n)` returns the engine's best n. Unless its list goes on past the last tie, it is asked for more.
    """
    if limit <= 0:
        return []
    asked = limit + 1
    while True:
        found = ask(asked)
        if len(found) < asked or found[-1].score < found[limit - 1].score:
            return sorted(found, key=lambda s: (-s.score, s.id))[:limit]
        asked *= 2
