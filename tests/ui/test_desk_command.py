"""`hoplite eval desk`: reading answers in a terminal, and sorting the notes; what is typed is kept at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evals.coding import Coding
from evals.datasets import load_questions
from evals.judge import FILE, Verdict
from evals.line_file import append
from evals.types import Cited, Shown
from tests.evals.made_run import finished, write_run
from tests.ui.conftest import Hoplite
from ui.cli import cli

Desk = Callable[..., Result]
NOTES = ("names the wrong person", "the wrong person is named", "no citation for the date", "citation is missing")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = write_run(tmp_path / "run", [finished(f"q{n}") for n in range(5)])
    append(
        folder / FILE, Verdict(id="q0", rubric="correct", verdict="fail", reason="SEEN", judge="judge", prompt="p@1")
    )
    return folder


@pytest.fixture
def desk(run: Path) -> Desk:
    """The desk at which these lines are typed; then the input ends."""

    def sit(*words: object, typed: tuple[str, ...] = ()) -> Result:
        text = "".join(f"{line}\n" for line in typed)
        return CliRunner().invoke(cli, ["eval", "desk", *map(str, words)], input=text)

    return sit


def kept(run: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / name).read_text().splitlines()]


def test_an_answer_is_shown_whole(desk: Desk, tmp_path: Path) -> None:
    line = finished(
        "q",
        citations=(Cited("1", "a.md", 3, 3, "Ada is q.", True), Cited("2", "b.md", 7, 9, "Bob.", False)),
        passages=(Shown("1", "a.md", 3, 4, "Ada is q.\nSo it is."), Shown("2", "b.md", 7, 9, "Bob.")),
        scores={"f1": 0.25},
    )
    shown = desk(write_run(tmp_path / "one", [line])).stdout
    for part in (
        "q  1 of 1, random",
        "question\n    Who is q?",
        "gold\n    Ada",
        "answer\n    It is Ada [1], says q.",
        "[1] a.md:3  verified\n        “Ada is q.”",
        "[2] b.md:7-9  not verified",
        "[1] a.md:3-4  gold\n        │ Ada is q.\n        │ So it is.",
        "[2] b.md:7-9\n",
        "scores\n    f1 0.25",
        "trace\n    none was written",
    ):
        assert part in shown


def test_control_characters_of_a_run_do_not_reach_the_terminal(desk: Desk, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\u202e"
    line = finished(evil, question=evil, answer=evil, passages=(Shown(evil, evil, 1, 1, evil),), note=evil, type=evil)
    folder = write_run(tmp_path / "evil", [line])
    append(folder / FILE, Verdict(id=evil, rubric="correct", verdict="fail", reason=evil, judge=evil, prompt=evil))
    Coding(folder).note(Coding(folder).line(evil), evil)
    outputs = [
        desk(folder, typed=("/judge", "/show", "/quit")).output,
        desk(folder, "modes", typed=("-7", "")).output,
        desk(folder, "modes", "--assign", f"{evil}=mode {evil}").output,
        desk(folder, typed=("/show", "/quit")).output,
    ]
    assert not any(char in output for output in outputs for char in "\x1b\x07\u202e")
    assert all("\\u202e" in output for output in outputs)


def test_notes_and_labels_are_kept_and_the_next_sitting_goes_on_where_this_one_ended(desk: Desk, run: Path) -> None:
    first = desk(run, "--seed", 3, typed=("Names the wrong person.", "/fail correct g", "", ""))
    assert first.exit_code == 0, first.output
    assert [(each["note"], each["pick"]) for each in kept(run, "notes.jsonl")] == [
        ("Names the wrong person.", "random"),
        ("", "random"),
    ]
    assert [(each["rubric"], each["label"], each["blind"]) for each in kept(run, "labels.jsonl")] == [
        ("correct", "fail", True),
        ("grounded", "fail", True),
    ]
    assert "1 note on 2 answers that were read" in first.stdout
    assert "3 of 5, random" in desk(run, "--seed", 3).stdout.splitlines()[1]


def test_enter_at_the_last_answer_ends_the_sitting(desk: Desk, run: Path) -> None:
    result = desk(run, "--count", 2, typed=("", "", "never read"))
    assert "0 notes on 2 answers" in result.stdout
    assert len(kept(run, "notes.jsonl")) == 2


def test_a_verdict_is_hidden_until_the_person_has_said_their_own(desk: Desk, run: Path) -> None:
    words = (run, "--pick", "disagreeing")
    assert "SEEN" not in desk(*words).stdout
    assert "1 verdict hidden" in desk(*words).stdout
    labelled = desk(*words, typed=("/fail c", "/show", "/quit")).stdout
    assert "correct fail: SEEN (judge)" in labelled
    desk(*words, typed=("/judge", "/pass c", "/quit"))
    assert [each["blind"] for each in kept(run, "labels.jsonl")] == [True, False]


def test_going_back_shows_what_was_noted(desk: Desk, run: Path) -> None:
    result = desk(run, typed=("A remark.", "/mode wrong person", "", "/back", "/quit"))
    last = result.stdout.rpartition("1 of 5, random")[2]
    assert "modes\n    wrong person" in last
    assert "noted\n    A remark." in last


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/pass", "By which rubric? There are correct, grounded, relevant"),
        ("/fail taste", "By which rubric?"),
        ("/back", "This is the first one."),
        ("/dance", "There is no /dance. There are /help, /pass"),
        ("/mode a=b", "cannot be called 'a=b'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(desk: Desk, run: Path, typed: str, said: str) -> None:
    result = desk(run, typed=(typed, "/quit"))
    assert result.exit_code == 0
    assert said in result.stderr
    assert {path.name for path in run.iterdir()} == {"run.json", "answers.jsonl", FILE}


def test_a_pick_that_finds_nothing_says_so(desk: Desk, run: Path) -> None:
    result = desk(run, "--pick", "errors")
    assert result.exit_code == 2
    assert "has no answers for --pick errors" in result.stderr


def test_the_trace_of_an_answer_is_shown_and_a_disliked_one_is_picked(
    hoplite: Hoplite, desk: Desk, indexed: Path, tmp_path: Path
) -> None:
    workspace = ("--workspace", indexed / ".hoplite")
    assert hoplite("ask", "How many days are readings kept?", "--model", "none", *workspace).exit_code == 0
    trace = json.loads(hoplite("trace", "list", "--json", *workspace).stdout)["traces"][0]["id"]
    assert hoplite("trace", "rate", trace[:12], "bad", *workspace).exit_code == 0
    folder = write_run(tmp_path / "traced", [finished("a", trace_id=trace), finished("b", trace_id="f" * 32)])
    shown = desk(folder, "--pick", "thumbs-down", *workspace).stdout
    assert "a  1 of 1, thumbs-down" in shown
    assert "invoke_agent hoplite" in shown
    gone = desk(folder, "--count", 2, *workspace, typed=("", "/quit")).stdout
    assert "not here: no trace begins with" in gone


def noted(run: Path) -> Coding:
    coding = Coding(run)
    for number, text in enumerate(NOTES):
        coding.note(coding.line(f"q{number}"), text, pick="random")
    return coding


def test_suggested_groups_are_named_taken_and_left_by_a_person(desk: Desk, run: Path) -> None:
    noted(run)
    # Of groups with as many notes, the one whose first answer was asked first comes first.
    result = desk(run, "modes", typed=("-2", "wrong person", "/skip"))
    assert result.exit_code == 0, result.output
    assert "  1. q0: names the wrong person\n  2. q1: the wrong person is named" in result.stdout
    assert [(each["id"], each["mode"]) for each in kept(run, "modes.jsonl")] == [("q0", "wrong person")]
    assert "wrong person        1   25.0 (4.6 to 69.9)" in result.stdout


def test_enter_takes_the_suggested_name_and_a_known_one_adds_to_it(desk: Desk, run: Path) -> None:
    noted(run)
    desk(run, "modes", typed=("", "no citation"))
    coding = Coding(run)
    assert [len(coding.having(mode)) for mode in coding.modes] == [2, 2]
    assert "no citation" in coding.modes
    assert "citation" not in desk(run, "modes").stderr  # nothing is left to sort


def test_accepting_takes_all_that_is_suggested(desk: Desk, run: Path) -> None:
    noted(run)
    counts = json.loads(desk(run, "modes", "--accept", "--json").stdout)
    assert [(each["count"], each["read"]) for each in counts["modes"]] == [(2, 4), (2, 4)]
    assert counts["not_random"] == 0


def test_modes_are_assigned_taken_back_and_renamed_without_being_asked(desk: Desk, run: Path) -> None:
    words = ("--assign", "q0=wrong person", "--assign", "q1=wrong name", "--assign", "q2=wrong name")
    result = desk(run, "modes", *words, "--unassign", "q2=wrong name", "--rename", "wrong name=wrong person")
    assert result.exit_code == 0, result.output
    coding = Coding(run)
    assert [line.id for line in coding.having("wrong person")] == ["q0", "q1"]
    assert "3 of them were not drawn at random" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--assign", "q0"), "'q0' is no pair"),
        (("--assign", "q99=x"), "no answer 'q99'"),
        (("--rename", "x=y"), "There is no failure mode 'x'. There are none yet."),
    ],
)
def test_what_cannot_be_assigned_is_one_line(desk: Desk, run: Path, words: tuple[str, ...], said: str) -> None:
    result = desk(run, "modes", *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_mode_is_exported_as_questions(desk: Desk, run: Path, tmp_path: Path) -> None:
    desk(run, "modes", "--assign", "q3=wrong person")
    out = tmp_path / "again.jsonl"
    result = desk(run, "export", "wrong person", "--out", out)
    assert result.exit_code == 0, result.output
    assert f"1 question in {out}." in result.stdout
    assert [(question.id, question.tags) for question in load_questions(out)] == [("q3", ("wrong person",))]
    assert desk(run, "export", "wrong persons", "--out", tmp_path / "x").exit_code == 2
