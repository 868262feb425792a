"""`hoplite eval judge`: what is printed, what leaves the machine, and who may not judge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import remote_models
from agent.models import Price
from tests.agent.fault_server import ELSEWHERE, Provider, Turns, elsewhere, says
from tests.evals.made_run import ANSWERED_BY, finished, write_run
from tests.ui.conftest import Hoplite

# LiteLLM's classes make pydantic warn while they are completed, at the first answer: nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

MODEL = "openai/gpt-4o-mini"
KEY = "sk-proj-Zk3vQ9wLr8TfYb2XnMs6HdPc4Ga7Ue1J"


def passes(turns: Turns) -> str:
    """A judge that passes what says Ada."""
    verdict = "pass" if "It is Ada" in turns[1]["content"] else "fail"
    return json.dumps({"reason": "By its name.", "verdict": verdict})


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Provider]:
    monkeypatch.chdir(tmp_path)
    with elsewhere(monkeypatch) as server:
        server.script = [says(passes)]
        yield server


@pytest.fixture
def run(tmp_path: Path) -> Path:
    lines = [finished("q0"), finished("q1"), finished("q2", answer="It is Bob."), finished("q3", abstained=True)]
    return write_run(tmp_path / "nightly", lines)


def test_pass_rates_are_printed_with_intervals_and_with_how_far_to_believe_them(
    hoplite: Hoplite, provider: Provider, run: Path
) -> None:
    result = hoplite("eval", "judge", "grade", run, "--model", MODEL, "--rubric", "correct")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"nightly, judged by {MODEL} with grade_correct@")
    assert lines[2].split() == ["correct", "66.7", "(20.8", "to", "93.9)", "3", "0", "not", "calibrated"]
    assert lines[3] == "correct: not judged are 1 declined"
    assert "3 calls" in result.stderr
    assert len((run / "judged.jsonl").read_text().splitlines()) == 3


def test_what_leaves_the_machine_is_said_and_masked(hoplite: Hoplite, provider: Provider, tmp_path: Path) -> None:
    run = write_run(tmp_path / "secret", [finished("q0", answer=f"It is Ada, and OPENAI_API_KEY={KEY}")])
    result = hoplite("eval", "judge", "grade", run, "--model", MODEL, "--rubric", "relevant")
    assert result.stderr.count("Leaving this machine:") == 1
    assert f"the passages they were written from go to {ELSEWHERE} ({MODEL}). Keys and passwords" in result.stderr
    assert KEY.encode() not in provider.bodies[0]
    assert b"It is Ada" in provider.bodies[0]


def test_a_second_time_goes_on_only_where_that_is_asked(hoplite: Hoplite, provider: Provider, run: Path) -> None:
    words = ("eval", "judge", "grade", run, "--model", MODEL, "--json")
    first = json.loads(hoplite(*words, "--limit", "2").stdout)
    assert (first["asked"], first["kept"]) == (6, 0)
    refused = hoplite(*words)
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    second = json.loads(hoplite(*words, "--resume").stdout)
    assert (second["asked"], second["kept"]) == (3, 6)
    assert {row["rubric"]: (row["passed"], row["count"]) for row in second["rubrics"]} == dict.fromkeys(
        ("correct", "grounded", "relevant"), (2, 3)
    )


def test_nonsense_is_exit_code_4_and_no_score(hoplite: Hoplite, provider: Provider, run: Path) -> None:
    provider.script = [says("Splendid!")]
    result = hoplite("eval", "judge", "grade", run, "--model", MODEL, "--rubric", "correct", "--json")
    assert result.exit_code == 4
    (row,) = json.loads(result.stdout)["rubrics"]
    assert (row["count"], row["unjudged"], row["interval"]) == (0, 3, [0.0, 1.0])
    assert len(provider.asked) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name one with --model"),
        (("--model", "none"), "is not one model"),
        (("--model", "openai/a,openai/b"), "is not one model"),
        (("--model", ANSWERED_BY), "--same-model"),
    ],
)
def test_who_may_not_judge_is_told_so(
    hoplite: Hoplite, provider: Provider, run: Path, words: tuple[str, ...], said: str
) -> None:
    result = hoplite("eval", "judge", "grade", run, *words)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert provider.asked == []
    assert not (run / "judged.jsonl").exists()


def test_the_model_that_answered_judges_where_that_is_said(hoplite: Hoplite, provider: Provider, run: Path) -> None:
    result = hoplite("eval", "judge", "grade", run, "--model", ANSWERED_BY, "--same-model", "--limit", "1")
    assert result.exit_code == 0, result.output


def test_the_judge_of_the_settings_judges_and_is_traced(
    hoplite: Hoplite, provider: Provider, indexed: Path, run: Path
) -> None:
    (indexed / ".hoplite" / "config.toml").write_text(f'judge_model = "{MODEL}"\n')
    workspace = ("--workspace", indexed / ".hoplite")
    assert hoplite("eval", "judge", "grade", run, "--limit", "1", *workspace).exit_code == 0
    traces = json.loads(hoplite("trace", "list", "--json", *workspace).stdout)["traces"]
    assert {"judge correct", "judge grounded", "judge relevant"} <= {each["name"] for each in traces}
    (together,) = json.loads(hoplite("trace", "list", "--sessions", "--json", *workspace).stdout)["sessions"]
    assert (together["id"], together["evaluation"]) == ("judge nightly", True)


def test_a_cap_ends_it_early_and_says_how_to_go_on(
    hoplite: Hoplite, provider: Provider, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("eval", "judge", "grade", run, "--model", MODEL, "--max-cost", "0.0000001")
    unknown = hoplite(*words)
    assert unknown.exit_code == 2
    assert f"What {MODEL} costs is not known" in unknown.stderr
    monkeypatch.setattr(remote_models, "price_of", lambda name: Price(0.001, 0.001, 0.001))
    result = hoplite(*words)
    assert result.exit_code == 4
    assert "Ended early: the dollars for this run are used up. --resume goes on" in result.stderr
    assert provider.asked == []


def test_preferences_are_written_beside_the_runs(hoplite: Hoplite, provider: Provider, run: Path) -> None:
    def ada(turns: Turns) -> str:
        first = turns[1]["content"].split("The first answer:")[1].split("The second answer:")[0]
        return json.dumps({"reason": "Ada.", "verdict": "first" if "Ada" in first else "second"})

    provider.script = [says(ada)]
    other = write_run(run.parent / "other", [finished("q0", answer="Bob."), finished("q1", answer="Eve.")])
    result = hoplite("eval", "judge", "prefer", run, other, "--model", MODEL)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 preferences, 0 ties (0 where the order decided)")
    lines = [json.loads(line) for line in (run.parent / "preferences.jsonl").read_text().splitlines()]
    assert [(line["id"], line["winner"], line["loser"]) for line in lines] == [
        ("q0", "nightly", "other"),
        ("q1", "nightly", "other"),
    ]
    assert lines[0]["by"].startswith(f"{MODEL} with prefer@")


def test_a_calibration_is_shown_and_then_stands_beside_the_number(
    hoplite: Hoplite, provider: Provider, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", [finished(f"q{n}", answer="It is Ada" if n % 2 else "Bob") for n in range(20)])
    assert hoplite("eval", "judge", "grade", run, "--model", MODEL, "--rubric", "correct").exit_code == 0
    labels = tmp_path / "labels.jsonl"
    said = ["pass" if n % 2 or n == 0 else "fail" for n in range(20)]

    def write(count: int) -> None:
        lines = [{"id": f"q{n}", "rubric": "correct", "label": said[n]} for n in range(count)]
        labels.write_text("".join(json.dumps(line) + "\n" for line in lines))

    write(15)
    few = hoplite("eval", "judge", "calibrate", run, "--labels", labels)
    assert few.exit_code == 4
    assert "correct: 15 labels of judged answers, 5 more are needed" in few.stdout
    write(20)
    # Agreed 19 of 20; the person passes 11, the judge 10: (0.95 - 0.5) / 0.5.
    shown = hoplite("eval", "judge", "calibrate", run, "--labels", labels)
    assert shown.exit_code == 0
    assert "0.90 (" in shown.stdout
    assert "0.0 (0.0 to 29.9) of 9" in shown.stdout
    assert "9.1 (1.6 to 37.7) of 11" in shown.stdout
    again = hoplite("eval", "judge", "grade", run, "--model", MODEL, "--rubric", "correct", "--resume")
    assert "kappa 0.90 (" in again.stdout


def test_a_folder_without_a_run_is_one_line(hoplite: Hoplite, provider: Provider, tmp_path: Path) -> None:
    result = hoplite("eval", "judge", "grade", tmp_path / "nothing", "--model", MODEL)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
