"""A run's report as one HTML page that needs nothing else and loads nothing.

Questions, answers, passages, file names and traces are text that nobody vouches for. Each piece is escaped before
tags of our own are put round it, none with an attribute that comes from it; there is no script, and the page's policy
lets a browser run none and fetch nothing.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from agent.guard import visible
from evals.agreement import Judged
from evals.charts import Bar, bars, histogram
from evals.compare import Comparison
from evals.estimates import Estimate
from evals.run_summary import COLUMNS, FAILURES, Slice, Summary, ordering, percentiles
from evals.statistics import Difference
from evals.types import Finished

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

TreeOf = Callable[[str], str | None]
"""Gives a trace as lines of text by its id, None where it is not there any more."""

_LONGEST_TEXT = 4_000
_LONGEST_HEAD = 240
_LONGEST_ROW = 160
_LONGEST_FACT = 2_000
_CHARTED = 12
_MOST = 200


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the numbers: the run's name, when it ended, where the report was made, what the run's answers
    depend on."""

    name: str
    ended: str
    machine: str
    fingerprint: Mapping[str, str]
    short: str


def opening(heading: Heading, summary: Summary, sections: Iterable[str] = ()) -> Iterator[str]:
    """Yield the page down to its questions. `sections` are what others add, as HTML, after the metrics."""
    style = (files("evals") / "report.css").read_text(encoding="utf-8")
    title = f"Evaluation: {text(heading.name)}"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n"
    )
    yield f'<p class="faint">{text(heading.ended)} · report made on {text(heading.machine)}</p>\n'
    yield _facts(heading, summary)
    yield (
        '<nav><a href="#metrics">Metrics</a><a href="#slices">Slices</a><a href="#time">Time and tokens</a>'
        '<a href="#failures">Failures</a><a href="#questions">Questions</a></nav>\n'
    )
    yield _fingerprint(heading)
    yield '</header>\n<main>\n<h2 id="metrics">Metrics</h2>\n'
    yield _metrics(summary)
    yield from sections
    yield '<h2 id="slices">Slices</h2>\n'
    yield _slice_charts(summary)
    yield _slices("type", summary.types)
    yield _slices("tag", summary.tags)
    yield '<h2 id="time">Time and tokens</h2>\n'
    yield _time(summary)


def judged(found: Sequence[Judged]) -> str:
    """Return what a model judged of the run, beside each number how far it agrees with people, as a section."""
    rows = [
        [
            text(row.rubric),
            f"{percent(row.share)} <i>[{percent(row.interval[0])}, {percent(row.interval[1])}]</i>",
            f"{row.count:,}",
            f"{row.unjudged:,}",
            text(row.beside),
            text(_cut(f"{row.judge}, {row.prompt}", 80)),
        ]
        for row in found
    ]
    return (
        '<h2 id="judged">Judged by a model</h2>\n<p>A judge is worth what its agreement with people is; one that is '
        "not calibrated says little. <code>hoplite eval judge calibrate</code> measures it.</p>\n"
        + table(["rubric", "passed, % [95 %]", "n", "unjudged", "agreement with people", "judge and prompt"], rows)
    )


def compared(comparison: Comparison) -> str:
    """Return another run beside this one, as a section of the page."""
    first, second = (text(_cut(name, 60)) for name in comparison.runs)
    rows = [
        [text(name), percent(both.first), percent(both.second), _apart(both.difference)]
        for name, both in comparison.metrics.items()
    ]
    rows += [
        ["seconds, median", *(f"{seconds:.2f}" for seconds in comparison.seconds), ""],
        ["tokens, mean", *(f"{tokens:,.0f}" for tokens in comparison.tokens), ""],
    ]
    return (
        f'<h2 id="against">Beside {first}</h2>\n<p>Over the {comparison.questions:,} questions that both answered, '
        "paired by question. A difference whose interval holds 0 may be chance.</p>\n"
        + table(["%", first, second, "difference [95 %]"], rows)
    )


