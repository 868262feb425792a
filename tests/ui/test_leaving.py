"""What leaves the machine is said once, before it does, and not at all where nothing leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.agent.provider import ELSEWHERE, Provider, elsewhere, says
from tests.ui.conftest import Hoplite
from ui.cli import cli
from ui.desk import Workdesk

# LiteLLM's classes make pydantic warn while they are completed, at the first answer: nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

LINE = "Leaving this machine:"
MODEL = "openai/gpt-4o-mini"
QUESTION = "Which constant says how long readings are kept for jane.roe@harbour.example?"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with elsewhere(monkeypatch) as server:
        server.script = [says("HERON_RETENTION [1]")]
        yield server


def test_ask_says_it_once_and_its_json_says_what_went_where(
    hoplite: Hoplite, indexed: Path, provider: Provider
) -> None:
    words = ("--workspace", indexed / ".hoplite", "ask", QUESTION, "--model", MODEL, "--max-steps", "0", "--json")
    for mask, masked, said in (
        (("--mask", "all"), {"email": 1}, "phone, bank account and card numbers in it are masked."),
        ((), {}, "Keys and passwords in it are masked, personal data is not (--mask all)."),
    ):
        result = hoplite(*words, *mask)
        assert result.exit_code == 0, result.output
        assert result.stderr.count(LINE) == 1
        assert f"go to {ELSEWHERE} ({MODEL}). " in result.stderr
        assert said in result.stderr
        sent = json.loads(result.stdout)["sent"]
        assert (sent["to"], sent["masked"]) == ([ELSEWHERE], masked)
    assert [b"jane.roe" in body for body in provider.bodies] == sorted(b"jane.roe" in body for body in provider.bodies)


def test_chat_says_it_once_for_all_its_questions(indexed: Path, provider: Provider) -> None:
    words = ["--workspace", str(indexed / ".hoplite"), "chat", "--model", MODEL, "--max-steps", "0"]
    result = CliRunner().invoke(cli, words, input="What keeps readings?\nWhat sweeps them?\n")
    assert result.stderr.count(LINE) == 1
    assert "and for follow-ups the conversation's last questions and answers go to" in result.stderr
    assert len(provider.bodies) >= 2


def test_the_page_shows_it_with_what_is_indexed(
    indexed: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    with Workdesk(indexed / ".hoplite", {"model": MODEL, "max_steps": 0}) as desk:
        assert f"passages. {LINE} your question" in desk.about()
        desk.agent()
    assert LINE not in capsys.readouterr().err


@pytest.mark.parametrize("model", ["none", MODEL])
def test_where_nothing_leaves_nothing_is_said(
    model: str, hoplite: Hoplite, indexed: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{provider.server_port}/v1")
    result = hoplite(
        "--workspace", indexed / ".hoplite", "ask", QUESTION, "--model", model, "--max-steps", "0", "--json"
    )
    assert LINE not in result.stderr
    assert json.loads(result.stdout)["sent"] is None
    with Workdesk(indexed / ".hoplite", {"model": model}) as desk:
        assert LINE not in desk.about()


def test_a_workspace_that_came_from_somebody_else_cannot_lower_the_mask(hoplite: Hoplite, indexed: Path) -> None:
    (indexed / ".hoplite" / "config.toml").write_text('mask = "off"\n')
    result = hoplite("--workspace", indexed / ".hoplite", "ask", QUESTION, "--model", "none")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "config.toml): a workspace may only ask for all. Remove it there" in result.stderr
