"""`hoplite ask --resume`: a run that ended without an answer is named, found again and gone on with."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import roles
from agent.models import Message
from agent.settings import Settings
from agent.testing import ScriptedModel
from ingest.errors import ModelUnavailable
from tests.ui.conftest import Hoplite

QUESTION = "Readings older than how many days are deleted every night?"


class Models:
    """What the command line's models say from now on, and the settings that they were made with."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.settings: list[Settings] = []
        self.model = ScriptedModel([])
        patch.setattr(roles, "make_roles", self._made)

    def say(self, *script: Any) -> None:
        self.model = ScriptedModel(script)

    def _made(self, settings: Settings, **given: object) -> roles.Roles[Any]:
        self.settings.append(settings)
        return roles.one_for_all(self.model)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Models:
    return Models(monkeypatch)


def gone(messages: Sequence[Message]) -> str:
    raise ModelUnavailable("The model went away. Start it.")


def interrupted(messages: Sequence[Message]) -> str:
    raise KeyboardInterrupt


def ask(hoplite: Hoplite, folder: Path, *words: str) -> Any:
    return hoplite("ask", *words, "--max-steps", "0", "--workspace", folder / ".hoplite")


@pytest.mark.parametrize(("ends", "code", "said"), [(gone, 2, "went away"), (interrupted, 130, "Stopped.")])
def test_a_run_without_an_answer_says_how_to_go_on_and_does(
    hoplite: Hoplite, indexed: Path, models: Models, ends: Any, code: int, said: str
) -> None:
    models.say(ends)
    first = ask(hoplite, indexed, QUESTION)
    assert (first.exit_code, said in first.stderr) == (code, True)
    [(name, where)] = re.findall(r"`hoplite ask --resume (\w{8}) --workspace (\S+)` goes on from here\.", first.stderr)
    assert where == str(indexed / ".hoplite")
    models.say("45 [1]", "45 [2]")
    again = ask(hoplite, indexed, "--resume", name)
    assert again.exit_code == 0
    assert f"resumed  {name}, {QUESTION}\n    taken over: 3 passages, 1 search; 0." in again.stderr
    assert "\nsearch " not in again.stderr
    assert "45" in again.stdout
    assert "✓ verified" in again.stdout


def test_inside_the_folder_the_command_needs_no_workspace(
    hoplite: Hoplite, indexed: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(indexed)
    models.say(gone)
    assert re.search(r"--resume \w{8}` goes on", hoplite("ask", QUESTION).stderr)


def test_status_names_runs_until_they_are_finished(hoplite: Hoplite, indexed: Path, models: Models) -> None:
    def status(*words: str) -> str:
        return hoplite("status", *words, "--workspace", indexed / ".hoplite").stdout

    assert "runs " not in status()
    models.say(gone)
    ask(hoplite, indexed, QUESTION)
    [run] = json.loads(status("--json"))["unfinished"]
    assert (run["question"], run["taken"]["searches"] > 0) == (QUESTION, True)
    assert "runs       1 unfinished; `hoplite ask --resume NAME` goes on with one" in status()
    assert re.search(rf"{run['id'][:8]}  \d{{4}}-\d\d-\d\d \d\d:\d\d  {re.escape(QUESTION)}", status())
    models.say("45 [1]", "45 [2]")
    assert json.loads(ask(hoplite, indexed, "--resume", "last", "--json").stdout)["question"] == QUESTION
    assert json.loads(status("--json"))["unfinished"] == []
    shown = ask(hoplite, indexed, "--resume", run["id"][:10])
    assert "was finished; this is its answer" in shown.stderr
    assert "✓ verified" in shown.stdout


def test_what_was_indexed_anew_meanwhile_is_looked_at_again(hoplite: Hoplite, indexed: Path, models: Models) -> None:
    models.say(gone)
    ask(hoplite, indexed, QUESTION)
    (indexed / "guide.md").write_text("# Anew\n\nOther words.\n")
    hoplite("index", indexed)
    models.say("45 [2]", "45 [2]")
    shown = ask(hoplite, indexed, "--resume", "last")
    assert shown.exit_code == 0
    assert re.search(r"resumed  \[\d\] is gone: guide\.md:\d+(-\d+)? does not say it any more", shown.stderr)
    assert "guide.md" not in shown.stdout
    assert "every night" not in str(models.model.calls[0][-1]["content"].partition("Question:")[0])


def test_a_run_goes_on_with_its_settings_but_for_those_that_are_said_now(
    hoplite: Hoplite, indexed: Path, models: Models
) -> None:
    models.say(gone)
    hoplite(
        "ask", QUESTION, "--model", "ollama/first", "--max-seconds", "77", "--sandbox", "interpreter",
        "--workspace", indexed / ".hoplite",
    )  # fmt: skip
    models.say(gone)
    ask(hoplite, indexed, "--resume", "last")
    ask(hoplite, indexed, "--resume", "last", "--model", "ollama/second")
    assert [(s.model, s.max_seconds) for s in models.settings] == [
        ("ollama/first", 77.0), ("ollama/first", 77.0), ("ollama/second", 77.0),
    ]  # fmt: skip
    assert [s.sandbox for s in models.settings] == ["interpreter", "auto", "auto"], "what protects is as it is set now"


def test_a_run_goes_on_within_what_it_was_asked_in(hoplite: Hoplite, indexed: Path, models: Models) -> None:
    models.say(gone)
    ask(hoplite, indexed, QUESTION, "--path", "src/*", "--path", "*.rst")
    models.say("45 [1]", "45 [1]")
    found = json.loads(ask(hoplite, indexed, "--resume", "last", "--json").stdout)
    assert [settings.within for settings in models.settings] == [("src/*", "*.rst")] * 2
    assert {cited["path"] for cited in found["citations"]} <= {"src/settings.py", "src/store.py"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((QUESTION, "--resume", "last"), "--resume goes on with its own question"),
        ((), "Missing argument 'QUESTION'"),
        (("--resume", "last", "--plan"), "Leave out --plan"),
        (("--resume", "last", "--in", "docs"), "Leave out --in and --path"),
        (("--resume", "last"), "No run is unfinished here"),
        (("--resume", "12\x1b[31m"), "No run begins with '12<U+001B>[31m'"),
    ],
)
def test_what_cannot_be_resumed_is_one_line(hoplite: Hoplite, indexed: Path, words: tuple[str, ...], said: str) -> None:
    result = ask(hoplite, indexed, *words)
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
