"""Traces on the page: a list, and one trace's spans as a waterfall, as HTML. Pure; whatever is not ours is escaped.

A bar's place and length are classes, a hundredth of the trace's time each, because the page's sanitizer lets no style
through; `rules` has what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from agent.scores import Score
from agent.tracing import SpanRecord, TraceSummary
from ui import markup
from ui.render import visible
from ui.traced import spending, when

LONGEST_VALUE = 2_000
"""Characters of an attribute's value."""

_MODEL = "chat "
_KINDS = {"LLM": "model", "TOOL": "tool", "RETRIEVER": "search", "RERANKER": "search", "EVALUATOR": "check"}


def rules() -> str:
    """Return the style rules of the bars' classes."""
    places = (f".from-{n} {{ margin-left: {n}%; }} .for-{n} {{ width: {max(n, 0.6)}%; }}" for n in range(101))
    return "\n".join(places)


def listed(found: Sequence[TraceSummary], opened: str = "") -> str:
    """Return the list of traces by day, each a link that opens it; beside one that is `opened`, links that compare."""
    if not found:
        return (
            '<p class="empty">No trace fits. Every question, index run and evaluation leaves one here; '
            "ask something in Chat, or take the filter away.</p>"
        )
    days = groupby(found, lambda each: when(each.started).partition(" ")[0])
    return "".join(
        f"<h3>{day}</h3><ul class=traces>{''.join(_line(each, opened) for each in of)}</ul>" for day, of in days
    )


def _line(each: TraceSummary, opened: str) -> str:
    asked = _short(each.question or each.name, 110)
    about = [when(each.started).partition(" ")[2], f"{each.seconds:.1f} s", spending(each.spent)]
    state = ""
    if each.error:
        state = f"<span class=bad>failed: {markup.escaped(_short(each.error, 80))}</span>"
    elif not each.complete:
        state = "<span class=bad>not ended</span>"
    elif each.stopped:
        state = f"<span class=note>stopped: {markup.escaped(each.stopped)}</span>"
    elif each.abstained:
        state = "<span class=note>no answer found</span>"
    beside = markup.opens("traces", f"{opened} {each.id}", "compare") if opened not in ("", each.id) else ""
    current = " class=current" if each.id == opened else ""
    said = markup.escaped(" · ".join(filter(None, about)))
    return f"<li{current}>{markup.opens('traces', each.id, asked)} <i>{said}</i> {state} {beside}</li>"


def waterfall(records: Sequence[SpanRecord], given: Sequence[Score] = ()) -> str:
    """Return one trace: what it took as a whole, its scores, and each span with its bar, folded over what it holds."""
    begin = min(record.span.start_ns for record in records)
    end = max(record.span.end_ns for record in records)
    whole = max(end - begin, 1)
    rows = "".join(_row(record, begin, whole) for record in records)
    return f'{head(records, given)}<div class="waterfall">{rows}</div>'


def head(records: Sequence[SpanRecord], given: Sequence[Score] = ()) -> str:
    """Return what a trace says of the whole: the question, when, seconds, spans, tokens, dollars and scores."""
    root = records[0]
    took = (max(r.span.end_ns for r in records) - min(r.span.start_ns for r in records)) / 1e9
    roots = [record for record in records if record.depth == 0]
    spent = sum((record.spent for record in roots[1:]), roots[0].spent)
    facts = [when(root.span.start_ns / 1e9), f"{took:.2f} s", f"{len(records)} spans"]
    facts += filter(None, [spending(spent)])
    scored = "".join(
        f"<li>{markup.escaped(each.name)} <b>{each.value:g}</b> {markup.escaped(_short(each.comment, 200))}</li>"
        for each in given
    )
    asked = root.span.attributes.get("input.value", root.span.name)
    return (
        f"<h3>{markup.escaped(_short(str(asked), 300))}</h3><p class=note>{markup.escaped(' · '.join(facts))}</p>"
        f"<p class=note><code>{markup.escaped(root.span.trace_id)}</code></p>"
        + (f"<ul class=scores>{scored}</ul>" if scored else "")
    )


def beside(first: Sequence[SpanRecord], second: Sequence[SpanRecord]) -> str:
    """Return two traces' stages in one table: how often, how long and at what cost each was in both."""
    sides = [_stages(first), _stages(second)]
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    rows = "".join(
        f"<tr><td>{markup.escaped(name)}</td>{''.join(_cells(side.get(name)) for side in sides)}</tr>" for name in names
    )
    heads = "".join(f"<td>{side}: times</td><td>seconds</td><td>tokens in, out</td>" for side in ("first", "second"))
    table = f"<table class=cells><tbody><tr><td>stage</td>{heads}</tr>{rows}</tbody></table>"
    return f'<div class="beside"><div>{waterfall(first)}</div><div>{waterfall(second)}</div></div>{table}'


def _stages(records: Sequence[SpanRecord]) -> dict[str, list[SpanRecord]]:
    found: dict[str, list[SpanRecord]] = {}
    for record in records:
        found.setdefault(visible(record.span.name), []).append(record)
    return found


def _cells(records: Sequence[SpanRecord] | None) -> str:
    if not records:
        return "<td>–</td><td>–</td><td>–</td>"
    tokens = (sum(r.spent.input_tokens for r in records), sum(r.spent.output_tokens for r in records))
    written = f"{tokens[0]:,}, {tokens[1]:,}" if any(tokens) else "–"
    return f"<td>{len(records)}</td><td>{sum(r.seconds for r in records):.2f}</td><td>{written}</td>"


def _row(record: SpanRecord, begin: int, whole: int) -> str:
    span = record.span
    start = min(round(100 * (span.start_ns - begin) / whole), 99)  # what is over at once can be seen, too
    length = min(round(100 * (span.end_ns - span.start_ns) / whole), 100 - start)
    kind = _KINDS.get(str(span.attributes.get("openinference.span.kind", "")), "other")
    failed = " failed" if span.status == "ERROR" else ""
    bar = f'<span class="bar"><span class="{kind}{failed} from-{start} for-{length}">&nbsp;</span></span>'
    took = f"{record.seconds:.3f} s" if record.seconds < 10 else f"{record.seconds:.1f} s"
    cost = spending(record.spent) if span.name.startswith(_MODEL) or record.depth == 0 else ""
    name = f'<span class="name depth-{min(record.depth, 9)}">{markup.escaped(_short(span.name, 60))}</span>'
    title = f"{name}<span class=took>{took}</span>{bar}<span class=note>{markup.escaped(cost)}</span>"
    return markup.folded(title, _inside(record), name=f"span{failed}")


def _inside(record: SpanRecord) -> str:
    span = record.span
    told: Iterable[tuple[str, str]] = _values(record)
    rows = "".join(f"<tr><td>{markup.escaped(key)}</td><td>{markup.escaped(value)}</td></tr>" for key, value in told)
    error = (
        f"<p class=bad>{markup.escaped(_short(span.status_text or 'failed', 400))}</p>"
        if span.status == "ERROR"
        else ""
    )
    return f"{error}<table class=cells><tbody>{rows}</tbody></table>"


def _values(record: SpanRecord) -> Iterator[tuple[str, str]]:
    if record.spent.calls and not record.span.name.startswith(_MODEL):
        yield "its model calls", spending(record.spent)
    for key, value in record.span.attributes.items():
        yield key, _short(str(value), LONGEST_VALUE)
    for event in record.span.events:
        yield f"event {event.get('name', '')}", _short(str(event.get("attributes", "")), LONGEST_VALUE)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
