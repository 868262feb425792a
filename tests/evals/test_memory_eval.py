"""The conversations about memory, and what is measured over a few of them."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from evals.memory_eval import MemoryReport, measure, memory_table
from evals.memory_sets import KINDS, Conversation, conversations
from retrieval import weights


def test_thirty_conversations_are_drawn_by_the_seed_and_ask_in_other_words() -> None:
    drawn = conversations(3)
    assert (drawn == conversations(3), drawn == conversations(4)) == (True, False)
    assert Counter(talk.kind for talk in drawn) == Counter(KINDS)
    assert (len(drawn), len({talk.id for talk in drawn})) == (30, 30)
    for talk in drawn:
        assert talk.asked != talk.later
        assert any(line in text for line in talk.said for text in talk.documents.values())


def few() -> list[Conversation]:
    """Two conversations that are told again, and one of each kind in which a fact is edited, goes or is forgotten."""
    wanted = Counter({"told": 2, "edited": 1, "changed": 1, "gone": 1, "forgotten": 1})
    return [talk for talk in conversations(0) if (wanted.subtract([talk.kind]) or wanted[talk.kind]) >= 0]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> MemoryReport:
    installed = weights.installed
    without = {weights.TRANSFORMER_INT8}  # it may be here or not; what is shipped always is
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "installed", lambda name: None if name in without else installed(name))
        return measure(few(), tmp_path_factory.mktemp("talks"), filler=6)


def test_the_right_note_comes_back_and_a_forgotten_one_does_not(report: MemoryReport) -> None:
    assert (report.conversations, report.told) == (6, 6)
    assert report.recall >= 0.9
    assert report.false == 0.0


def test_no_outdated_value_is_ever_used_and_every_change_is_marked(report: MemoryReport) -> None:
    assert (report.stale_as_fact, [h.as_fact for h in report.held], report.marked) == (0, [""] * 6, 1.0)


def test_a_theme_that_comes_back_takes_fewer_steps_and_no_answer_is_worse(report: MemoryReport) -> None:
    assert report.saved.mean > 0
    assert report.steps[0] < report.steps[1]
    assert report.right[0] >= report.right[1]
    assert report.declined == (1.0, 1.0)


def test_the_report_is_a_table_and_json(report: MemoryReport) -> None:
    assert "stale notes as a fact 0" in memory_table(report)
    assert json.loads(json.dumps(report.as_json()))["recall"] == report.recall
