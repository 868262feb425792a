"""Spans reach the file as one tree, whoever opens them, and nothing that is wrong with the file stops a run."""

from __future__ import annotations

import contextvars
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from opentelemetry import trace as otel

from agent.trace_file import VALUE_BYTES
from agent.tracing import (
    QUESTION,
    TOKENS_IN,
    TOKENS_OUT,
    SpanRecord,
    Tracing,
    prune,
    render_tree,
    start_tracing,
    trace,
    traces,
)
from ingest.errors import UserError

ROOT = Path(__file__).parents[2]
tracer = otel.get_tracer("hoplite.test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "traces.sqlite"


@pytest.fixture
def tracing(file: Path) -> Iterator[Tracing]:
    started = start_tracing(file)
    yield started
    started.close()


def only_trace(file: Path) -> list[SpanRecord]:
    (summary,) = traces(file)
    return trace(file, summary.id)


def test_nested_calls_and_a_thread_with_carried_context_make_one_tree(tracing: Tracing, file: Path) -> None:
    def tool() -> None:
        with tracer.start_as_current_span("tool"):
            pass

    def step() -> None:
        with tracer.start_as_current_span("step"):
            thread = threading.Thread(target=contextvars.copy_context().run, args=(tool,))
            thread.start()
            thread.join()

    with tracer.start_as_current_span("run"):
        step()
        step()
    tracing.close()
    assert [(span.name, span.depth) for span in only_trace(file)] == [
        ("run", 0),
        ("step", 1),
        ("tool", 2),
        ("step", 1),
        ("tool", 2),
    ]


CONCURRENT = """
import sys, threading
from pathlib import Path
from opentelemetry import trace
from agent.tracing import start_tracing

tracer = trace.get_tracer("hoplite.test")

def run():
    with tracer.start_as_current_span("run"):
        for _ in range(300):
            with tracer.start_as_current_span("search"):
                pass

tracing = start_tracing(Path(sys.argv[1]))
threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
tracing.close()
"""


def test_concurrent_runs_lose_no_span_and_share_no_trace(file: Path) -> None:
    # In a process of its own: what other tests left behind is collected in whichever thread runs, among open spans.
    subprocess.run([sys.executable, "-c", CONCURRENT, str(file)], check=True, cwd=Path(__file__).parents[2])
    assert [summary.spans for summary in traces(file, limit=3_000)] == [301] * 8


def test_a_trace_can_be_read_while_spans_are_written(tracing: Tracing, file: Path) -> None:
    with tracer.start_as_current_span("run"):
        with tracer.start_as_current_span("search"):
            pass
        tracing.flush()
        assert [span.name for span in only_trace(file)] == ["search"]
    tracing.flush()
    assert [span.name for span in only_trace(file)] == ["run", "search"]


def test_a_summary_tells_the_question_the_tokens_of_all_calls_and_the_root_error(tracing: Tracing, file: Path) -> None:
    with tracer.start_as_current_span("run", attributes={QUESTION: "Which heron?"}) as root:
        for tokens in (100, 20):
            tracer.start_span("model", attributes={TOKENS_IN: tokens, TOKENS_OUT: 7}).end()
        root.set_status(otel.StatusCode.ERROR, "no answer")
    tracing.close()
    (summary,) = traces(file)
    assert (summary.name, summary.question, summary.spans) == ("run", "Which heron?", 3)
    assert (summary.tokens_in, summary.tokens_out) == (120, 14)
    assert summary.error == "no answer"


def test_the_newest_traces_come_first_and_no_more_than_asked(tracing: Tracing, file: Path) -> None:
    for name in ("first", "second", "third"):
        tracer.start_span(name).end()
    tracing.close()
    assert [summary.name for summary in traces(file, limit=2)] == ["third", "second"]


def test_a_span_whose_parent_was_never_written_is_a_root_of_its_own(tracing: Tracing, file: Path) -> None:
    run = tracer.start_span("killed run")
    tracer.start_span("search", context=otel.set_span_in_context(run)).end()
    tracing.close()
    (span,) = only_trace(file)
    assert (span.name, span.depth, span.parent_id is None) == ("search", 0, False)


def test_starting_again_changes_the_file_and_completes_the_last_one(tmp_path: Path) -> None:
    first = start_tracing(tmp_path / "a.sqlite")
    tracer.start_span("one").end()
    second = start_tracing(tmp_path / "b.sqlite")
    tracer.start_span("two").end()
    first.close()  # must not stop the second
    tracer.start_span("three").end()
    second.close()
    tracer.start_span("four").end()
    assert [summary.name for summary in traces(tmp_path / "a.sqlite")] == ["one"]
    assert [summary.name for summary in traces(tmp_path / "b.sqlite")] == ["three", "two"]


def test_spans_are_written_at_exit_without_a_close(file: Path) -> None:
    script = (
        "import sys, pathlib; from agent.tracing import start_tracing; from opentelemetry import trace;"
        "start_tracing(pathlib.Path(sys.argv[1])); trace.get_tracer('t').start_span('run').end()"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert [span.name for span in only_trace(file)] == ["run"]


def test_importing_tracing_does_not_import_the_sdk() -> None:
    script = "import sys, agent.tracing; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 100, None])
def test_a_damaged_or_unwritable_file_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    file = tmp_path / "traces.sqlite"
    file.mkdir() if content is None else file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        tracing = start_tracing(file, logging.getLogger("hoplite"))
        tracer.start_span("run").end()
        tracing.close()
    (record,) = caplog.records
    assert record.name == "hoplite"
    assert str(file) in record.getMessage()
    with pytest.raises(UserError):
        traces(file)


def test_a_file_that_breaks_during_the_run_is_one_warning(
    tracing: Tracing, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("DROP TABLE spans")
    for _ in range(3):
        tracer.start_span("run").end()
        tracing.flush()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_locked_file_delays_the_close_by_a_bounded_time(
    tracing: Tracing, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.span_export.CLOSE_SECONDS", 0.2)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3000):
            tracer.start_span("run").end()
        started = time.monotonic()
        tracing.close()
        assert time.monotonic() - started < 3


def test_long_values_are_cut_and_what_sqlite_cannot_hold_is_replaced(tracing: Tracing, file: Path) -> None:
    attributes = {"long": "ä" * 10_000, "list": ["x" * 10_000], "\ud800": "\ud800", "number": 7}
    tracer.start_span("name \ud800", attributes=attributes).end()
    tracing.close()
    (span,) = only_trace(file)
    assert all(len(str(value).encode()) <= VALUE_BYTES for value in span.attributes.values())
    assert (span.name, span.attributes["number"], span.attributes["?"]) == ("name ?", 7, "?")


def test_the_file_is_private(tracing: Tracing, file: Path) -> None:
    assert file.stat().st_mode & 0o077 == 0


def test_prune_deletes_the_old_and_then_the_oldest_beyond_the_bound(tracing: Tracing, file: Path) -> None:
    day = 86_400 * 10**9
    for age in (40, 2, 1):
        start = time.time_ns() - age * day
        tracer.start_span(f"{age} days", start_time=start, attributes={"text": "x" * 5000}).end(start + 1)
    tracing.close()
    assert prune(file, keep_days=30) == 1
    assert [summary.name for summary in traces(file)] == ["1 days", "2 days"]
    assert prune(file, max_bytes=10_000) == 1
    assert [summary.name for summary in traces(file)] == ["1 days"]


def test_a_prefix_finds_a_trace_and_a_wrong_or_ambiguous_one_says_so(tracing: Tracing, file: Path) -> None:
    tracer.start_span("one").end()
    tracer.start_span("two").end()
    tracing.close()
    ids = [summary.id for summary in traces(file)]
    assert trace(file, ids[0][:20])[0].trace_id == ids[0]
    for wrong in ("", "zz", "%"):
        with pytest.raises(UserError, match="trace begins"):
            trace(file, wrong)


def test_the_tree_is_one_line_a_span_with_nothing_to_fool_a_terminal(tracing: Tracing, file: Path) -> None:
    with tracer.start_as_current_span("run \x1b[2J\u202e\n") as root:
        root.set_attribute("text", "\u2028\x9b" + "x" * 500)
        with tracer.start_as_current_span("model") as call:
            call.set_attributes({TOKENS_IN: 812, TOKENS_OUT: 64})
    tracing.close()
    text = render_tree(only_trace(file))
    head, run, model = text.split("\n")
    assert text.isprintable() or text.replace("\n", "").isprintable()
    assert r"run \x1b[2J\u202e\n" in run
    assert "    model" not in head
    assert "  model  812 tokens in, 64 out" in model
    assert max(map(len, text.split("\n"))) <= 160
