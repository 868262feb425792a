"""`hoplite eval report`: what a run left becomes a page, with the traces of its workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evals import long_run
from tests.ui.conftest import Hoplite

QUESTION = {"id": "a", "question": "How many days are readings kept?", "answers": ["45"], "supporting": ["guide.md"]}


@pytest.fixture
def run(hoplite: Hoplite, indexed: Path, tmp_path: Path) -> Path:
    """A run in the workspace of the station, answered without a model."""
    (tmp_path / "set.jsonl").write_text(json.dumps(QUESTION) + "\n")
    workspace = indexed / ".hoplite"
    done = hoplite("eval", "run", tmp_path / "set.jsonl", "--model", "none", "--json", "--workspace", workspace)
    return workspace / "runs" / json.loads(done.stdout)["run"]


def test_a_run_of_a_workspace_has_its_traces_folded_in(hoplite: Hoplite, run: Path) -> None:
    done = hoplite("eval", "report", run)
    assert (done.exit_code, done.stdout) == (0, f"Wrote {run / 'report.html'}.\n")
    found = (run / "report.html").read_text(encoding="utf-8")
    assert "How many days are readings kept?" in found
    assert "   start   seconds  span" in found
    assert "invoke_agent" in found


def test_a_run_whose_traces_are_gone_says_so(hoplite: Hoplite, run: Path, tmp_path: Path) -> None:
    (run.parent.parent / "traces.sqlite").unlink()
    assert hoplite("eval", "report", run, "--out", tmp_path / "page.html").exit_code == 0
    assert "not in the workspace any more" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_damaged_traces_are_said_and_the_report_goes_on(hoplite: Hoplite, run: Path) -> None:
    (run.parent.parent / "traces.sqlite").write_bytes(b"no database" * 100)
    assert hoplite("eval", "report", run).exit_code == 0
    assert "cannot be read" in (run / "report.html").read_text(encoding="utf-8")


def test_a_run_elsewhere_needs_no_workspace(hoplite: Hoplite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = long_run.write(tmp_path / "elsewhere" / "run", 4)
    assert hoplite("eval", "report", made).exit_code == 0
    assert (made / "report.html").is_file()


def test_markdown_goes_to_standard_output_or_into_a_file(hoplite: Hoplite, run: Path, tmp_path: Path) -> None:
    shown = hoplite("eval", "report", run, "--markdown")
    assert shown.stdout.startswith("### Evaluation: ")
    assert not (run / "report.html").exists()
    said = hoplite("eval", "report", run, "--markdown", "--out", tmp_path / "pr.md")
    assert (said.exit_code, said.stdout) == (0, "")
    assert (tmp_path / "pr.md").read_text(encoding="utf-8") == shown.stdout


def test_a_file_that_is_there_is_not_overwritten(hoplite: Hoplite, run: Path) -> None:
    done = hoplite("eval", "report", run, "--out", run / "answers.jsonl")
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert QUESTION["id"] in (run / "answers.jsonl").read_text()


def test_no_run_is_one_line(hoplite: Hoplite, tmp_path: Path) -> None:
    done = hoplite("eval", "report", tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
