"""What the doctor says of the language models that the settings choose, and of the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.locked import process
from ingest.locked.report import SandboxMissing
from ui.commands.doctor import _models, _sandbox


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No workspace and no settings but the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for role in ("MODEL", "PLAN_MODEL", "STEP_MODEL", "ANSWER_MODEL", "JUDGE_MODEL"):
        monkeypatch.delenv(f"HOPLITE_{role}", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_one_model_for_all_is_one_line() -> None:
    (check,) = _models(None)
    assert (check.name, check.found) == ("language model", "local, on this machine")


def test_roles_with_a_model_of_their_own_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLITE_ANSWER_MODEL", "openai/gpt-x, local")
    local, answer = _models(None)
    assert local.name == "model: plan, step, judge"
    assert (answer.name, answer.found) == ("model: answer", "openai/gpt-x, local, asked over the network")


def test_settings_that_are_wrong_are_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLITE_ANSWER_MODEL", "")
    (check,) = _models(None)
    assert not check.good
    assert "answer_model" in check.found


def test_both_levels_of_the_sandbox_are_tried() -> None:
    strong, interpreter = _sandbox()
    assert (strong.name, strong.good, interpreter.name, interpreter.good) == (
        "sandbox, strong",
        True,
        "sandbox, interpreter",
        True,
    )
    assert "network blocked, files blocked, processes blocked; no_new_privs" in strong.found


def test_a_level_that_cannot_be_had_is_a_finding_with_its_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> dict[str, object]:
        raise SandboxMissing("interpreter", "monty: not installed")

    monkeypatch.setattr(process, "monty", absent)
    _, interpreter = _sandbox()
    assert (interpreter.good, interpreter.needed) == (False, False)
    assert "monty: not installed" in interpreter.found
    assert interpreter.next_step == "pip install pydantic-monty"
