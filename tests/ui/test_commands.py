"""The commands over a real small workspace, without weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.tracing import start_tracing, trace, traces
from retrieval.collections import save
from retrieval.indexing import index
from retrieval.workspace import Lock, find
from tests.ui.conftest import Hoplite


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text


def test_indexing_again_touches_only_what_changed(hoplite: Hoplite, indexed: Path) -> None:
    (indexed / "guide.md").write_text("# Anew\n\nOther words.\n")
    report = json.loads(hoplite("index", indexed, "--json").stdout)
    assert (report["documents"], report["written"], report["unchanged"]) == (3, 1, 2)


def test_what_is_removed_is_not_found_any_more(hoplite: Hoplite, indexed: Path) -> None:
    result = hoplite("index", "--remove", indexed / "guide.md", "--workspace", indexed / ".hoplite", "--json")
    assert json.loads(result.stdout)["forgotten"] == 1
    hits = json.loads(hoplite("--workspace", indexed / ".hoplite", "search", "readings", "--json").stdout)["hits"]
    assert "guide.md" not in {hit["path"] for hit in hits}


def test_a_file_that_fails_is_named_and_the_exit_code_is_4(hoplite: Hoplite, folder: Path) -> None:
    (folder / "broken.ipynb").write_text("{")
    result = hoplite("index", folder)
    assert result.exit_code == 4
    assert "failed: 1 syntax\n  broken.ipynb is no " in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_nothing_to_index_is_one_line(hoplite: Hoplite, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    result = hoplite("index", tmp_path / name)
    assert result.exit_code == 2
    assert one_line(result.stderr)


def test_searching_without_an_index_says_how_to_make_one(
    hoplite: Hoplite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hoplite("search", "x")
    assert result.exit_code == 2
    assert "hoplite index" in result.stderr


def test_search_prints_the_contracts_object(hoplite: Hoplite, indexed: Path) -> None:
    result = hoplite("search", "How long are readings kept?", "-k", "3", "--json", "--workspace", indexed / ".hoplite")
    found = json.loads(result.stdout)
    assert set(found) == {"query", "hits", "timings"}
    assert set(found["hits"][0]) == {"path", "start_line", "end_line", "title", "score", "via", "text"}
    assert len(found["hits"]) == 3


def test_search_shows_places_and_excerpts(hoplite: Hoplite, indexed: Path) -> None:
    shown = hoplite("search", "HERON_RETENTION", "--kind", "code", "--workspace", indexed / ".hoplite").stdout
    assert "src/settings.py:1-3" in shown
    assert "│ HERON_RETENTION = 45" in shown
    assert "guide.md" not in shown


def test_symbols_shows_definition_and_mentions(hoplite: Hoplite, indexed: Path) -> None:
    shown = json.loads(hoplite("symbols", "HERON_RETENTION", "--json", "--workspace", indexed / ".hoplite").stdout)
    assert [place["path"] for place in shown["defined"]] == ["src/settings.py"]
    assert {place["path"] for place in shown["mentioned"]} == {"guide.md", "src/store.py"}


def test_an_unknown_name_is_said_to_be_unknown(hoplite: Hoplite, indexed: Path) -> None:
    result = hoplite("symbols", "heronRetention", "--workspace", indexed / ".hoplite")
    assert result.exit_code == 2
    assert one_line(result.stderr)


def test_status_counts_and_names_what_is_stale(hoplite: Hoplite, indexed: Path) -> None:
    (indexed / "guide.md").write_text("changed")
    shown = json.loads(hoplite("status", "--json", "--workspace", indexed / ".hoplite").stdout)
    assert (shown["documents"], shown["stale"]) == (3, ["guide.md"])
    assert shown["languages"] == {"python": 2, "markdown": 1}


def test_ask_without_a_model_prints_the_contracts_object(hoplite: Hoplite, indexed: Path) -> None:
    question = "Readings older than how many days are deleted every night?"
    result = hoplite("ask", question, "--model", "none", "--json", "--workspace", indexed / ".hoplite")
    given = json.loads(result.stdout)
    contract = {"question", "answer", "abstained", "citations", "steps", "usage", "timings", "trace_id"}
    assert contract <= set(given)
    assert given["citations"][0]["verified"]
    assert [line for line in result.stderr.splitlines() if "searching without it" not in line] == []


def test_ask_writes_markdown_to_a_file_or_prints_it(hoplite: Hoplite, indexed: Path, tmp_path: Path) -> None:
    question = ("ask", "Readings older than how many days are deleted every night?", "--model", "none")
    workspace = ("--workspace", indexed / ".hoplite")
    printed = hoplite(*question, "--markdown", "-", *workspace).stdout
    assert printed.startswith("# Readings older than")
    assert "\n[^1]: `" in printed
    hoplite(*question, "--markdown", tmp_path / "a.md", *workspace)
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == printed


@pytest.mark.parametrize(
    ("options", "told"), [(("--json", "--markdown", "-"), "--json"), (("--markdown", "none/there/a.md"), "no folder")]
)
def test_ask_refuses_what_it_cannot_write_before_it_runs(
    hoplite: Hoplite, indexed: Path, options: tuple[str, ...], told: str
) -> None:
    result = hoplite("ask", "x", *options, "--workspace", indexed / ".hoplite")
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""


def test_ask_gives_the_form_that_is_wanted(hoplite: Hoplite, indexed: Path) -> None:
    question = "Readings older than how many days are deleted every night?"
    options = ("--form", "report", "--model", "none", "--json", "--workspace", indexed / ".hoplite")
    given = json.loads(hoplite("ask", question, *options).stdout)
    assert given["form"] == "report"
    assert all({"title", "text", "labels", "follow_up"} == set(section) for section in given["sections"])
    assert any(section["labels"] for section in given["sections"])


@pytest.mark.parametrize("words", [("--path", "src/*"), ("--in", "code")])
def test_ask_answers_from_what_it_is_asked_in_alone(hoplite: Hoplite, indexed: Path, words: tuple[str, ...]) -> None:
    save(indexed / ".hoplite" / "collections.json", "Code", ["src/*"])
    options = ("--model", "none", "--json", "--workspace", indexed / ".hoplite")

    def cited(question: str, *words: str) -> set[str]:
        return {each["path"] for each in json.loads(hoplite("ask", question, *words, *options).stdout)["citations"]}

    in_the_guide = "Readings older than how many days are deleted every night?"
    assert cited(in_the_guide) == {"guide.md"}
    assert cited(in_the_guide, *words) == set()
    assert cited("Where is HERON_RETENTION set?", *words) == {"src/settings.py"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--in", "docs"), "There is no collection 'docs'. There is none yet"),
        (("--path", "dcos/*"), "Nothing that is indexed fits 'dcos/*'"),
        (("--in", "docs", "--path", "*"), "Leave out --path, or --in"),
    ],
)
def test_ask_says_what_it_cannot_be_asked_in(
    hoplite: Hoplite, indexed: Path, words: tuple[str, ...], said: str
) -> None:
    result = hoplite("ask", "x", "--model", "none", *words, "--workspace", indexed / ".hoplite")
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_question_that_was_asked_before_gets_that_answer_until_its_file_changes(
    hoplite: Hoplite, indexed: Path
) -> None:
    words = ("ask", "Readings older than how many days are deleted every night?", "--model", "none")
    here = ("--workspace", indexed / ".hoplite")
    first, second = (hoplite(*words, "--json", *here) for _ in range(2))
    assert (json.loads(first.stdout)["cached"], json.loads(second.stdout)["cached"][:2]) == (None, "20")
    assert json.loads(first.stdout)["answer"] == json.loads(second.stdout)["answer"]
    assert "From the cache, asked 20" in hoplite(*words, *here).stdout
    assert "From the cache" not in hoplite(*words, "--no-cache", *here).stdout
    (indexed / "guide.md").write_text((indexed / "guide.md").read_text() + "\nMore.\n")
    assert "From the cache" not in hoplite(*words, *here).stdout
    hoplite("index", indexed)
    assert "From the cache" not in hoplite(*words, *here).stdout


def test_ask_shows_steps_apart_from_the_answer(hoplite: Hoplite, indexed: Path) -> None:
    question = "Readings older than how many days are deleted every night?"
    result = hoplite("ask", question, "--model", "none", "--workspace", indexed / ".hoplite")
    assert "plan" in result.stderr
    assert "search" in result.stderr
    assert "hoplite trace show" in result.stderr
    assert "✓ verified" in result.stdout


@pytest.mark.parametrize(
    "word",
    [
        "ext::sh -c id", "file:///etc", "http://127.0.0.1:9/", "http://[::ffff:169.254.169.254]/x",
        "https://a:secret@h.example/page", "https://h.example/a/b.git@--upload-pack=x",
    ],
)  # fmt: skip
def test_an_address_that_must_not_be_fetched_is_one_line(
    hoplite: Hoplite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hoplite("index", word)
    assert result.exit_code == 2
    assert one_line(result.stderr)
    assert "secret" not in result.stderr
    assert not (tmp_path / ".hoplite").exists()


def test_status_says_where_documents_came_from_and_at_which_commit(hoplite: Hoplite, folder: Path) -> None:
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "-m", "x")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    (folder / "guide.md").write_text("# Edited\n")
    hoplite("index", folder)
    workspace = ("--workspace", folder / ".hoplite")
    (source,) = json.loads(hoplite("status", "--json", *workspace).stdout)["sources"]
    assert (source["prefix"], source["url"], source["dirty"], len(source["commit"])) == (".", str(folder), True, 40)
    assert f"{folder} at commit {source['commit'][:7]} (with local changes), read 20" in hoplite(
        "status", *workspace
    ).stdout.replace("\n", " ")


def test_ask_says_that_a_cited_file_changed(hoplite: Hoplite, indexed: Path) -> None:
    with (indexed / "guide.md").open("a") as file:
        file.write("\nOne more line.\n")
    question = ("ask", "Readings older than how many days are deleted every night?", "--model", "none")
    workspace = ("--workspace", indexed / ".hoplite")
    given = json.loads(hoplite(*question, "--json", *workspace).stdout)
    cited = [(c["path"], c["stale"]) for c in given["citations"]]
    assert ("guide.md", True) in cited
    assert given["stale"] == sorted({path for path, stale in cited if stale})
    assert "Changed since it was indexed: guide.md" in hoplite(*question, *workspace).stdout


def test_a_trace_can_be_listed_and_shown(hoplite: Hoplite, indexed: Path) -> None:
    workspace = ("--workspace", indexed / ".hoplite")
    hoplite("ask", "How long are readings kept?", "--model", "none", *workspace)
    newest = json.loads(hoplite("trace", "list", "--json", *workspace).stdout)["traces"][0]
    assert newest["question"] == "How long are readings kept?"
    assert "search.bm25" in hoplite("trace", "show", newest["id"][:8], *workspace).stdout


def test_a_first_index_run_is_one_trace(hoplite: Hoplite, indexed: Path) -> None:
    workspace = ("--workspace", indexed / ".hoplite")
    (only,) = json.loads(hoplite("trace", "list", "--json", *workspace).stdout)["traces"]
    assert (only["name"], only["error"]) == ("index.run", None)
    spans = json.loads(hoplite("trace", "show", only["id"], "--json", *workspace).stdout)["spans"]
    names = [span["name"] for span in spans]
    assert names == ["index.run", "walk", "index", *["file", "load", "chunk"] * 3, names[-2], "write"]
    assert names[-2].startswith("embeddings ")
    assert spans[1]["end_ns"] <= spans[2]["start_ns"]


def test_what_workers_read_is_summed_up_in_one_span(folder: Path) -> None:
    for i in range(60):
        (folder / f"f{i}.py").write_text(f"x{i} = {i}\n")
    with ExitStack() as closing:
        report = index([folder], workers=2, on_workspace=lambda w: closing.callback(start_tracing(w.traces).close))
    # A run that another test left in the middle ends when its generator is collected, and is written here.
    (only,) = [found for found in traces(find(folder).traces) if found.name == "index.run"]
    spans = [record.span for record in trace(find(folder).traces, only.id)]
    (read,) = [span.attributes for span in spans if span.name == "read"]
    assert sum(span.name == "file" and span.end_ns > span.start_ns for span in spans) == 63
    assert (read["hoplite.files"], read["hoplite.chunks"], read["hoplite.workers"]) == (63, report.chunks, 2)
    assert min(float(str(read[f"hoplite.{step}_seconds"])) for step in ("load", "chunk")) > 0


def test_what_was_noted_can_be_shown_exported_and_forgotten(hoplite: Hoplite, indexed: Path) -> None:
    workspace = ("--workspace", indexed / ".hoplite")
    asked = "Readings older than how many days are deleted every night?"
    hoplite("ask", asked, "--model", "none", *workspace)
    listed = json.loads(hoplite("memory", "list", "--json", *workspace).stdout)
    [note], unreadable = listed["notes"], listed["unreadable"]
    assert (note["question"], note["stale"], unreadable) == (asked, False, 0)
    assert asked in hoplite("memory", "list", *workspace).stdout
    shown = hoplite("memory", "show", note["id"], *workspace).stdout
    assert ("guide.md" in shown, note["facts"][0]["text"] in shown) == (True, True)
    assert json.loads(hoplite("memory", "export", *workspace).stdout) == [note]
    page = indexed / "notes.md"
    assert hoplite("memory", "export", "--format", "markdown", "--out", page, *workspace).exit_code == 0
    assert page.read_text().startswith("# Notes of earlier runs")
    assert hoplite("memory", "forget", note["id"], *workspace).exit_code == 0
    assert hoplite("memory", "show", note["id"], *workspace).exit_code == 2


def test_all_notes_are_forgotten_only_after_asking(hoplite: Hoplite, indexed: Path) -> None:
    workspace = ("--workspace", indexed / ".hoplite")
    hoplite("ask", "Readings older than how many days are deleted every night?", "--model", "none", *workspace)

    def left() -> int:
        return len(json.loads(hoplite("memory", "list", "--json", *workspace).stdout)["notes"])

    assert (hoplite("memory", "forget", *workspace).exit_code, left()) == (2, 1)
    assert (hoplite("memory", "forget", "--all", *workspace).exit_code != 0, left()) == (True, 1)
    assert (hoplite("memory", "forget", "--all", "--yes", *workspace).exit_code, left()) == (0, 0)


def test_a_memory_that_is_none_is_one_line_and_questions_are_answered_without_it(
    hoplite: Hoplite, indexed: Path
) -> None:
    workspace = ("--workspace", indexed / ".hoplite")
    (indexed / ".hoplite" / "memory.sqlite").write_bytes(b"no database" * 100)
    refused = hoplite("memory", "list", *workspace)
    assert (refused.exit_code, refused.stderr.count("\n"), "cannot be read" in refused.stderr) == (2, 1, True)
    asked = hoplite("ask", "Readings older than how many days are deleted every night?", "--model", "none", *workspace)
    assert (asked.exit_code, "guide.md" in asked.stdout) == (0, True)


def test_an_unknown_setting_is_named(hoplite: Hoplite, indexed: Path) -> None:
    (indexed / ".hoplite" / "config.toml").write_text("modle = 'none'\n")
    result = hoplite("ask", "x", "--workspace", indexed / ".hoplite")
    assert result.exit_code == 2
    assert "modle" in result.stderr


def test_a_workspace_in_use_is_exit_code_3_with_the_holders_id(indexed: Path) -> None:
    command = [sys.executable, "-c", "from ui.cli import main; main()", "status", "--workspace", indexed / ".hoplite"]
    with Lock(find(indexed)):
        ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert ran.returncode == 3
    assert one_line(ran.stderr)
    assert f"process {os.getpid()}" in ran.stderr


def test_a_damaged_index_is_one_line_with_the_repair(hoplite: Hoplite, indexed: Path) -> None:
    shutil.rmtree(indexed / ".hoplite" / "store")
    result = hoplite("search", "x", "--workspace", indexed / ".hoplite")
    assert result.exit_code == 2
    assert one_line(result.stderr)
    assert "hoplite index" in result.stderr
    assert hoplite("index", indexed).exit_code == 0
    assert hoplite("search", "x", "--workspace", indexed / ".hoplite").exit_code == 0


def test_missing_weights_name_the_command_that_fetches_them(
    hoplite: Hoplite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPLITE_MODELS", str(tmp_path / "models"))
    (tmp_path / "a.md").write_text("# A\n\nText.\n")
    result = hoplite("index", tmp_path, "--embedder", "all-MiniLM-L6-v2-int8")
    assert result.exit_code == 2
    assert "hoplite models pull" in result.stderr


def test_a_question_set_is_scored(hoplite: Hoplite, indexed: Path, tmp_path: Path) -> None:
    line = {"id": "a", "question": "How many days are readings kept?", "answers": ["45"], "supporting": ["guide.md"]}
    (tmp_path / "set.jsonl").write_text(json.dumps(line) + "\n")
    result = hoplite(
        "eval", "run", tmp_path / "set.jsonl", "--model", "none", "--json", "--workspace", indexed / ".hoplite"
    )
    report = json.loads(result.stdout)
    assert (report["questions"], report["errors"]) == (1, 0)
    assert report["metrics"]["recall"] == 1.0


def test_a_run_of_several_workers_says_what_it_was_made_with_and_is_resumed_only_as_that(
    hoplite: Hoplite, indexed: Path, tmp_path: Path
) -> None:
    lines = [{"id": f"q{n}", "question": "How many days are readings kept?", "answers": ["45"]} for n in range(4)]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ("eval", "run", tmp_path / "set.jsonl", "--model", "none", "--workspace", indexed / ".hoplite", "--json")
    command = (*command, "--out", tmp_path / "run", "--workers", "3", "--repeat", "2")
    report = json.loads(hoplite(*command).stdout)
    assert (report["questions"], report["answers"], report["counts"]["contains"]) == (4, 8, 8)
    assert {"median", "p90", "p95"} < set(report["timings"])
    made = json.loads((tmp_path / "run" / "run.json").read_text())
    assert made["format"] == 1
    assert (made["fingerprint"]["models"], made["fingerprint"]["with_memory"]) == ("none", "no")
    assert json.loads(hoplite(*command, "--resume").stdout) == report
    other = hoplite(*command, "--resume", "--max-steps", "1")
    assert (other.exit_code, "had other inputs: settings" in other.stderr) == (2, True)


def test_a_search_without_the_transformer_says_so_and_still_searches(hoplite: Hoplite, indexed: Path) -> None:
    result = hoplite("search", "HERON_RETENTION", "--json", "--workspace", indexed / ".hoplite")
    assert "hoplite models pull all-MiniLM-L6-v2-int8" in result.stderr
    assert "reranked" not in json.loads(result.stdout)["timings"]
