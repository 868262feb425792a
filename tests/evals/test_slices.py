"""Parts of the questions, and parts that say the opposite of the whole."""

from __future__ import annotations

import pytest

from evals.scored_run import pairs_of, scored
from evals.slices import LEAST, MOST_TAGS, reversal, slices
from tests.evals.made_lines import line, of_scores


def test_a_slice_has_its_questions_difference_and_interval() -> None:
    types = ["chain"] * 6 + ["plain"] * 6
    first = of_scores("a", "f1", [0.0] * 12, types=types)
    second = of_scores("b", "f1", [0.5, 1.0] * 3 + [0.0] * 6, types=types)
    chain, plain = slices(pairs_of(first, second))
    assert (chain.by, chain.name, plain.name) == ("type", "chain", "plain")
    found = chain.metrics["f1"]
    assert (found.questions, found.first, found.second, found.difference) == (6, 0.0, 0.75, 0.75)
    assert found.interval is not None
    assert 0.5 <= found.interval[0] < 0.75 < found.interval[1] <= 1.0
    assert plain.metrics["f1"].interval == (0.0, 0.0)


def test_a_question_is_in_the_slice_of_each_of_its_tags_once() -> None:
    run = scored(
        "a", {}, [line("q0", {"f1": 1.0}, tags=("dates", "dates", "names")), line("q1", {"f1": 0.0}, tags=("dates",))]
    )
    found = slices(pairs_of(run, run))
    assert [(each.by, each.name, each.metrics["f1"].questions) for each in found] == [
        ("tag", "dates", 2),
        ("tag", "names", 1),
    ]


def test_of_few_questions_there_is_no_interval() -> None:
    few = [line(f"q{n}", {"f1": 1.0}, tags=("few",)) for n in range(LEAST - 1)]
    (found,) = slices(pairs_of(scored("a", {}, few), scored("b", {}, few)))
    assert found.metrics["f1"].interval is None


def test_a_set_with_a_tag_for_every_question_has_a_bounded_number_of_slices() -> None:
    run = scored("a", {}, [line(f"q{n}", {"f1": 1.0}, tags=(f"t{n}",)) for n in range(MOST_TAGS + 30)])
    assert len(slices(pairs_of(run, run))) == MOST_TAGS


def test_simpsons_paradox_is_found_where_runs_scored_other_mixtures() -> None:
    # The first scores many easy and few hard questions, the second the other way round, a little better in both.
    first = [*([1.0] * 8 + [0.0] * 2), *([0.0] * 2)]
    second = [*([1.0] * 2), *([1.0] * 2 + [0.0] * 8)]
    found = reversal(
        of_scores("a", "f1", first, types=["easy"] * 10 + ["hard"] * 2),
        of_scores("b", "f1", second, types=["easy"] * 2 + ["hard"] * 10),
        "f1",
    )
    assert found is not None
    assert found.whole == pytest.approx(4 / 12 - 8 / 12)
    assert found.types == pytest.approx({"easy": 0.2, "hard": 0.2})


def test_no_paradox_where_a_type_agrees_with_the_whole_or_there_is_one_type() -> None:
    types = ["easy", "easy", "hard", "hard"]
    first = of_scores("a", "f1", [0.0, 0.0, 0.0, 0.0], types=types)
    assert reversal(first, of_scores("b", "f1", [1.0, 1.0, 0.0, 0.0], types=types), "f1") is None
    assert reversal(first, of_scores("b", "f1", [1.0, 1.0, 1.0, 1.0], types=types), "f1") is None
    assert reversal(of_scores("a", "f1", [0.0]), of_scores("b", "f1", [1.0]), "f1") is None
    assert reversal(first, first, "em") is None
