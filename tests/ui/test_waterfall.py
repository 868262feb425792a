"""Traces as HTML: every span has its bar, two stand side by side, and nothing of a trace is markup."""

from __future__ import annotations

from agent.scores import Score
from agent.trace_rollup import SpanRow
from agent.tracing import SpanRecord, TraceSummary, as_tree
from ui import waterfall

TRACE = "ab" * 16


def span(id_: str, parent: str | None, start: int, end: int, name: str = "step", **more: object) -> SpanRow:
    status, about = ("ERROR" if "failed" in more else "OK"), {"openinference.span.kind": "TOOL", **more}
    return SpanRow(TRACE, id_, parent, name, "INTERNAL", "hoplite.t", start, end, status, "no <such> file", about, [])


def tree(*spans: SpanRow) -> list[SpanRecord]:
    return as_tree(spans)


def test_a_bar_begins_and_lasts_in_hundredths_of_the_whole() -> None:
    shown = waterfall.waterfall(tree(span("1", None, 0, 1000), span("2", "1", 250, 500), span("3", "1", 1000, 1000)))
    assert "from-0 for-100" in shown
    assert "from-25 for-25" in shown
    assert "from-99 for-0" in shown
    assert ".from-99 " in waterfall.rules()
    assert ".for-0 " in waterfall.rules()


def test_what_a_span_holds_and_what_failed_is_said_and_escaped() -> None:
    shown = waterfall.waterfall(tree(span("1", None, 0, 10, "<b>name</b>", question="<img src=x>", failed=True)))
    assert "<img" not in shown
    assert "<b>name" not in shown
    assert "&lt;img src=x&gt;" in shown
    assert "no &lt;such&gt; file" in shown


def test_the_head_has_the_question_and_the_scores() -> None:
    about = {"input.value": "Which heron?"}
    shown = waterfall.waterfall(
        tree(span("1", None, 0, 2_500_000_000, **about)), [Score(TRACE, "user", 0.0, "wrong year")]
    )
    assert "<h3>Which heron?</h3>" in shown
    assert "2.50 s" in shown
    assert "user <b>0</b> wrong year" in shown


def test_two_traces_are_compared_stage_by_stage() -> None:
    first = tree(span("1", None, 0, 10**9, "run"), span("2", "1", 0, 5 * 10**8, "search"))
    second = tree(span("1", None, 0, 2 * 10**9, "run"), span("2", "1", 0, 1, "leads"))
    shown = waterfall.beside(first, second)
    assert "<td>search</td><td>1</td><td>0.50</td><td>–</td><td>–</td><td>–</td><td>–</td>" in shown
    assert "<td>run</td><td>1</td><td>1.00</td><td>–</td><td>1</td><td>2.00</td><td>–</td>" in shown


def test_the_list_opens_and_compares() -> None:
    from agent.trace_rollup import NOTHING

    summaries = [
        TraceSummary(i, "run", f"Question {i}?", None, None, 1.7e9, 2.0, 3, True, NOTHING, 0.0, i == "bb", None, None)
        for i in ("aa", "bb")
    ]
    shown = waterfall.listed(summaries, opened="aa")
    assert '<li class=current><a class="opens" href="#open/traces/aa">Question aa?</a>' in shown
    assert 'href="#open/traces/aa%20bb">compare</a>' in shown
    assert "no answer found" in shown
    assert "No trace fits" in waterfall.listed([])
