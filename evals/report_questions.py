"""The questions of a report: the worst shown whole, each folded, and all of them as lines of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from evals.report_html import LONGEST_LIST, again, amount, cut, text
from evals.run_summary import COLUMNS, Summary, ordering
from evals.tables import percent
from evals.types import Finished

TreeOf = Callable[[str], str | None]
"""Gives a trace as lines of text by its id, None where it is not there any more."""

ROWS_CLOSING = "</table></div></details>\n"

_LONGEST_TEXT = 4_000
_LONGEST_HEAD = 240
_LONGEST_ROW = 160


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
        yield question(line, trace(line, tree_of))


def rows_opening(summary: Summary) -> str:
    """Return what stands above the lines of all answers."""
    columns = "".join(f"<th>{text(name)}</th>" for name in COLUMNS)
    return (
        f'<details class="more"><summary>All {summary.answered:,} answers, a line each</summary>\n'
        '<div class="wide" tabindex="0">'
        f'<table class="rows"><tr><th>id</th><th>question</th><th>answer</th>{columns}<th>seconds</th></tr>\n'
    )


def row(line: Finished) -> str:
    """Return one answered question as a line of the table. Metrics that slices are shown with stand in it, "" where the
    question has none, all of them: which ones the run has is not known yet when this is written."""
    scores = "".join(f"<td>{percent(line.scores[name]) if name in line.scores else ''}</td>" for name in COLUMNS)
    return (
        f"<tr><td>{text(cut(line.id, 60))}{again(line)}</td><td>{text(cut(line.question, _LONGEST_ROW))}</td>"
        f"<td>{text(cut(_said(line), _LONGEST_ROW))}</td>{scores}<td>{line.seconds:.2f}</td></tr>\n"
    )


def question(line: Finished, traced: str, *, opened: bool = False) -> str:
    """Return one question with all that the run has of it, folded unless it is `opened`; `traced` is its trace, or a
    link to it, as HTML."""
    value = ordering(line)
    tone = "good" if value >= 1 else "bad" if value <= 0 else ""
    gold = " · ".join(line.answers) if line.answers else "(that the sources do not say)" if line.unanswerable else ""
    facts = [
        ("question", text(cut(line.question, _LONGEST_TEXT)) if len(line.question) > _LONGEST_HEAD else ""),
        ("gold", text(cut(gold, _LONGEST_TEXT))),
        ("answer", text(cut(_said(line), _LONGEST_TEXT))),
        ("note", text(cut(line.note, _LONGEST_TEXT))),
        ("type, tags", text(", ".join([each for each in (line.type, *line.tags) if each]))),
        ("gold sources", text("\n".join(line.supporting[:LONGEST_LIST]))),
        ("took", text(_took(line))),
    ]
    parts = [
        f'<details class="question"{" open" if opened else ""}><summary><span class="score {tone}">'
        f"{percent(value) if line.scores else '–'}</span> {text(cut(line.question, _LONGEST_HEAD))}"
        f'<span class="id">{text(line.id)}{again(line)}</span></summary><div>\n<dl>',
        *(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value),
        "</dl>\n",
        _chips(line.scores),
        *_citations(line),
        *_passages(line),
        traced,
        "</div></details>\n",
    ]
    return "".join(parts)


def _chips(scores: Mapping[str, float]) -> str:
    chips = "".join(f"<span>{text(name)} {percent(value)}</span>" for name, value in scores.items())
    return f'<p class="chips">{chips}</p>\n' if chips else ""


def _citations(line: Finished) -> Iterator[str]:
    if not line.citations:
        return
    yield '<h3>Citations</h3><ul class="plain">'
    for each in line.citations[:LONGEST_LIST]:
        mark = '<span class="good">✓ verified</span>' if each.verified else '<span class="bad">✗ not verified</span>'
        yield f"<li>{mark} {text(_place(each.label, each.path, each.start_line, each.end_line))}"
        yield f"<blockquote>{text(cut(each.quote, _LONGEST_TEXT))}</blockquote></li>"
    yield "</ul>\n"


def _passages(line: Finished) -> Iterator[str]:
    if not line.passages:
        return
    yield f"<h3>Passages shown to the model: {len(line.passages)}</h3>"
    for each in line.passages[:LONGEST_LIST]:
        gold = " · gold" if each.path in line.supporting else ""
        place = text(_place(each.label, each.path, each.start_line, each.end_line))
        yield f'<details class="more"><summary>{place}{gold}</summary><pre class="text">'
        yield f"{text(cut(each.text, _LONGEST_TEXT))}</pre></details>\n"


def trace(line: Finished, tree_of: TreeOf) -> str:
    """Return a question's trace, folded; "" where none was written."""
    if line.trace_id is None:
        return ""
    shown = tree_of(line.trace_id)
    if shown is None:
        return f'<p class="note">Trace {text(cut(line.trace_id, 40))}: not in the workspace any more.</p>\n'
    head = f"Trace {text(line.trace_id[:12])}"
    return f'<details class="more"><summary>{head}</summary><pre>{text(shown)}</pre></details>\n'


def _place(label: str, path: str, start: int, end: int) -> str:
    lines = f":{start}" if start == end else f":{start}-{end}"
    return f"[{cut(label, 12)}] {cut(path, 300)}{lines}"


def _took(line: Finished) -> str:
    used = ", ".join(f"{amount(value)} {name.replace('_', ' ')}" for name, value in line.usage.items())
    return f"{line.seconds:.2f} s" + (f"; {used}" if used else "")


def _said(line: Finished) -> str:
    return f"(declined) {line.answer}".rstrip() if line.abstained else line.answer


def _named(main: str | None) -> str:
    return text(main) if main else "score"
