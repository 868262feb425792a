"""Gates: what is a condition, and which run meets it."""

from __future__ import annotations

import pytest

from evals.gate import Condition, check, parse
from ingest.errors import UserError


def test_conditions_are_divided_by_commas() -> None:
    assert parse("f1>=0.55, recall@5 >= .93,tokens<4000") == [
        Condition("f1", ">=", 0.55),
        Condition("recall@5", ">=", 0.93),
        Condition("tokens", "<", 4000),
    ]


@pytest.mark.parametrize(
    "wrong",
    ["", "f1", "f1>=", ">=0.5", "f1=0.5", "f1==0.5", "f1>=nan", "f1>=1e400", "f1>=0.5,", "f1>=0.5;em>=1", "f1>=55%"],
)
def test_what_is_no_condition_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(UserError, match=r"recall@5>=0\.93"):
        parse(wrong)


def test_a_long_wrong_expression_is_refused_at_once_and_cut() -> None:
    with pytest.raises(UserError) as refused:
        parse("a" * 1_000_000)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("f1>=0.3", True),
        ("f1>0.3", False),
        ("f1<=0.3", True),
        ("f1<0.3", False),
        ("f1<0.31", True),
        ("f1>=0.31", False),
    ],
)
def test_bounds_hold_exactly_and_rounding_does_not_count(expression: str, met: bool) -> None:
    (outcome,) = check("run", {"f1": 0.1 + 0.2}, parse(expression), judged=False)  # 0.30000000000000004
    assert outcome.met == met
    assert outcome.condition == expression


def test_an_unknown_metric_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"'f2'.*It has em, f1"):
        check("run", {"f1": 0.5, "em": 0.2}, parse("f2>=0.5"), judged=False)


def test_a_judged_metric_needs_to_be_asked_for() -> None:
    with pytest.raises(UserError, match="--gate-judged"):
        check("run", {"judge_right": 0.5}, parse("judge_right>=0.5"), judged=False)
    assert check("run", {"judge_right": 0.5}, parse("judge_right>=0.5"), judged=True)[0].met
