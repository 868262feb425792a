"""Traces as text for a terminal. Pure; whatever is not ours is escaped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ui.render import counted, visible

if TYPE_CHECKING:
    from agent.trace_rollup import Spent
    from agent.tracing import SessionSummary, SpanRecord, TraceSummary

LINE = 160
_LONGEST_VALUE = 60
# Said by the name, the tokens or the status beside them already.
_SAID = (
    "gen_ai.usage.",
    "gen_ai.operation.",
    "gen_ai.response.",
    "llm.cost.",
    "openinference.",
    "hoplite.token_seconds",
)


def dollars(amount: float | None) -> str:
    """Return `$0.0012`, or `$ unknown` where a price is not known."""
    return "$ unknown" if amount is None else f"${amount:.4f}"


def spending(spent: Spent) -> str:
    """Return what model calls took, "" where there were none."""
    if not spent.calls:
        return ""
    cached = f" ({spent.cached_tokens:,} cached)" if spent.cached_tokens else ""
    tokens = f"{spent.input_tokens:,}{cached} tokens in, {spent.output_tokens:,} out"
    return f"{counted(spent.calls, 'call')}, {tokens}, {dollars(spent.dollars)}"


def trace_line(each: TraceSummary) -> str:
    """Return one trace of a list."""
    asked = visible(each.question or each.name)
    said = [asked if len(asked) <= 80 else asked[:79] + "…", spending(each.spent)]
    if each.error:
        said.append(f"error: {visible(each.error)}")
    elif not each.complete:
        said.append("not ended")
    elif each.stopped or each.abstained:
        said.append(f"stopped: {visible(each.stopped)}" if each.stopped else "no answer found")
    return f"{each.id[:12]}  {when(each.started)}  {each.seconds:7.1f} s  {each.spans:4} spans  {_joined(said)}"


def session_line(each: SessionSummary) -> str:
    """Return one conversation or evaluation of a list."""
    what = "evaluation" if each.evaluation else "conversation"
    failed = f"{each.failed:,} failed" if each.failed else ""
    said = [f"{what} of {counted(each.runs, 'run')}", failed, spending(each.spent)]
    return f"{visible(each.id)[:32]:<32}  {when(each.started)}  {each.seconds:7.1f} s  {_joined(said)}"


def tree(records: Sequence[SpanRecord]) -> str:
    """Lay out a trace, one line a span: start and length in seconds, the name, what its calls took, the error, the
    attributes."""
    if not records:
        return ""
    origin = min(record.span.start_ns for record in records)
    lines = ["   start   seconds  span"]
    for record in records:
        start = (record.span.start_ns - origin) / 1e9
        name = f"{'  ' * record.depth}{visible(record.span.name)}"
        line = f"{start:8.3f}  {record.seconds:8.3f}  {_joined([name, *_details(record)])}"
        lines.append(line if len(line) <= LINE else line[: LINE - 1] + "…")
    return "\n".join(lines)


def _details(record: SpanRecord) -> Iterator[str]:
    span = record.span
    yield spending(record.spent)
    if span.name.startswith("chat ") and record.spent.output_tokens:
        first, each = record.spent.first_token_seconds, span.attributes.get("hoplite.token_seconds")
        yield f"first after {first:.2f} s" + (f", {each:.3f} s a token" if isinstance(each, float) else "")
    if span.status == "ERROR":
        yield f"error: {visible(span.status_text or 'failed')[:_LONGEST_VALUE]}"
    for key, value in span.attributes.items():
        if not key.startswith(_SAID):
            text = visible(str(value)[: _LONGEST_VALUE + 1])
            yield f"{visible(key)}={text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + '…'}"


def _joined(parts: Sequence[str]) -> str:
    return "  ".join(part for part in parts if part)


def when(seconds: float) -> str:
    """Return local time as `2026-01-31 12:00:00`."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
