from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from retrieval.hops import Edge, HopSettings, follow
from retrieval.protocols import Vectors

QUESTION = np.array([1.0, 0.0], dtype=np.float32)
ALONG = np.array([1.0, 0.0], dtype=np.float32)
ACROSS = np.array([0.0, 1.0], dtype=np.float32)
PLAIN = HopSettings(rounds=1, frontier=1, keep=0.0, pair=0.0, lacking=1.0)


class Drawn:
    """A graph drawn by hand."""

    def __init__(self, edges: dict[int, list[Edge]], lacking: dict[int, dict[int, float]] | None = None) -> None:
        self.drawn, self.lacking = edges, lacking or {}

    def edges(self, origins: Sequence[int]) -> Mapping[int, Sequence[Edge]]:
        return {origin: self.drawn.get(origin, []) for origin in origins}

    def open_words(self, origin: int) -> Mapping[int, float]:
        return self.lacking.get(origin, {})


def vectors(of: Mapping[int, Vectors]) -> Callable[[Sequence[int]], dict[int, Vectors]]:
    def look_up(wanted: Sequence[int]) -> dict[int, Vectors]:
        return {chunk: of[chunk] for chunk in wanted if chunk in of}

    return look_up


def test_an_edge_carries_its_share_of_the_origins_score_times_the_targets_fit() -> None:
    graph = Drawn({1: [Edge(2, "heron", 0.5)]})
    scores, via = follow({1: 0.8}, graph, QUESTION, vectors({1: ALONG, 2: ALONG}), PLAIN)
    assert scores == {1: 0.8, 2: pytest.approx(0.8 * 0.5 * 1.0)}
    assert via == {2: "heron"}


def test_a_target_with_the_open_words_is_worth_more() -> None:
    graph = Drawn({1: [Edge(2, "a", 0.5), Edge(3, "a", 0.5)]}, {1: {3: 0.9}})
    scores, _ = follow({1: 1.0}, graph, QUESTION, vectors({1: ALONG, 2: ALONG, 3: ALONG}), PLAIN)
    assert scores[3] == pytest.approx(0.5 * 1.9)
    assert scores[2] == pytest.approx(0.5)


def test_an_unlike_target_still_gets_what_keep_says() -> None:
    settings = HopSettings(rounds=1, frontier=1, keep=0.1, pair=0.0)
    scores, _ = follow({1: 1.0}, Drawn({1: [Edge(2, "a", 1.0)]}), QUESTION, vectors({1: ALONG, 2: ACROSS}), settings)
    assert scores[2] == pytest.approx(0.1)


def test_a_pair_that_reads_like_the_question_lifts_a_target_that_alone_does_not() -> None:
    settings = HopSettings(rounds=1, frontier=1, keep=0.0, pair=1.0)
    scores, _ = follow({1: 1.0}, Drawn({1: [Edge(2, "a", 1.0)]}), QUESTION, vectors({1: ALONG, 2: ACROSS}), settings)
    assert scores[2] == pytest.approx(np.sqrt(0.5))


def test_two_rounds_reach_two_edges_away() -> None:
    graph = Drawn({1: [Edge(2, "a", 1.0)], 2: [Edge(3, "b", 1.0)]})
    settings = HopSettings(rounds=2, frontier=3, keep=0.0, pair=0.0)
    scores, via = follow({1: 1.0}, graph, QUESTION, vectors({1: ALONG, 2: ALONG, 3: ALONG}), settings)
    assert scores[3] == pytest.approx(1.0)
    assert via[3] == "b"


def test_only_the_best_edge_into_a_chunk_counts() -> None:
    graph = Drawn({1: [Edge(3, "weak", 0.2)], 2: [Edge(3, "strong", 0.6)]})
    settings = HopSettings(rounds=1, frontier=2, keep=0.0, pair=0.0)
    scores, via = follow({1: 1.0, 2: 1.0}, graph, QUESTION, vectors({1: ALONG, 2: ALONG, 3: ALONG}), settings)
    assert scores[3] == pytest.approx(0.6)
    assert via[3] == "strong"


def test_a_chunk_that_stands_by_itself_does_not_owe_its_place_to_a_hop() -> None:
    scores, via = follow(
        {1: 1.0, 2: 0.9}, Drawn({1: [Edge(2, "a", 0.3)]}), QUESTION, vectors({1: ALONG, 2: ALONG}), PLAIN
    )
    assert scores[2] == pytest.approx(1.2)
    assert via == {}


def test_a_walk_within_candidates_neither_starts_nor_ends_outside() -> None:
    graph = Drawn({1: [Edge(2, "a", 1.0), Edge(3, "a", 1.0)], 4: [Edge(2, "b", 1.0)]})
    scores, _ = follow(
        {1: 0.5, 4: 9.0}, graph, QUESTION, vectors(dict.fromkeys(range(1, 5), ALONG)), PLAIN, within={1, 2}
    )
    assert set(scores) == {1, 2}
    assert scores[2] == pytest.approx(0.5)


def test_a_target_without_a_vector_is_passed_over() -> None:
    scores, _ = follow({1: 1.0}, Drawn({1: [Edge(2, "a", 1.0)]}), QUESTION, vectors({1: ALONG}), PLAIN)
    assert scores == {1: 1.0}


def test_no_rounds_change_nothing() -> None:
    scores, via = follow({1: 0.4}, Drawn({}), QUESTION, vectors({}), HopSettings(rounds=0))
    assert (scores, via) == ({1: 0.4}, {})
