from __future__ import annotations

import pytest

from retrieval.fusion import LEXICAL_WEIGHT, fused, ranked, scaled
from retrieval.types import Scored


def test_bm25_is_scaled_by_its_best_score() -> None:
    assert scaled([Scored(1, 8.0), Scored(2, 2.0)]) == {1: 1.0, 2: 0.25}


def test_bm25_that_found_nothing_scales_to_nothing() -> None:
    assert scaled([]) == {}


def test_fusion_adds_weighted_words_and_vectors_over_the_union() -> None:
    scores = fused({1: 1.0, 2: 0.5}, {2: 0.4, 3: 0.6})
    assert scores == {
        1: pytest.approx(LEXICAL_WEIGHT),
        2: pytest.approx(LEXICAL_WEIGHT * 0.5 + (1 - LEXICAL_WEIGHT) * 0.4),
        3: pytest.approx((1 - LEXICAL_WEIGHT) * 0.6),
    }


def test_a_negative_cosine_counts_as_none() -> None:
    assert fused({}, {1: -0.3}) == {1: 0.0}


def test_ranking_breaks_ties_by_chunk_id() -> None:
    assert [s.id for s in ranked({9: 0.5, 3: 0.5, 5: 0.7})] == [5, 3, 9]
