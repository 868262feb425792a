"""A run's numbers as Markdown, short enough for a pull request. Pure; names from outside stand as code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.guard import visible
from evals.agreement import Judged
from evals.compare import Comparison
from evals.estimates import Estimate
from evals.report_html import signed
from evals.report_page import Heading
from evals.run_summary import Slice, Summary, percentiles
from evals.tables import percent

_SLICES = 12


def markdown(heading: Heading, summary: Summary, judged: Sequence[Judged], compared: Comparison | None) -> str:
    """Return a table of the metrics, with the differences from another run where there is one, what a model judged, and
    a table of the types."""
    return "\n".join(_lines(heading, summary, judged, compared)) + "\n"


def _lines(heading: Heading, summary: Summary, judged: Sequence[Judged], compared: Comparison | None) -> Iterator[str]:
    failed = f"{summary.failed:,} of {summary.lines:,} failed and are in no mean" if summary.failed else "none failed"
    again = f" ({summary.lines:,} answers with repeats)" if summary.lines > summary.questions else ""
    yield f"### Evaluation: {code(heading.name)}"
    yield ""
    yield f"{summary.questions:,} questions{again}, {failed} · {heading.ended} · fingerprint `{heading.short}`"
    yield ""
    if summary.metrics:
        beside = f" less {code(compared.runs[0])}, 95 % | |" if compared else ""
        yield f"| metric | mean, % [95 %] | n |{beside}"
        yield f"|---|---|---|{'---|---|' if compared else ''}"
        for name, found in summary.metrics.items():
            yield f"| {code(name)} | {_measured(found)} | {found.count:,} |{_difference(compared, name)}"
        yield ""
    if judged:
        yield "| judged by a model | passed, % [95 %] | n | agreement with people |"
        yield "|---|---|---|---|"
        for row in judged:
            low, high = row.interval
            share = f"{percent(row.share)} [{percent(low)}, {percent(high)}]"
            yield f"| {code(row.rubric)} | {share} | {row.count:,} | {code(row.beside)} |"
        yield ""
    if took := percentiles(summary.seconds):
        yield "Seconds an answer: " + ", ".join(f"{name} {value:.2f}" for name, value in took.items()) + "."
        yield ""
    if compared:
        fixed, broken = len(compared.fixed), len(compared.broken)
        yield (
            f"Compared over the {compared.questions:,} questions that both runs answered: by "
            f"{code(compared.right_by)}, {fixed:,} fixed and {broken:,} broken."
        )
        yield ""
        if compared.other:
            yield f"The runs were not made alike: {', '.join(map(code, compared.other))}."
            yield ""
    if summary.main and len(summary.types) > 1:
        yield f"| type | answered | failed | {code(summary.main)}, % [95 %] |"
        yield "|---|---|---|---|"
        yield from (_slice(each, summary.main) for each in summary.types[:_SLICES])
        yield ""
        if len(summary.types) > _SLICES:
            yield f"The {_SLICES} largest of {len(summary.types):,} types."
            yield ""


def code(name: str, longest: int = 80) -> str:
    """Return a name, cut to so many characters, as code: no Markdown, HTML, mention or table cell begins in it."""
    shown = " ".join(visible(name).split()).replace("`", "'").replace("|", "¦")
    return f"`{shown[:longest]}`"


def _measured(found: Estimate) -> str:
    return f"{percent(found.mean)} [{percent(found.low)}, {percent(found.high)}]"


def _difference(compared: Comparison | None, name: str) -> str:
    if compared is None:
        return ""
    if name not in compared.metrics:
        return " – | |"
    found = compared.metrics[name]
    apart = found.difference
    return f" {signed(apart.mean)} [{signed(apart.low)}, {signed(apart.high)}] | {found.verdict} |"


def _slice(each: Slice, main: str) -> str:
    found = each.metrics.get(main)
    return f"| {code(each.label)} | {each.answered:,} | {each.failed:,} | {_measured(found) if found else '–'} |"
