"""The file of preferences, and runs ranked by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.line_file import append
from evals.preferences import Preference, rank, read
from ingest.errors import UserError


def won(winner: str, loser: str, id: str = "q") -> Preference:
    return Preference(id=id, winner=winner, loser=loser)


def test_a_written_line_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    given = [won("a", "b"), Preference(id="é\n", tie=("b", "a"), by="m at v2", why="both right")]
    append(path, *given)
    assert read(path) == given
    path.write_text('\n{"id": "q", "tie": ["b", "a"]}', encoding="utf-8")  # by hand, without the last line's end
    assert read(path) == [Preference(id="q", tie=("b", "a"))]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "q"}', "winner and loser, or tie"),
        ('{"id": "q", "winner": "a"}', "winner and loser, or tie"),
        ('{"id": "q", "winner": "a", "loser": "b", "tie": ["a", "b"]}', "winner and loser, or tie"),
        ('{"id": "q", "winner": "a", "loser": "a"}', "preferred to itself"),
        ('{"id": "q", "tie": ["a", "a"]}', "preferred to itself"),
        ('{"id": "q", "tie": ["a"]}', "tie"),
        ('{"id": "q", "winner": "a", "loser": 3}', "loser"),
        ('{"id": "q", "winner": "a", "looser": "b"}', "looser"),
        ("[]", "no preference"),
        ("nonsense", "no preference"),
    ],
)
def test_a_line_that_is_no_preference_is_named_by_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "preferences.jsonl"
    path.write_text(won("a", "b").model_dump_json() + "\n" + line + "\n")
    with pytest.raises(UserError, match=said) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}:2")


def test_two_runs_are_compared_once_on_a_question(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    append(path, won("a", "b"), won("a", "c"), won("b", "a"))
    with pytest.raises(UserError, match=r":3: b and a were compared on 'q' at line 1"):
        read(path)


def test_a_missing_file_is_said_with_the_option_that_names_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--file"):
        read(tmp_path / "preferences.jsonl")


def test_only_preferences_between_the_named_runs_count() -> None:
    ranked = rank([won("a", "b"), won("c", "a"), Preference(id="r", tie=("a", "b"))], ["b", "a"])
    assert [(each.run, each.won, each.tied, each.lost) for each in ranked] == [("a", 1, 1, 0), ("b", 0, 1, 1)]


def test_runs_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(UserError, match=r"'d'.*The file has a, b"):
        rank([won("a", "b")], ["a", "b", "d"])
    with pytest.raises(UserError, match="two runs or more"):
        rank([won("a", "b")], ["a", "a"])
    with pytest.raises(UserError, match="groups that were not compared"):
        rank([won("a", "b"), won("c", "d")], ["a", "b", "c", "d"])
