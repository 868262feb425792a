"""The page of benchmarks says what the committed results say, and a result what a run or a command left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from evals.benchmark_results import Result, load, recorded
from evals.benchmarks import RESULTS, main, page
from ingest.errors import UserError
from tests.evals import long_run
from tests.evals.test_report import run_of

ROOT = Path(__file__).parents[2]
COMMAND = "hoplite eval run DIR --sample 50"
SIDE_BY_SIDE = {
    "dataset": "small",
    "questions": 100,
    "date": "2026-11-28",
    "systems": {
        name: {
            "metrics": {"recall@5": {"mean": mean, "low": 0.6, "high": 0.99, "count": 100}},
            "ahead": {"recall@5": {"mean": ahead, "low": ahead, "high": ahead}},
        }
        for name, mean, ahead in (("hoplite", 0.95, 0.0), ("llamaindex, hybrid", 0.75, 0.2))
    },
    "seconds": {"hoplite": {"index": 3.5, "query_median": 0.25}, "llamaindex, bm25": {"query_median": 0.001}},
    "versions": {"llama-index-core": "0.14.25"},
}


def written(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data))
    return path


def record(source: Path, section: str = "answers", *, command: str = COMMAND, beside: Path | None = None) -> Result:
    return recorded(source, section, "Hoplite, no model", "small", command, beside)  # type: ignore[arg-type]


def test_the_page_is_what_the_results_say() -> None:
    """Where this fails: `python -m evals.benchmarks > docs/benchmarks.md`."""
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == page(load(RESULTS))


def test_a_run_folder_is_recorded_with_its_intervals_its_failures_and_no_place(tmp_path: Path) -> None:
    found = record(long_run.write(tmp_path / "run", 60))
    (row,) = found.rows
    assert (found.n, found.failed, row.metrics["f1"].count) == (60, 1, 59)
    assert row.metrics["f1"].low is not None
    assert row.metrics["f1"].low < row.metrics["f1"].mean
    assert row.metrics["seconds p50"].unit == "s"
    assert found.versions["model"] == "scripted"
    assert str(tmp_path) not in found.model_dump_json()
    assert "hostname" not in found.model_dump_json()


def test_how_far_hoplite_is_ahead_comes_from_both_runs(tmp_path: Path) -> None:
    peer = run_of(tmp_path / "peer", *(replace(long_run.line(n), scores={"f1": 0.25}) for n in range(8)))
    ours = run_of(tmp_path / "ours", *(replace(long_run.line(n), scores={"f1": 1.0}) for n in range(8)))
    ahead = record(peer, beside=ours).rows[0].ahead["f1"]
    assert (ahead.mean, ahead.low, ahead.high) == (0.75, 0.75, 0.75)


def test_each_measuring_command_s_json_is_known(tmp_path: Path) -> None:
    both = record(written(tmp_path / "both.json", SIDE_BY_SIDE), "retrieval")
    assert [(row.label, row.metrics["recall@5"].mean) for row in both.rows] == [
        ("hoplite", 0.95),
        ("llamaindex, hybrid", 0.75),
    ]
    assert both.date == "2026-11-28"
    took = record(tmp_path / "both.json", "speed")
    assert [(row.label, row.metrics["a query, median"].mean) for row in took.rows] == [("hoplite", 250.0)]
    stages = {
        "dataset": "small",
        "questions": 9,
        "stages": {"bm25": {"recall@5": 0.5}},
        "timings": {"index": 2.0, "search": 1.0, "query_median": 0.1},
    }
    assert record(written(tmp_path / "stages.json", stages), "retrieval").rows[0].metrics["recall@5"].low is None
    ahead = [0.1, 0.0, 0.2]
    code = {"ndcg": 0.5, "first_five": 0.75, "ndcg_ahead": ahead, "first_five_ahead": ahead}
    reports = {"questions": 9, "reports": {"all": {"semble": code}}, "versions": {"semble": "0.3"}}
    semble = record(written(tmp_path / "code.json", reports), "code")
    assert (semble.rows[0].metrics["in first 5"].mean, semble.versions["semble"]) == (0.75, "0.3")
    rounds = {"queries": 10, "rounds": {"cached": {"median": 0.1, "longest": 0.2, "processor": 0.05}}}
    assert record(written(tmp_path / "speed.json", rounds), "speed").rows[0].metrics["median"].mean == 100.0


@pytest.mark.parametrize("data", [[], {}, {"numbers": 3}, {**SIDE_BY_SIDE, "typed": 1}, {"systems": {}}])
def test_what_no_command_printed_is_refused(tmp_path: Path, data: object) -> None:
    with pytest.raises(UserError, match=r"odd\.json"):
        record(written(tmp_path / "odd.json", data), "retrieval")


@pytest.mark.parametrize("command", ["python -m evals.x /data/set", "x --out=/tmp/y", "cat ~/set", "x '/a b'"])
def test_a_command_with_a_folder_of_one_machine_is_refused(tmp_path: Path, command: str) -> None:
    with pytest.raises(UserError, match="folder of this machine"):
        record(long_run.write(tmp_path / "run", 3), command=command)


def test_a_result_that_was_changed_by_hand_out_of_its_form_is_refused(tmp_path: Path) -> None:
    result = record(long_run.write(tmp_path / "run", 3))
    (tmp_path / "results").mkdir()
    target = tmp_path / "results" / f"{result.file}.json"
    target.write_text(result.model_dump_json())
    assert load(tmp_path / "results") == [result]
    target.write_text(json.dumps({**result.model_dump(), "host": "here"}))
    with pytest.raises(UserError, match="host"):
        load(tmp_path / "results")
    target.unlink()
    (tmp_path / "results" / "other.json").write_text(result.model_dump_json())
    with pytest.raises(UserError, match="Rename it"):
        load(tmp_path / "results")


def test_the_page_has_hoplite_first_the_differences_and_how_it_was_measured(tmp_path: Path) -> None:
    both = record(written(tmp_path / "both.json", SIDE_BY_SIDE), "retrieval")
    shown = page([both])
    assert "| hoplite | 95.0 [60.0, 99.0] |  |" in shown
    assert "| llamaindex, hybrid | 75.0 [60.0, 99.0] | +20.0 [+20.0, +20.0] |" in shown
    assert f"- Hoplite, no model: `{COMMAND}`. 100 questions, 2026-11-28, " in shown
    assert "llama-index-core 0.14.25" in shown
    assert "## Speed" not in shown


def test_the_page_counts_the_shipped_sets(tmp_path: Path) -> None:
    lines = [{"id": f"q{n}", "question": "?", "type": ("bridge", "symbol")[n % 2]} for n in range(3)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert "| `own.jsonl` | 3 | 2 bridge, 1 symbol |" in page([], tmp_path)


def test_recording_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    run = long_run.write(tmp_path / "run", 3)
    into = tmp_path / "results"
    into.mkdir()
    words = ["record", str(run), "--section", "answers", "--label", "Hoplite", "--set", "x", "--command", COMMAND]
    for _ in range(2):
        done = CliRunner().invoke(main, [*words, "--into", str(into)])
        assert (done.exit_code, done.output) == (0, "Wrote answers-x-hoplite.json.\n")
    assert len(load(into)) == 1
    refused = CliRunner().invoke(main, [*words[:-1], "cat /etc/x", "--into", str(into)])
    assert (refused.exit_code, len(refused.output.splitlines())) == (1, 1)
