"""`hoplite eval make`: drafts from a real small workspace, and the review of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.testing import ScriptedModel
from evals.datasets import load_questions
from ingest.errors import ModelUnavailable
from tests.evals import marsh
from tests.ui import station
from tests.ui.conftest import Hoplite
from ui.cli import cli


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hoplite: Hoplite) -> Path:
    station.without_weights(monkeypatch)
    assert hoplite("index", marsh.write(tmp_path / "marsh")).exit_code == 0
    return tmp_path / "marsh" / ".hoplite"


def review(answers: str, drafts: Path, out: Path) -> Result:
    return CliRunner().invoke(cli, ["eval", "make", "--review", str(drafts), "--out", str(out)], input=answers)


def test_drafts_are_written_counted_and_readable(hoplite: Hoplite, workspace: Path, tmp_path: Path) -> None:
    drafts = tmp_path / "drafts.jsonl"
    made = hoplite("eval", "make", "--workspace", workspace, "--out", drafts, "--count", 3, "--json")
    assert made.exit_code == 0
    report = json.loads(made.stdout)
    questions = load_questions(drafts)
    assert sum(report["types"].values()) == len(questions) == report["wanted"] == 3
    assert {"one-hop", "comparison"} < set(report["types"])
    assert report["candidates"] == 3 + report["dropped"].get("nothing to ask for", 0)
    assert all(question.tags == ("draft",) for question in questions)


def test_fewer_than_wanted_is_said_with_the_reasons(hoplite: Hoplite, workspace: Path, tmp_path: Path) -> None:
    drafts = tmp_path / "drafts.jsonl"
    made = hoplite("eval", "make", "--workspace", workspace, "--out", drafts, "--type", "comparison")
    assert made.stdout.startswith(f"1 of 20 drafts are in {drafts}")
    assert "1 comparison." in made.stdout
    assert f"hoplite eval make --review {drafts} --out FILE" in made.stdout


def test_no_draft_at_all_is_one_line_and_no_file(hoplite: Hoplite, workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafts.jsonl"
    made = hoplite("eval", "make", "--workspace", workspace, "--out", out, "--type", "doc-to-doc", "--path", "src/*")
    assert made.exit_code == 2
    assert made.stderr.count("\n") == 1
    assert "No draft came of" in made.stderr
    assert not out.exists()


def test_a_path_that_nothing_matches_is_said(hoplite: Hoplite, workspace: Path, tmp_path: Path) -> None:
    made = hoplite("eval", "make", "--workspace", workspace, "--out", tmp_path / "a.jsonl", "--path", "none/*")
    assert (made.exit_code, "No indexed file matches 'none/*'" in made.stderr) == (2, True)


def test_what_is_there_is_not_overwritten(hoplite: Hoplite, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("mine")
    made = hoplite("eval", "make", "--workspace", workspace, "--out", tmp_path / "a.jsonl")
    assert (made.exit_code, (tmp_path / "a.jsonl").read_text()) == (2, "mine")


def test_each_draft_is_shown_with_its_passages_and_decided(hoplite: Hoplite, workspace: Path, tmp_path: Path) -> None:
    drafts, mine = tmp_path / "drafts.jsonl", tmp_path / "mine.jsonl"
    hoplite("eval", "make", "--workspace", workspace, "--out", drafts, "--type", "doc-to-code", "--count", 2)
    first, second = load_questions(drafts)
    shown = review("e\nFor how many days?\n45 | 45 days\nk\nd\n", drafts, mine)
    assert shown.exit_code == 0
    assert "── 1 of 2 ── doc-to-code" in shown.stdout
    assert "── 2 of 2 ── doc-to-code" in shown.stdout
    assert "docs/keeping.md:1-4\n  │ # Keeping readings" in shown.stdout
    assert shown.stdout.endswith(f"Kept 1 in {mine}, dropped 1, left 0.\n")
    (kept,) = load_questions(mine)
    assert (kept.id, kept.question, kept.answers, kept.tags) == (
        first.id, "For how many days?", ("45", "45 days"), ()
    )  # fmt: skip
    assert second.id not in mine.read_text()


@pytest.mark.parametrize("answers", ["k\nq\n", "k\n", "k\ne\n"])
def test_a_review_that_ends_early_keeps_what_was_decided(
    hoplite: Hoplite, workspace: Path, tmp_path: Path, answers: str
) -> None:
    drafts, mine = tmp_path / "drafts.jsonl", tmp_path / "mine.jsonl"
    hoplite("eval", "make", "--workspace", workspace, "--out", drafts, "--count", 3)
    ended = review(answers, drafts, mine)
    assert ended.exit_code == 0
    assert "Kept 1" in ended.stdout
    assert "left 2." in ended.stdout
    assert (len(load_questions(mine)), len(load_questions(drafts))) == (1, 2)


def test_what_files_wrote_cannot_steer_the_terminal(tmp_path: Path) -> None:
    drafts = tmp_path / "drafts.jsonl"
    drafts.write_text(json.dumps({"id": "a", "question": "Q\x1b[2J?", "answers": ["\u202e45"], "tags": ["draft"]}))
    passage = {"path": "a\x1b]0;x\x07.md", "start_line": 1, "end_line": 1, "text": "t\x1b[31m"}
    (tmp_path / "drafts.evidence.jsonl").write_text(json.dumps({"id": "a", "names": ["\x1bN"], "passages": [passage]}))
    shown = review("d\n", drafts, tmp_path / "mine.jsonl").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[31m" in shown


def fails(_: object) -> str:
    raise ModelUnavailable("The model is gone.")


def test_what_a_model_wrote_before_it_failed_is_kept(
    hoplite: Hoplite, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = json.dumps({"question": "How many buoys has the whole marsh?", "answer": "14"})
    chat = ScriptedModel([good, fails])
    monkeypatch.setattr("agent.models.make_chat", lambda *_, **__: chat)
    drafts = tmp_path / "drafts.jsonl"
    asked = ("--type", "one-hop", "--path", "docs/*", "--seed", 0, "--model", "openai/some")
    made = hoplite("eval", "make", "--workspace", workspace, "--out", drafts, *asked)
    assert made.exit_code == 2
    assert made.stderr.splitlines()[-1] == "The model is gone."
    assert "Leaving this machine: passages that questions are made of and the names that join them go to" in made.stderr
    assert [question.answers for question in load_questions(drafts)] == [("14",)]


def test_a_review_takes_no_option_that_it_would_ignore(hoplite: Hoplite, tmp_path: Path) -> None:
    refused = hoplite("eval", "make", "--review", tmp_path / "a.jsonl", "--out", tmp_path / "b.jsonl", "--count", 3)
    assert (refused.exit_code, "--review takes --out and nothing else" in refused.stderr) == (2, True)


def test_drafts_that_are_not_there_are_one_line(hoplite: Hoplite, tmp_path: Path) -> None:
    refused = hoplite("eval", "make", "--review", tmp_path / "a.jsonl", "--out", tmp_path / "b.jsonl")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
