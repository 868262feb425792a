"""Metrics against numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
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


def test_context_precision_and_recall_count_each_document_once_in_any_order() -> None:
    # Shown a, x, b, y: two of four are gold; gold a, b, c: two of three are shown.
    assert metrics.context_precision(["a", "x", "b", "y", "a"], ["a", "b", "c"]) == 0.5
    assert metrics.context_recall(["y", "b", "x", "a"], ["a", "b", "c"]) == 2 / 3
    with pytest.raises(ValueError, match="nothing was shown"):
        metrics.context_precision([], ["a"])


def test_a_gold_place_is_met_by_a_line_in_common_of_the_same_document() -> None:
    gold = [("a.py", 10, 20), ("b.py", 5, 5)]
    assert metrics.overlapped([("a.py", 20, 30)], gold) == 0.5
    assert metrics.overlapped([("a.py", 1, 9), ("a.py", 21, 30), ("b.py", 4, 6)], gold) == 0.5
    assert metrics.overlapped([("a.py", 1, 99), ("b.py", 5, 5)], gold) == 1.0
    assert metrics.overlapped([("b.py", 10, 20)], gold) == 0.0


def test_declining_is_precise_where_nothing_could_be_answered_and_complete_where_all_of_it_was_declined() -> None:
    # (unanswerable, abstained): three declined, two of them rightly; four unanswerable, two of them declined.
    pairs = [(True, True)] * 2 + [(False, True)] + [(True, False)] * 2 + [(False, False)] * 5
    found = metrics.declined(pairs)
    assert (found.declined, found.unanswerable, found.precision, found.recall) == (3, 4, 2 / 3, 0.5)
    assert found.f1 == pytest.approx(4 / 7)  # 2 * (2/3 * 1/2) / (2/3 + 1/2)


def test_declining_nothing_has_no_precision_and_no_f1_above_zero() -> None:
    found = metrics.declined([(True, False), (False, False)])
    assert (found.precision, found.recall, found.f1) == (None, 0.0, 0.0)
    assert metrics.declined([(False, True)]).f1 is None


def test_percentiles_lie_on_the_straight_line_between_two_values() -> None:
    # Of 1, 2, 3, 4 the median lies half way from 2 to 3; p90 at 0.9 * 3 = 2.7, that is 3 + 0.7.
    assert metrics.percentile([4, 1, 3, 2], 0.5) == 2.5
    assert metrics.percentile([4, 1, 3, 2], 0.9) == pytest.approx(3.7)
    assert metrics.percentile([7], 0.95) == 7
    assert metrics.percentile([], 0.5) == 0.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_percentiles_are_numpy_s(values: list[float], share: float) -> None:
    assert metrics.percentile(values, share) == pytest.approx(float(np.percentile(values, 100 * share)), abs=1e-6)