def failures(summary: Summary, broken: Sequence[Finished]) -> Iterator[str]:
    """Yield what failed, by kind and by question."""
    yield '<h2 id="failures">Failures</h2>\n'
    if not summary.failed:
        yield "<p>No question failed.</p>\n"
        return
    yield (
        f"<p>{summary.failed:,} of {summary.lines:,} ended in an error instead of an answer. They are in no metric, so "
        f"that every mean above is over the other {summary.answered:,} or fewer.</p>\n"
    )
    yield table(["error", "count"], [[text(_cut(kind, 80)), f"{n:,}"] for kind, n in summary.failures.items()])
    yield '<ul class="plain">\n'
    for line in broken:
        yield f"<li><b>{text(line.id)}</b>{_again(line)} {text(_cut(line.question, 300))}"
        yield f'<br><span class="bad">{text(_cut(line.error or "", 500))}</span></li>\n'
    yield "</ul>\n"
    if summary.failed > len(broken):
        yield f'<p class="note">The first {FAILURES} of {summary.failed:,} are named.</p>\n'


def questions(worst: Sequence[Finished], summary: Summary, tree_of: TreeOf) -> Iterator[str]:
    """Yield the questions that are shown whole, each folded."""
    yield '<h2 id="questions">Questions</h2>\n'
    if summary.answered > len(worst):
        yield (
            f"<p>The {len(worst)} of {summary.answered:,} answers with the lowest {_named(summary.main)} are shown "
            "whole, with their passages; all of them follow as lines.</p>\n"
        )
    elif summary.main:
        yield f'<p class="note">The lowest {_named(summary.main)} first.</p>\n'
    for line in worst:
        yield question(line, tree_of)


def rows_opening(summary: Summary) -> str:
    """Return what stands above the lines of all answers."""
    columns = "".join(f"<th>{text(name)}</th>" for name in COLUMNS)
    return (
        f'<details class="more"><summary>All {summary.answered:,} answers, a line each</summary>\n<div class="wide">'
        f'<table class="rows"><tr><th>id</th><th>question</th><th>answer</th>{columns}<th>seconds</th></tr>\n'
    )


ROWS_CLOSING = "</table></div></details>\n"


def row(line: Finished) -> str:
    """Return one answered question as a line of the table. Metrics that slices are shown with stand in it, "" where the
    question has none, all of them: which ones the run has is not known yet when this is written."""
    scores = "".join(f"<td>{percent(line.scores[name]) if name in line.scores else ''}</td>" for name in COLUMNS)
    return (
        f"<tr><td>{text(_cut(line.id, 60))}{_again(line)}</td><td>{text(_cut(line.question, _LONGEST_ROW))}</td>"
        f"<td>{text(_cut(_said(line), _LONGEST_ROW))}</td>{scores}<td>{line.seconds:.2f}</td></tr>\n"
    )


def closing() -> str:
    """Return the end of the page."""
    return (
        "</main>\n<footer><p>Metrics are means over the questions that were answered and have what the metric needs, "
        "in per cent. Behind each stands its 95 % interval, from drawing as many questions again with replacement: two "
        "runs over other questions of the same kind would differ by about as much. A question that was asked several "
        "times counts once, with the mean of its answers.</p>\n<p>Made by <code>hoplite eval report</code>. This page "
        "loads nothing and runs no script.</p></footer>\n</body>\n</html>\n"
    )


