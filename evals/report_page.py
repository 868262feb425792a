"""A run's report as one HTML page that needs nothing else and loads nothing.

Questions, answers, passages, file names and traces are text that nobody vouches for. Each piece is escaped before
tags of our own are put round it, none with an attribute that comes from it; there is no script, and the page's policy
lets a browser run none and fetch nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from evals.charts import Bar, bars, histogram
from evals.report_html import LONGEST_LIST, again, amount, cut, measured, table, text
from evals.run_summary import COLUMNS, FAILURES, Slice, Summary, percentiles
from evals.tables import percent
from evals.types import Finished

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_LONGEST_FACT = 2_000
_CHARTED = 12


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
    yield facts(heading, summary)
    yield (
        '<nav><a href="#metrics">Metrics</a><a href="#slices">Slices</a><a href="#time">Time and tokens</a>'
        '<a href="#failures">Failures</a><a href="#questions">Questions</a></nav>\n'
    )
    yield fingerprint(heading)
    yield "</header>\n<main>\n"
    yield from numbers(summary, sections)


def numbers(summary: Summary, sections: Iterable[str] = ()) -> Iterator[str]:
    """Yield a run's metrics, `sections` that others add, slices, time and tokens."""
    yield '<h2 id="metrics">Metrics</h2>\n'
    yield _metrics(summary)
    yield from sections
    yield '<h2 id="slices">Slices</h2>\n'
    yield _slice_charts(summary)
    yield _slices("type", summary.types)
    yield _slices("tag", summary.tags)
    yield '<h2 id="time">Time and tokens</h2>\n'
    yield _time(summary)


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
    yield table(["error", "count"], [[text(cut(kind, 80)), f"{n:,}"] for kind, n in summary.failures.items()])
    yield '<ul class="plain">\n'
    for line in broken:
        yield f"<li><b>{text(line.id)}</b>{again(line)} {text(cut(line.question, 300))}"
        yield f'<br><span class="bad">{text(cut(line.error or "", 500))}</span></li>\n'
    yield "</ul>\n"
    if summary.failed > len(broken):
        yield f'<p class="note">The first {FAILURES} of {summary.failed:,} are named.</p>\n'


def closing() -> str:
    """Return the end of the page."""
    return (
        "</main>\n<footer><p>Metrics are means over the questions that were answered and have what the metric needs, "
        "in per cent. Behind each stands its 95 % interval, from drawing as many questions again with replacement: two "
        "runs over other questions of the same kind would differ by about as much. A question that was asked several "
        "times counts once, with the mean of its answers.</p>\n<p>Made by <code>hoplite eval report</code>. This page "
        "loads nothing and runs no script.</p></footer>\n</body>\n</html>\n"
    )


def facts(heading: Heading, summary: Summary) -> str:
    """Return the few numbers that stand above all."""
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


def fingerprint(heading: Heading) -> str:
    """Return what the answers depend on, folded."""
    named = "".join(
        f"<dt>{text(cut(name, 80))}</dt><dd>{text(cut(value, _LONGEST_FACT))}</dd>"
        for name, value in heading.fingerprint.items()
    )
    return f'<details class="more"><summary>What the answers depend on</summary><dl>{named}</dl></details>\n'


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
            text(cut(each.label, 60)),
            f"{each.answered:,}",
            f"{each.failed:,}",
            *(measured(each.metrics[name]) if name in each.metrics else "" for name in columns),
        ]
        for each in slices[:LONGEST_LIST]
    ]
    shown = table([kind, "answered", "failed", *map(text, columns)], rows)
    more = f'<p class="note">The {LONGEST_LIST} largest of {len(slices):,}.</p>\n' if len(slices) > LONGEST_LIST else ""
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
        [text(name.replace("_", " ")), amount(total), amount(total / count), f"{count:,}"]
        for name, (total, count) in summary.usage.items()
    ]
    return (
        f'<div class="charts">{figures}</div>\n'
        + table(["", *took], rows)
        + (table(["used", "in all", "an answer", "n"], used) if used else "")
    )


def _figure(title: str, chart: str) -> str:
    return f"<figure><figcaption>{text(title)}</figcaption>{chart}</figure>"
