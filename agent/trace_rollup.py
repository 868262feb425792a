"""What spans add up to: the calls, tokens, dollars and times of a trace, and what came of its run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from ingest.spans import ERROR, INPUT, OPERATION, QUERY

MODEL = "gen_ai.request.model"
TOKENS_IN = "gen_ai.usage.input_tokens"
TOKENS_CACHED = "gen_ai.usage.cache_read.input_tokens"
TOKENS_OUT = "gen_ai.usage.output_tokens"
FIRST_TOKEN = "gen_ai.response.time_to_first_chunk"  # noqa: S105  # seconds, no secret
DOLLARS = "llm.cost.total"

# What the first version of the file called them.
_ONCE = {DOLLARS: "hoplite.dollars", FIRST_TOKEN: "hoplite.first_token_seconds", INPUT: "hoplite.question"}

Attributes = Mapping[str, object]


class SpanRow(NamedTuple):
    """A span as it is written. `parent_id` is None for a root, times are nanoseconds since 1970, `kind` and `status`
    are OpenTelemetry's names, `scope` is the tracer's."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    scope: str
    start_ns: int
    end_ns: int
    status: str
    status_text: str
    attributes: Attributes
    events: list[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Spent:
    """What model calls took: how many they were, their tokens, US dollars, and seconds.

    `cached_tokens` are some of the `input_tokens`. `unpriced` calls ended with no known price, and are not in `priced`.
    `first_token_seconds` is the part of `seconds` before the first piece of text. A call that failed has no tokens.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    priced: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0
    first_token_seconds: float = 0.0

    @property
    def dollars(self) -> float | None:
        """The dollars of all calls, None where that of one is not known."""
        return None if self.unpriced else self.priced

    def __add__(self, other: Spent) -> Spent:
        """Return what both took."""
        return Spent(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


NOTHING = Spent()


def spent(attributes: Attributes, seconds: float) -> Spent:
    """Return what a span took by itself: nothing unless it is a model call."""
    if attributes.get(OPERATION) != "chat":
        return NOTHING
    written = TOKENS_OUT in attributes
    dollars = _noted(attributes, DOLLARS)
    return Spent(
        calls=1,
        input_tokens=int(number(attributes.get(TOKENS_IN))),
        cached_tokens=int(number(attributes.get(TOKENS_CACHED))),
        output_tokens=int(number(attributes.get(TOKENS_OUT))),
        priced=number(dollars),
        unpriced=int(written and dollars is None),
        seconds=seconds,
        first_token_seconds=number(_noted(attributes, FIRST_TOKEN)),
    )


def number(value: object) -> float:
    """Return a number as it is, and 0 for what is none: a file may be damaged."""
    return value if isinstance(value, int | float) else 0.0


def _noted(attributes: Attributes, name: str) -> object:
    found = attributes.get(name)
    return attributes.get(_ONCE[name]) if found is None else found


@dataclass(frozen=True, slots=True)
class RollUp:
    """One trace, or the part of it that some spans are. What no span has told yet is None.

    `name` is the root's, before that has ended the first span's; `rooted` tells which. `runs` counts questions asked
    of the agent, of which `abstained`, `citations`, `unverified` (of those), `stopped` and `reused` (from the cache)
    tell. `error` is the root's or the run's, and `error_type` its kind.
    """

    trace_id: str
    name: str
    rooted: int
    question: str | None
    session: str | None
    evaluation: str | None
    started_ns: int
    ended_ns: int
    spans: int
    bytes: int
    runs: int
    abstained: int | None
    citations: int | None
    unverified: int | None
    stopped: str | None
    reused: int
    error: str | None
    error_type: str | None
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    priced: float
    unpriced: int
    model_seconds: float
    first_token_seconds: float


def rolled_up(rows: Iterable[SpanRow], size: Mapping[str, int]) -> list[RollUp]:
    """Return what spans add to each of their traces; `size` is what each span takes on disk, by its id."""
    traces: dict[str, list[SpanRow]] = {}
    for row in rows:
        traces.setdefault(row.trace_id, []).append(row)
    return [_rolled_up(trace_id, spans, size) for trace_id, spans in traces.items()]


def _rolled_up(trace_id: str, spans: list[SpanRow], size: Mapping[str, int]) -> RollUp:
    root = next((span for span in spans if span.parent_id is None), None)
    runs = [span for span in spans if _is_run(span)]
    # What a person asked: of a follow-up the root has it, of a run in another program's trace the run.
    named = root or min(spans, key=lambda span: (span.start_ns, span.span_id))
    asking = [span for span in (root, *runs) if span is not None]
    of_run: Attributes = runs[-1].attributes if runs else {}
    failed = next((span for span in (*runs, root) if span is not None and span.status == "ERROR"), None)
    took = sum((spent(s.attributes, (s.end_ns - s.start_ns) / 1e9) for s in spans), NOTHING)
    return RollUp(
        trace_id=trace_id,
        name=named.name,
        rooted=int(root is not None),
        question=_first(asking, INPUT) or _first(asking, QUERY),
        session=_first(asking, "session.id"),
        evaluation=_first(asking, "hoplite.evaluation"),
        started_ns=min(span.start_ns for span in spans),
        ended_ns=max(span.end_ns for span in spans),
        spans=len(spans),
        bytes=sum(size[span.span_id] for span in spans),
        runs=len(runs),
        abstained=_flag(of_run.get("hoplite.abstained")),
        citations=_flag(of_run.get("hoplite.citations")),
        unverified=_flag(of_run.get("hoplite.citations.unverified")),
        stopped=_text(of_run.get("hoplite.stopped")),
        reused=int("hoplite.cached" in of_run),
        error=(failed.status_text or "failed") if failed else None,
        error_type=_kind_of(failed) if failed else None,
        calls=took.calls,
        input_tokens=took.input_tokens,
        cached_tokens=took.cached_tokens,
        output_tokens=took.output_tokens,
        priced=took.priced,
        unpriced=took.unpriced,
        model_seconds=took.seconds,
        first_token_seconds=took.first_token_seconds,
    )


def _is_run(span: SpanRow) -> bool:
    return span.attributes.get(OPERATION) == "invoke_agent" or (span.name == "ask" and _ONCE[INPUT] in span.attributes)


def _first(spans: Iterable[SpanRow], name: str) -> str | None:
    for span in spans:
        found = span.attributes.get(name) or span.attributes.get(_ONCE.get(name, name))
        if found:
            return str(found)
    return None


def _flag(value: object) -> int | None:
    return int(value) if isinstance(value, bool | int | float) else None


def _text(value: object) -> str | None:
    return str(value) if value else None


def _kind_of(span: SpanRow) -> str:
    """The kind of a failure: as the span says, else the exception that OpenTelemetry puts before its message."""
    named = span.attributes.get(ERROR) or span.status_text.partition(":")[0]
    return str(named) if str(named).isidentifier() else "error"