def question(line: Finished, tree_of: TreeOf) -> str:
    """Return one answered question, folded, with all that the run has of it."""
    value = ordering(line)
    tone = "good" if value >= 1 else "bad" if value <= 0 else ""
    gold = " · ".join(line.answers) if line.answers else "(that the sources do not say)" if line.unanswerable else ""
    facts = [
        ("question", text(_cut(line.question, _LONGEST_TEXT)) if len(line.question) > _LONGEST_HEAD else ""),
        ("gold", text(_cut(gold, _LONGEST_TEXT))),
        ("answer", text(_cut(_said(line), _LONGEST_TEXT))),
        ("note", text(_cut(line.note, _LONGEST_TEXT))),
        ("type, tags", text(", ".join([each for each in (line.type, *line.tags) if each]))),
        ("gold sources", text("\n".join(line.supporting[:_MOST]))),
        ("took", text(_took(line))),
    ]
    parts = [
        f'<details class="question"><summary><span class="score {tone}">'
        f"{percent(value) if line.scores else '–'}</span> {text(_cut(line.question, _LONGEST_HEAD))}"
        f'<span class="id">{text(line.id)}{_again(line)}</span></summary><div>\n<dl>',
        *(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value),
        "</dl>\n",
        _chips(line.scores),
        *_citations(line),
        *_passages(line),
        _trace(line, tree_of),
        "</div></details>\n",
    ]
    return "".join(parts)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells are HTML already."""
    rows = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines]
    names = "".join(f"<th>{cell}</th>" for cell in head)
    return f'<div class="wide"><table><tr>{names}</tr>\n' + "\n".join(rows) + "</table></div>\n"


def text(value: str) -> str:
    """Return text without any tag, with what cannot be seen written out."""
    return html.escape(visible(value))


def percent(share: float) -> str:
    """Return a number from 0 to 1 as per cent, with one digit."""
    return f"{round(100 * share, 1) + 0.0:.1f}"  # + 0.0: no "-0.0"


def signed(share: float) -> str:
    """Return a difference from -1 to 1 as per cent, with its sign."""
    shown = percent(share)
    return shown if shown == "0.0" or share < 0 else f"+{shown}"


def measured(found: Estimate) -> str:
    """Return a mean with its interval."""
    return f"{percent(found.mean)} <i>[{percent(found.low)}, {percent(found.high)}]</i>"


def _apart(found: Difference) -> str:
    tone = "good" if found.low > 0 else "bad" if found.high < 0 else "faint"
    return f'<span class="{tone}">{signed(found.mean)}</span> <i>[{signed(found.low)}, {signed(found.high)}]</i>'


def _facts(heading: Heading, summary: Summary) -> str:
    cells = [
        (f"{summary.questions:,}", "questions" + _repeats(summary)),
        (f"{summary.answered:,} of {summary.lines:,}", "answered"),
        (f"{summary.failed:,}", "failed, in no metric"),
    ]
    if summary.main:
        found = summary.metrics[summary.main]
        cells.append((f"{percent(found.mean)} %", f"{text(summary.main)}, n = {found.count:,}"))
    for name, seconds in list(percentiles(summary.seconds).items())[:1]:
        cells.append((f"{seconds:.2f} s", f"an answer ({name})"))
    cells.append((f"<code>{text(heading.short)}</code>", "fingerprint"))
    return f'<div class="facts">{"".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in cells)}</div>\n'


def _repeats(summary: Summary) -> str:
    return f", {summary.lines:,} answers with repeats" if summary.lines > summary.questions else ""


def _fingerprint(heading: Heading) -> str:
    facts = "".join(
        f"<dt>{text(_cut(name, 80))}</dt><dd>{text(_cut(value, _LONGEST_FACT))}</dd>"
        for name, value in heading.fingerprint.items()
    )
    return f'<details class="more"><summary>What the answers depend on</summary><dl>{facts}</dl></details>\n'


def _metrics(summary: Summary) -> str:
    if not summary.metrics:
        return "<p>No question was scored.</p>\n"
    rows = [[text(name), measured(found), f"{found.count:,}"] for name, found in summary.metrics.items()]
    charted = [Bar(name, m.mean, m.low, m.high, m.count) for name, m in summary.metrics.items()]
    shown = table(["metric", "mean, % [95 %]", "n"], rows) + _declining(summary)
    return f'<div class="charts"><div>{shown}</div>{_figure("Every metric", bars("Every metric", charted))}</div>\n'


def _declining(summary: Summary) -> str:
    """How well the run declined, where it was asked what can be answered and what cannot."""
    found = summary.declined
    if found is None:
        return ""
    kinds = (("precision", found.precision, found.declined), ("recall", found.recall, found.unanswerable))
    rows = [[name, "–" if share is None else percent(share), f"{count:,}"] for name, share, count in kinds]
    return table(["declining, answer by answer", "%", "of"], rows)


def _slice_charts(summary: Summary) -> str:
    """The main metric by type and by tag, of the largest slices."""
    main = summary.main
    if main is None:
        return ""
    figures = []
    for kind, slices in (("type", summary.types), ("tag", summary.tags)):
        found = [(each.label, each.metrics[main]) for each in slices if main in each.metrics]
        charted = [Bar(label, m.mean, m.low, m.high, m.count) for label, m in found[:_CHARTED]]
        if len(charted) > 1:
            title = f"{main} by {kind}"
            figures.append(_figure(title, bars(title, charted)))
    return f'<div class="charts">{"".join(figures)}</div>\n' if figures else ""


def _slices(kind: str, slices: Sequence[Slice]) -> str:
    if not slices:
        return f'<p class="note">No question has a {kind}.</p>\n'
    columns = [name for name in COLUMNS if any(name in each.metrics for each in slices)]
    rows = [
        [
            text(_cut(each.label, 60)),
            f"{each.answered:,}",
            f"{each.failed:,}",
            *(measured(each.metrics[name]) if name in each.metrics else "" for name in columns),
        ]
        for each in slices[:_MOST]
    ]
    shown = table([kind, "answered", "failed", *map(text, columns)], rows)
    more = f'<p class="note">The {_MOST} largest of {len(slices):,}.</p>\n' if len(slices) > _MOST else ""
    return f"<h3>By {kind}</h3>\n{shown}{more}"


def _time(summary: Summary) -> str:
    if not summary.answered:
        return "<p>Nothing was answered.</p>\n"
    took, tokens = percentiles(summary.seconds), percentiles(summary.tokens)
    figures = _figure("Seconds an answer", histogram("Seconds an answer", summary.seconds, took, "s"))
    if any(tokens.values()):
        figures += _figure("Tokens an answer", histogram("Tokens an answer", summary.tokens, tokens, "tokens"))
    rows = [
        ["seconds", *(f"{value:,.2f}" for value in took.values())],
        *([["tokens", *(f"{value:,.0f}" for value in tokens.values())]] if any(tokens.values()) else []),
    ]
    used = [
        [text(name.replace("_", " ")), _amount(total), _amount(total / count), f"{count:,}"]
        for name, (total, count) in summary.usage.items()
    ]
    return (
        f'<div class="charts">{figures}</div>\n'
        + table(["", *took], rows)
        + (table(["used", "in all", "an answer", "n"], used) if used else "")
    )


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.3g}"


def _figure(title: str, chart: str) -> str:
    return f"<figure><figcaption>{text(title)}</figcaption>{chart}</figure>"


def _chips(scores: Mapping[str, float]) -> str:
    chips = "".join(f"<span>{text(name)} {percent(value)}</span>" for name, value in scores.items())
    return f'<p class="chips">{chips}</p>\n' if chips else ""


def _citations(line: Finished) -> Iterator[str]:
    if not line.citations:
        return
    yield '<h3>Citations</h3><ul class="plain">'
    for each in line.citations[:_MOST]:
        mark = '<span class="good">✓ verified</span>' if each.verified else '<span class="bad">✗ not verified</span>'
        yield f"<li>{mark} {text(_place(each.label, each.path, each.start_line, each.end_line))}"
        yield f"<blockquote>{text(_cut(each.quote, _LONGEST_TEXT))}</blockquote></li>"
    yield "</ul>\n"


def _passages(line: Finished) -> Iterator[str]:
    if not line.passages:
        return
    yield f"<h3>Passages shown to the model: {len(line.passages)}</h3>"
    for each in line.passages[:_MOST]:
        gold = " · gold" if each.path in line.supporting else ""
        place = text(_place(each.label, each.path, each.start_line, each.end_line))
        yield f'<details class="more"><summary>{place}{gold}</summary><pre class="text">'
        yield f"{text(_cut(each.text, _LONGEST_TEXT))}</pre></details>\n"


def _trace(line: Finished, tree_of: TreeOf) -> str:
    if line.trace_id is None:
        return ""
    shown = tree_of(line.trace_id)
    if shown is None:
        return f'<p class="note">Trace {text(_cut(line.trace_id, 40))}: not in the workspace any more.</p>\n'
    head = f"Trace {text(line.trace_id[:12])}"
    return f'<details class="more"><summary>{head}</summary><pre>{text(shown)}</pre></details>\n'


def _place(label: str, path: str, start: int, end: int) -> str:
    lines = f":{start}" if start == end else f":{start}-{end}"
    return f"[{_cut(label, 12)}] {_cut(path, 300)}{lines}"


def _took(line: Finished) -> str:
    used = ", ".join(f"{_amount(value)} {name.replace('_', ' ')}" for name, value in line.usage.items())
    return f"{line.seconds:.2f} s" + (f"; {used}" if used else "")


def _said(line: Finished) -> str:
    return f"(declined) {line.answer}".rstrip() if line.abstained else line.answer


def _again(line: Finished) -> str:
    return f" (repeat {line.repeat})" if line.repeat else ""


def _named(main: str | None) -> str:
    return text(main) if main else "score"


def _cut(value: str, longest: int) -> str:
    return value if len(value) <= longest else f"{value[: longest - 1]}…"
