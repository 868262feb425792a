"""Code search is scored by file, question by question beside the others, and only over what is indexed."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.code_search import OURS, asked_of, rows
from evals.datasets import Question
from ingest.errors import UserError

QUESTIONS = [Question(f"q{n}", f"question {n}", (), ("a.py",), "symbol") for n in range(4)]


def test_systems_are_scored_by_the_files_they_found_first() -> None:
    found = {OURS: [["a.py"]] * 4, "other": [["a.py"], ["b.py", "a.py"], ["b.py"] * 5 + ["a.py"], []]}
    scored = rows(QUESTIONS, found)
    assert scored[OURS].ndcg == scored[OURS].first_five == 1.0
    assert scored["other"].first_five == 0.5
    assert scored[OURS].ndcg_ahead == (0.0, 0.0, 0.0)
    ahead, low, high = scored["other"].first_five_ahead
    assert ahead == 0.5
    assert 0.0 <= low < ahead < high <= 1.0


def test_a_system_that_is_always_behind_is_behind_with_certainty() -> None:
    scored = rows(QUESTIONS, {OURS: [["a.py"]] * 4, "other": [["b.py"]] * 4})
    assert scored["other"].ndcg_ahead == (1.0, 1.0, 1.0)


def test_a_folder_without_a_set_and_one_of_another_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no set for heron"):
        asked_of(tmp_path / "heron-1.0", None, ["a.py"], as_cited=False)
    with pytest.raises(UserError, match=r"is not in .*click-0"):
        asked_of(tmp_path / "click-0", None, ["a.py"], as_cited=False)
    with pytest.raises(UserError, match="--questions"):
        asked_of(tmp_path / "heron-1.0", None, ["a.py"], as_cited=True)
