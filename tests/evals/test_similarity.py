"""Meaning is compared by cosine with the likest gold answer, and only where there is a model for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from evals.similarity import similar_by, similarity
from retrieval.protocols import Vectors
from tests.ui import station

VECTORS = {"heron": (1.0, 0.0), "egret": (0.6, 0.8), "reed": (-1.0, 0.0)}


class Known:
    """Embedder of three words."""

    name = "known"
    dim = 2

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([VECTORS[text] for text in texts], np.float32)


def test_the_likest_of_the_gold_answers_counts_and_the_opposite_is_nothing() -> None:
    similar = similar_by(Known())
    assert similar("heron", ["reed", "egret"]) == pytest.approx(0.6)
    assert similar("heron", ["reed"]) == 0.0
    assert similar("heron", ["heron"]) == 1.0


def test_without_weights_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    station.without_weights(monkeypatch)
    assert similarity() == ("none", None)
