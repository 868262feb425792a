"""`hoplite trace` and `hoplite stats` over the traces of real runs, without weights."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.ui.conftest import Hoplite

QUESTION = "Readings older than how many days are deleted every night?"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def asked(hoplite: Hoplite, indexed: Path) -> tuple[str, Path]:
    """The words that name a workspace in which one question was answered."""
    workspace = ("--workspace", indexed / ".hoplite")
    assert hoplite("ask", QUESTION, "--model", "none", *workspace).exit_code == 0
    return workspace


def newest(hoplite: Hoplite, asked: tuple[str, Path]) -> str:
    return str(json.loads(hoplite("trace", "list", "--json", *asked).stdout)["traces"][0]["id"])


def test_a_run_is_shown_as_a_tree_with_its_citations(hoplite: Hoplite, asked: tuple[str, Path]) -> None:
    shown = hoplite("trace", "show", newest(hoplite, asked)[:10], *asked).stdout
    for name in (
        "invoke_agent hoplite",
        "  plan",
        "    retrieval",
        "      search.bm25",
        "        hop 1",
        "    passages",
    ):
        assert f"  {name}  " in shown
    assert "verify citation" in shown
    assert QUESTION[:40] in shown


def test_traces_are_exported_whole_to_a_private_file(hoplite: Hoplite, asked: tuple[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "traces.otlp.json"
    assert hoplite("trace", "export", "--form", "otlp", "--out", out, *asked).exit_code == 0
    assert out.stat().st_mode & 0o077 == 0
    lines = out.read_text().splitlines()
    assert len(lines) == 2  # the index run and the question
    assert all("resourceSpans" in json.loads(line) for line in lines)
    assert hoplite("trace", "export", "--out", out, *asked).exit_code == 2
    spans = hoplite("trace", "export", newest(hoplite, asked)[:10], *asked).stdout.splitlines()
    assert json.loads(spans[0])["name"] == "invoke_agent hoplite"


def test_old_traces_can_be_deleted(hoplite: Hoplite, asked: tuple[str, Path]) -> None:
    assert "Deleted 0 traces." in hoplite("trace", "prune", *asked).stdout
    assert "Deleted 2 traces." in hoplite("trace", "prune", "--days", "0", *asked).stdout
    assert json.loads(hoplite("trace", "list", "--json", *asked).stdout) == {"traces": []}


def test_stats_count_a_question_its_stages_and_its_rating(hoplite: Hoplite, asked: tuple[str, Path]) -> None:
    assert hoplite("trace", "rate", newest(hoplite, asked)[:12], "good", *asked).exit_code == 0
    found = json.loads(hoplite("stats", "--json", *asked).stdout)
    assert (found["questions"], found["good"], found["bad"], found["failures"]) == (1, 1, 0, {})
    assert {"invoke_agent", "search", "retrieval", "search.bm25", "hop"} <= {each["stage"] for each in found["stages"]}
    assert found["drift"] is None
    shown = hoplite("stats", *asked).stdout
    assert "questions  1 in 30 days" in shown
    assert "feedback   1 good, 0 bad" in shown


def test_drift_is_measured_against_a_file_of_questions(
    hoplite: Hoplite, asked: tuple[str, Path], tmp_path: Path
) -> None:
    known = tmp_path / "known.jsonl"
    known.write_text("".join(json.dumps({"id": str(n), "question": f"What is {n}?"}) + "\n" for n in range(12)))
    result = hoplite("stats", "--against", known, *asked)
    assert result.exit_code == 2
    assert "1 recent questions and 12" in result.stderr
    for number in range(11):
        hoplite("ask", f"{QUESTION} In year {number}?", "--model", "none", *asked)
    assert "drift      12 recent questions beside 12 known ones" in hoplite("stats", "--against", known, *asked).stdout


def test_a_damaged_file_is_one_line_and_the_answer_still_arrives(
    hoplite: Hoplite, asked: tuple[str, Path], indexed: Path
) -> None:
    file = indexed / ".hoplite" / "traces.sqlite"
    file.write_bytes(b"no database" * 1_000)
    # As a process of its own: what is logged reaches the terminal as Python's last resort prints it.
    command = [sys.executable, "-m", "tests.ui.hashed", "ask", QUESTION, "--model", "none", "--no-cache"]
    done = subprocess.run(
        [*command, "--json", *map(str, asked)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert not json.loads(done.stdout)["abstained"]
    assert sum("traces.sqlite" in line for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    for command in (["trace", "list"], ["trace", "show", "a"], ["trace", "export"], ["trace", "prune"], ["stats"]):
        result = hoplite(*command, *asked)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_full_disk_is_one_line_and_the_answer_still_arrives(asked: tuple[str, Path], indexed: Path) -> None:
    file = indexed / ".hoplite" / "traces.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    script = (
        "import resource, signal, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (32768, 32768));"  # no file may grow beyond, as on a full disk
        "import runpy; sys.argv = sys.argv[1:]; runpy.run_module('tests.ui.hashed', run_name='__main__')"
    )
    words = ["hoplite", "ask", QUESTION, "--model", "none", "--no-cache", "--json", *map(str, asked)]
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not json.loads(done.stdout)["abstained"]
    assert sum("This run is not traced" in line for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
