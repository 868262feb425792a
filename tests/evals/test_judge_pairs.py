"""A preference is one that does not depend on which answer stands first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.models import Message
from agent.testing import ScriptedModel
from evals.judge_pairs import Compared, prefer
from ingest.errors import UserError
from tests.evals.made_run import finished, write_run


def better(which: str) -> str:
    return json.dumps({"reason": "Because.", "verdict": which})


def prefers(word: str, *, else_: str = "neither") -> object:
    """A judge that prefers the answer with this word, wherever it stands."""

    def line(messages: Sequence[Message]) -> str:
        first, second = messages[1]["content"].split("The first answer:")[1].split("The second answer:")
        return better("first" if word in first else "second" if word in second else else_)

    return line


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    one = write_run(tmp_path / "one", [finished("q0", answer="Ada [1]."), finished("q1", answer="Bob.")])
    return one, write_run(tmp_path / "two", [finished("q0", answer="Grace."), finished("q1", answer="Ada.")])


def kept(path: Path) -> list[object]:
    """The preferences, without who judged and why."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("by", "why")} for line in lines]


def test_an_answer_that_is_better_in_both_orders_wins(runs: tuple[Path, Path], tmp_path: Path) -> None:
    judge = ScriptedModel([prefers("Ada")] * 4)  # type: ignore[list-item]
    assert prefer(runs, judge, out := tmp_path / "p.jsonl") == Compared(decided=2)
    assert kept(out) == [{"id": "q0", "winner": "one", "loser": "two"}, {"id": "q1", "winner": "two", "loser": "one"}]


@pytest.mark.parametrize("place", ["first", "second"])
def test_a_judge_that_prefers_a_place_gives_ties(runs: tuple[Path, Path], tmp_path: Path, place: str) -> None:
    done = prefer(runs, ScriptedModel([better(place)] * 4), out := tmp_path / "p.jsonl")
    assert done == Compared(ties=2, unsteady=2)
    assert kept(out)[0] == {"id": "q0", "tie": ["one", "two"]}


def test_a_choice_in_one_order_alone_is_a_tie(runs: tuple[Path, Path], tmp_path: Path) -> None:
    script = [better("first"), better("neither")] * 2
    assert prefer(runs, ScriptedModel(script), tmp_path / "p.jsonl") == Compared(ties=2)


def test_the_judge_sees_each_answer_in_both_places_without_labels(runs: tuple[Path, Path], tmp_path: Path) -> None:
    judge = ScriptedModel([better("neither")] * 2)
    prefer(runs, judge, tmp_path / "p.jsonl", limit=1)
    forth, back = (messages[1]["content"] for messages in judge.calls)
    assert forth.index("Ada.") < forth.index("Grace.")
    assert back.index("Grace.") < back.index("Ada.")
    assert "[1]" not in forth
    assert "one" not in forth.lower().split()


def test_nonsense_in_one_order_is_no_preference_and_asked_again_on_resume(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "p.jsonl"
    done = prefer(runs, ScriptedModel([better("first"), "?", "?", *[better("neither")] * 2]), out)
    assert (done.unjudged, done.ties) == (1, 1)
    again = ScriptedModel([prefers("Ada")] * 2)  # type: ignore[list-item]
    assert prefer(runs, again, out, resume=True) == Compared(decided=1, kept=1)
    assert again.unspoken == 0


def test_answers_with_the_same_words_are_a_tie_that_nobody_is_asked_about(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "one", [finished("q", answer="Ada [1].")]),
        write_run(tmp_path / "two", [finished("q", answer="Ada [2].")]),
    ]
    assert prefer(runs, ScriptedModel([]), tmp_path / "p.jsonl") == Compared(ties=1)


def test_three_runs_are_three_pairs(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [finished("q", answer=name)]) for name in ("ada", "bob", "eve")]
    prefer(runs, ScriptedModel([prefers("ada", else_="neither")] * 6), out := tmp_path / "p.jsonl")  # type: ignore[list-item]
    assert kept(out) == [
        {"id": "q", "winner": "ada", "loser": "bob"},
        {"id": "q", "winner": "ada", "loser": "eve"},
        {"id": "q", "tie": ["bob", "eve"]},
    ]


def test_preferences_of_two_judges_are_not_mixed(runs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    prefer(runs, ScriptedModel([better("neither")] * 2, name="lenient"), out, limit=1)
    with pytest.raises(UserError, match="--resume"):
        prefer(runs, ScriptedModel([], name="lenient"), out)
    with pytest.raises(UserError, match="preferences by lenient with prefer@"):
        prefer(runs, ScriptedModel([], name="strict"), out, resume=True)


def test_runs_without_a_question_in_common_are_refused(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "one", [finished("a")]), write_run(tmp_path / "two", [finished("b")])]
    with pytest.raises(UserError, match="no questions in common"):
        prefer(runs, ScriptedModel([]), tmp_path / "p.jsonl")


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / where / "run", [finished("a")]) for where in ("x", "y")]
    with pytest.raises(UserError, match="names of their own"):
        prefer(runs, ScriptedModel([]), tmp_path / "p.jsonl")
