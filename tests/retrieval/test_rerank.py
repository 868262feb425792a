"""The reranker scores by cosine and remembers the texts it has read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from retrieval.protocols import Vectors
from retrieval.rerank import CosineReranker


class Compass:
    """An embedder of two dimensions that knows four words and counts the texts it is given."""

    name = "compass"
    dim = 2
    known = {"east": (1, 0), "west": (-1, 0), "north": (0, 1), "northeast": (0.5**0.5, 0.5**0.5)}  # noqa: RUF012

    def __init__(self) -> None:
        self.read: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.read += texts
        return np.array([self.known.get(text, (0, 0)) for text in texts], dtype=np.float32)


def test_scores_are_cosines_from_minus_one_to_one() -> None:
    scores = CosineReranker(Compass()).score("east", {3: "east", 1: "west", 2: "north", 9: "northeast", 4: ""})
    assert scores == pytest.approx({3: 1, 1: -1, 2: 0, 9: 0.5**0.5, 4: 0})
    assert list(scores) == [3, 1, 2, 9, 4]


def test_a_text_is_read_once_for_all_queries() -> None:
    compass = Compass()
    reranker = CosineReranker(compass)
    reranker.score("east", {1: "north", 2: "west"})
    reranker.score("west", {2: "west", 3: "east"})
    assert compass.read == ["east", "north", "west", "west", "east"]


def test_the_least_recently_used_text_is_forgotten_first() -> None:
    compass = Compass()
    reranker = CosineReranker(compass, cached=2)
    for texts in ({1: "north"}, {2: "west"}, {1: "north"}, {3: "east"}, {1: "north"}):
        reranker.score("east", texts)
    assert compass.read.count("north") == 1
    reranker.score("east", {2: "west"})
    assert compass.read.count("west") == 2


def test_more_texts_than_the_cache_holds_are_all_scored() -> None:
    assert CosineReranker(Compass(), cached=1).score("east", {1: "east", 2: "west"}) == pytest.approx({1: 1, 2: -1})


def test_no_texts_give_no_scores() -> None:
    assert CosineReranker(Compass()).score("east", {}) == {}
