"""Traces that leave the machine: said once before they do, and never because a workspace says so."""

from __future__ import annotations

import json
from pathlib import Path

# What a process imports when it first sends: on a busy machine that alone takes longer than its end waits.
import langfuse.api.scores.client  # noqa: F401
import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
import pytest

from agent import build
from agent import langfuse as accounts
from tests.agent.receiver import attributes, closed_port, receiving
from tests.ui.conftest import Hoplite

QUESTION = "Readings older than how many days are deleted every night?"
KEYS = {accounts.PUBLIC_KEY: "pk-lf-0042-abcd", accounts.SECRET_KEY: "sk-lf-9f8e7d6c-5b4a-3210"}


@pytest.fixture(autouse=True)
def no_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS, *accounts.HOSTS, "HOPLITE_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    build._warn_once.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in {**KEYS, accounts.HOSTS[0]: url}.items():
        monkeypatch.setenv(name, value)


def test_where_a_trace_goes_and_what_is_masked_is_said_once(
    hoplite: Hoplite, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "https://langfuse.example")
    monkeypatch.setenv("HOPLITE_TRACE_CONTENT", "none")
    monkeypatch.setattr(build, "send_traces", lambda settings: None)  # the host is nobody's
    result = hoplite("ask", QUESTION, "--model", "none", "--workspace", indexed / ".hoplite")
    assert result.exit_code == 0
    assert (
        "Leaving this machine: the trace of each question, without its texts, goes to langfuse.example (Langfuse)."
        in result.stderr
    )
    assert result.stderr.count("Leaving this machine:") == 1


def test_a_run_whose_receiver_is_on_this_machine_leaves_nothing_and_arrives(
    hoplite: Hoplite, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as account:
        use(monkeypatch, account.url)
        result = hoplite("ask", QUESTION, "--model", "none", "--workspace", indexed / ".hoplite")
        assert result.exit_code == 0
        assert "Leaving this machine" not in result.stderr
        [root] = [span for span in account.spans if not span.parent_span_id]
        assert attributes(root)["langfuse.trace.name"] == root.name == "invoke_agent hoplite"
        scored = [each["name"] for batch in account.asked("/api/public/scores") for each in batch]
        assert scored == ["citations_verified"]


@pytest.mark.parametrize("name", ["LANGFUSE_PUBLIC_KEY", "HOPLITE_OTLP_ENDPOINT"])
def test_what_is_half_said_is_one_line_and_the_answer_is_there(
    name: str, hoplite: Hoplite, indexed: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, "ftp://receiver.example")
    result = hoplite("ask", QUESTION, "--model", "none", "--json", "--workspace", indexed / ".hoplite")
    assert json.loads(result.stdout)["citations"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "line", [f'otlp_endpoint = "{closed_port()}"', 'trace_content = "full"', 'trace_content = "masked"']
)
def test_a_workspace_may_not_have_traces_sent_or_say_more(line: str, hoplite: Hoplite, indexed: Path) -> None:
    (indexed / ".hoplite" / "config.toml").write_text(line)
    result = hoplite("ask", QUESTION, "--model", "none", "--workspace", indexed / ".hoplite")
    assert result.exit_code != 0
    assert f"{line.partition(' ')[0]} = " in result.output
    assert "a workspace may" in result.output


def test_a_rating_is_a_score_at_langfuse_too(hoplite: Hoplite, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = ("--workspace", indexed / ".hoplite")
    assert hoplite("ask", QUESTION, "--model", "none", *workspace).exit_code == 0
    [newest, *_] = json.loads(hoplite("trace", "list", "--json", *workspace).stdout)["traces"]
    with receiving() as account:
        use(monkeypatch, account.url)
        assert hoplite("trace", "rate", newest["id"], "bad", "--note", "wrong file", *workspace).exit_code == 0
        [[sent]] = account.asked("/api/public/scores")
    assert (sent["traceId"], sent["name"], sent["value"]) == (newest["id"], "user", 0.0)
    assert sent["comment"] == "wrong file"


def test_an_evaluation_is_a_data_set_with_a_run(
    hoplite: Hoplite, indexed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    questions = tmp_path / "set.jsonl"
    question = {"id": "q1", "question": QUESTION, "answers": ["90"], "supporting": [], "type": "one"}
    questions.write_text(json.dumps(question))
    with receiving() as account:
        use(monkeypatch, account.url)
        words = ("eval", "run", questions, "--model", "none", "--out", tmp_path / "run-1", "--langfuse", "station")
        result = hoplite(*words, "--workspace", indexed / ".hoplite")
        assert result.exit_code == 0, result.output
        [item] = account.asked("/api/public/dataset-items")
        [root] = [span for span in account.spans if not span.parent_span_id]
        scored = {each["name"]: each["traceId"] for batch in account.asked("/api/public/scores") for each in batch}
    assert attributes(root)["langfuse.experiment.name"] == "run-1"
    assert attributes(root)["langfuse.experiment.item.id"] == item["id"]
    assert {"f1", "em"} <= set(scored)
    assert set(scored.values()) == {root.trace_id.hex()}
