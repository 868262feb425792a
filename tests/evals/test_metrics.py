"""Metrics against numbers worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import metrics


@pytest.mark.parametrize(
    ("k", "expected"),
    [(1, 0.0), (2, 1 / 3), (3, 1 / 3), (5, 2 / 3)],
)
def test_recall_is_the_share_of_gold_in_the_first_k(k: int, expected: float) -> None:
    assert metrics.recall_at(k, ["x", "a", "y", "z", "b"], ["a", "b", "c"]) == expected


def test_all_is_one_only_when_every_gold_document_is_there() -> None:
    assert metrics.all_at(2, ["a", "x", "b"], ["a", "b"]) == 0.0
    assert metrics.all_at(3, ["a", "x", "b"], ["a", "b"]) == 1.0


def test_reciprocal_rank_looks_at_the_first_gold_document_only() -> None:
    assert metrics.reciprocal_rank(["x", "y", "b", "a"], ["a", "b"]) == 1 / 3
    assert metrics.reciprocal_rank(["x"], ["a"]) == 0.0


def test_ndcg_discounts_by_log2_of_rank_plus_one() -> None:
    # Gold at ranks 1 and 4: 1/log2(2) + 1/log2(5) = 1.43068; ideal, ranks 1 and 2: 1 + 1/log2(3) = 1.63093.
    assert metrics.ndcg_at(10, ["a", "x", "y", "b"], ["a", "b"]) == pytest.approx(0.87722, abs=1e-5)
    # With the cut at 3 only the first counts: 1 / 1.63093.
    assert metrics.ndcg_at(3, ["a", "x", "y", "b"], ["a", "b"]) == pytest.approx(0.61315, abs=1e-5)


def test_the_ideal_of_ndcg_is_cut_at_k_too() -> None:
    assert metrics.ndcg_at(1, ["a", "b"], ["a", "b"]) == 1.0


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sets(st.sampled_from("abcdef"), min_size=1))
def test_a_ranking_that_begins_with_all_gold_has_full_marks(rest: list[str], gold: set[str]) -> None:
    ranking = [*sorted(gold), *(document for document in rest if document not in gold)]
    for score in (
        metrics.recall_at(6, ranking, gold),
        metrics.reciprocal_rank(ranking, gold),
        metrics.ndcg_at(6, ranking, gold),
    ):
        assert math.isclose(score, 1.0)


def test_normalising_drops_case_punctuation_articles_and_spaces() -> None:
    assert metrics.normalised("  The  Heron's\tnest, (an) A-frame. ") == "herons nest aframe"


def test_exact_match_is_best_over_the_gold_answers() -> None:
    assert metrics.exact_match("The Heron!", ["egret", "heron"]) == 1.0
    assert metrics.exact_match("the grey heron", ["heron"]) == 0.0


def test_f1_counts_repeated_words_as_often_as_both_have_them() -> None:
    # Shared: "new" once, "york" once = 2; lengths 3 and 4: 2 * 2 / 7.
    assert metrics.f1("new york york", ["New new York city"]) == pytest.approx(4 / 7)
    assert metrics.f1("heron", ["egret", "grey heron"]) == pytest.approx(2 / 3)


def test_f1_of_an_empty_answer_is_zero_unless_the_gold_is_empty_too() -> None:
    assert metrics.f1("", ["heron"]) == 0.0
    assert metrics.f1("the", [""]) == 1.0


def test_contains_wants_whole_words_in_a_row() -> None:
    assert metrics.contains("It is `MAX_SIZE`, i.e. 30 days.", ["30 days"]) == 1.0
    assert metrics.contains("It is 130 days.", ["30 days"]) == 0.0
    assert metrics.contains("30 long days", ["30 days"]) == 0.0
    assert metrics.contains("anything", ["the"]) == 0.0


def test_without_gold_answers_nothing_matches() -> None:
    assert metrics.f1("heron", []) == metrics.exact_match("heron", []) == metrics.contains("heron", []) == 0.0


def test_precision_and_mean() -> None:
    assert metrics.precision(["a", "a", "x"], ["a", "b"]) == 0.5
    assert metrics.mean([1.0, 0.0, 0.5]) == 0.5
    assert metrics.mean([]) == 0.0
