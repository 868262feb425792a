from __future__ import annotations

import pytest

from retrieval.fusion import LEXICAL_WEIGHT, READ_CODE_WEIGHT, READ_WEIGHT, close_weight, fused, in_turn, ranked, scaled
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


def test_two_sides_take_turns_in_the_places_they_have_and_the_others_stay() -> None:
    order = [Scored(chunk, 1.0 - chunk / 10) for chunk in range(6)]
    turned = in_turn(order, [{0, 1, 4}, {3, 5}])
    assert [hit.id for hit in turned] == [0, 3, 2, 1, 5, 4]
    assert [hit.score for hit in turned] == [hit.score for hit in order]


def test_the_side_of_the_best_begins_and_a_side_without_chunks_changes_nothing() -> None:
    order = [Scored(chunk, 1.0 - chunk / 10) for chunk in range(4)]
    assert [hit.id for hit in in_turn(order, [{2, 3}, {0, 1}])] == [0, 2, 1, 3]
    assert in_turn(order, [{1, 2}, set()]) == tuple(order)


def test_words_weigh_less_the_more_of_the_candidates_is_code() -> None:
    assert close_weight(0.0) == READ_WEIGHT
    assert close_weight(1.0) == pytest.approx(READ_CODE_WEIGHT)
    assert READ_CODE_WEIGHT < close_weight(0.5) < READ_WEIGHT
    assert fused({1: 1.0}, {1: 0.0}, close_weight(1.0)) == {1: pytest.approx(READ_CODE_WEIGHT)}
