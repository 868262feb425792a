"""`hoplite eval compare` and `hoplite eval prefer` over folders of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.datasets import Question
from evals.run_asked import Conduct
from evals.runner import run
from evals.types import RunAnswer
from tests.ui.conftest import Hoplite

QUESTIONS = [
    Question(f"q{n}", f"Question {n}?", (f"answer {n}",), ("a.md",), "", ("odd",) if n % 2 else ()) for n in range(20)
]


def made(out: Path, right: int, *, wrong: str = "something else", repeats: int = 1) -> Path:
    """A run that answers the first `right` questions rightly."""

    def answer(question: Question) -> RunAnswer:
        return RunAnswer(question.answers[0] if int(question.id[1:]) < right else wrong, shown=("a.md",))

    run(QUESTIONS, answer, out, fingerprint={"index": f"of {right}"}, conduct=Conduct(repeat=repeats))
    return out


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return made(tmp_path / "plain", 4)


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    return made(tmp_path / "agent", 18)


def test_two_runs_are_one_object_or_one_table(hoplite: Hoplite, plain: Path, agent: Path) -> None:
    found = json.loads(hoplite("eval", "compare", plain, agent, "--json").stdout)
    assert (found["runs"], found["questions"], found["other"]) == (["plain", "agent"], 20, ["index"])
    assert (found["metrics"]["em"]["difference"]["mean"], found["metrics"]["em"]["verdict"]) == (0.7, "better")
    assert len(found["fixed"]) == 14
    assert "gate" not in found
    shown = hoplite("eval", "compare", plain, agent)
    assert shown.exit_code == 0
    assert "better" in shown.stdout
    assert "tag odd" in shown.stdout


def test_more_runs_are_each_compared_with_the_first(hoplite: Hoplite, plain: Path, agent: Path, tmp_path: Path) -> None:
    words = ("eval", "compare", plain, agent, made(tmp_path / "third", 5))
    found = json.loads(hoplite(*words, "--json").stdout)
    assert found["means"]["em"] == [0.2, 0.9, 0.25]
    assert [each["runs"] for each in found["comparisons"]] == [["plain", "agent"], ["plain", "third"]]
    assert "third less plain: 20 questions" in hoplite(*words).stdout


def test_repeats_are_one_question_and_say_what_is_noise(hoplite: Hoplite, agent: Path, tmp_path: Path) -> None:
    repeated = made(tmp_path / "plain", 4, repeats=3)
    found = json.loads(hoplite("eval", "compare", repeated, agent, "--json").stdout)
    em = found["metrics"]["em"]
    assert (found["questions"], em["questions"], em["first"], em["floor"], em["verdict"]) == (
        20,
        20,
        0.2,
        0.0,
        "better",
    )
    assert "noise" in hoplite("eval", "compare", repeated, agent).stdout


def test_a_gate_on_one_run_passes_or_ends_with_5_and_names_what_failed(hoplite: Hoplite, agent: Path) -> None:
    passed = hoplite("eval", "compare", agent, "--gate", "em>=0.9, answered>=1")
    assert (passed.exit_code, passed.stdout.splitlines()[-1]) == (0, "gate: 2 of 2 conditions met")
    failed = hoplite("eval", "compare", agent, "--gate", "em>=0.95, recall>=0.5")
    assert failed.exit_code == 5
    assert "gate failed: agent: em>=0.95, and it is 0.9\ngate: 1 of 2 conditions met\n" in failed.stdout
    told = hoplite("eval", "compare", agent, "--gate", "em>=0.95", "--json")
    assert told.exit_code == 5
    assert json.loads(told.stdout)["gate"] == [{"run": "agent", "condition": "em>=0.95", "value": 0.9, "met": False}]
    assert told.stderr == "gate failed: agent: em>=0.95, and it is 0.9\n"


def test_a_run_that_is_worse_than_the_baseline_ends_with_5(hoplite: Hoplite, plain: Path, agent: Path) -> None:
    worse = hoplite("eval", "compare", plain, "--no-worse-than", agent)
    assert worse.exit_code == 5
    assert "gate failed: plain: em no worse than agent, and it is -0.7\n" in worse.stdout
    assert hoplite("eval", "compare", agent, "--no-worse-than", plain).exit_code == 0
    # Only the run is held against the bounds, and not the baseline.
    assert hoplite("eval", "compare", agent, "--no-worse-than", plain, "--gate", "em>=0.5").exit_code == 0


def test_a_run_that_may_be_worse_by_chance_passes(hoplite: Hoplite, agent: Path, tmp_path: Path) -> None:
    assert hoplite("eval", "compare", made(tmp_path / "new", 16), "--no-worse-than", agent).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--gate"),
        (("--gate", "f1"), "recall@5>=0.93"),
        (("--gate", "f2>=0.5"), "It has abstained, all_shown, answered"),
        (("--gate", "judge_right>=0.5"), "--gate-judged"),
        (("--no-worse-than", "nowhere"), "eval run --out"),
    ],
)
def test_what_can_be_fixed_is_one_line(hoplite: Hoplite, agent: Path, words: tuple[str, ...], said: str) -> None:
    result = hoplite("eval", "compare", agent, *words)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert said in result.stderr


def test_a_run_from_somebody_else_cannot_write_to_the_terminal(hoplite: Hoplite, agent: Path, tmp_path: Path) -> None:
    result = hoplite("eval", "compare", made(tmp_path / "plain", 4, wrong="\x1b[2Jgone\u202e"), agent)
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "\\x1b[2Jgone\\u202e" in result.stdout


def test_runs_are_ranked_by_the_preferences_beside_them(
    hoplite: Hoplite, plain: Path, agent: Path, tmp_path: Path
) -> None:
    lines = [{"id": f"q{n}", "winner": "agent", "loser": "plain"} for n in range(3)] + [
        {"id": "q3", "tie": ["plain", "agent"]}
    ]
    (tmp_path / "preferences.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    first, second = json.loads(hoplite("eval", "prefer", plain, agent, "--json").stdout)["runs"]
    assert (first["run"], first["won"], first["tied"], first["lost"], second["run"]) == ("agent", 3, 1, 0, "plain")
    assert first["low"] <= first["strength"] <= first["high"]
    shown = hoplite("eval", "prefer", plain, agent)
    assert (shown.exit_code, shown.stdout.splitlines()[1].split()[:4]) == (0, ["agent", "3", "1", "0"])
    missing = hoplite("eval", "prefer", plain, agent, "--file", tmp_path / "none.jsonl")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
