"""Health: what the stored runs say together, over some days."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.scores import FEEDBACK
from agent.trace_rollup import Spent
from agent.tracing import SPENT_SUMS, reading, spent_of

_DAY_NS = 86_400 * 10**9
_NUMBERED = re.compile(r" \d+$")
_ASKED = "runs > 0 AND evaluation IS NULL AND started_ns >= :since"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one stage took, in seconds: of `count` times half at most `median`, and 95 and 99 of a hundred."""

    stage: str
    count: int
    median: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Health:
    """The questions that people asked in the last `days`, those of evaluations aside.

    `per_day` counts them by date of this machine's clock. `failures` counts runs without an answer by the kind of
    error, `failed_parts` spans that failed inside runs by stage. `abstained` runs said that the sources do not say,
    `stopped` ones ended early, by what ended them; `reused` were answered from the cache. Of `citations` in answers
    `unverified` did not stand in their file; they are in `miscited` answers. `stages` are the run's first, then by
    their time in all. `first_token` and `token` are mean seconds of model calls, None where there were none.
    """

    days: float
    questions: int
    per_day: Mapping[str, int]
    failures: Mapping[str, int]
    failed_parts: Mapping[str, int]
    abstained: int
    stopped: Mapping[str, int]
    reused: int
    citations: int
    unverified: int
    miscited: int
    good: int
    bad: int
    spent: Spent
    dollars: float | None
    first_token: float | None
    token: float | None
    stages: tuple[Latency, ...]


def health(path: Path, days: float, *, now_ns: int | None = None) -> Health:
    """Return what the last days' runs say. Raises UserError where the traces cannot be read."""
    since = (time.time_ns() if now_ns is None else now_ns) - int(days * _DAY_NS)
    chosen = {"since": since}
    with reading(path) as connection:

        def counted(what: str, where: str = "") -> dict[str, int]:
            sql = (
                f"SELECT {what} AS it, count(*) AS n FROM traces WHERE {_ASKED}{where} GROUP BY it ORDER BY n DESC, it"  # noqa: S608
            )
            return {str(row["it"]): row["n"] for row in connection.execute(sql, chosen)}

        sums = connection.execute(
            "SELECT count(*) AS questions, coalesce(sum(abstained), 0) AS abstained,"  # noqa: S608
            " sum(reused) AS reused, coalesce(sum(citations), 0) AS citations, coalesce(sum(unverified), 0)"
            " AS unverified, coalesce(sum(unverified > 0), 0) AS miscited,"
            f" {SPENT_SUMS} FROM traces WHERE {_ASKED}",
            chosen,
        ).fetchone()
        rated = connection.execute(
            "SELECT coalesce(sum(value > 0.5), 0) AS good, count(*) AS n FROM scores"  # noqa: S608
            f" WHERE name = :feedback AND trace_id IN (SELECT trace_id FROM traces WHERE {_ASKED})",
            {**chosen, "feedback": FEEDBACK},
        ).fetchone()
        stages, failed = _stages(connection, chosen)
        spent = spent_of(sums)
        later = spent.output_tokens - spent.calls
        return Health(
            days=days,
            questions=sums["questions"],
            per_day=dict(
                sorted(counted("date(started_ns / 1000000000, 'unixepoch', 'localtime')").items(), reverse=True)
            ),
            failures=counted("error_type", " AND error IS NOT NULL"),
            failed_parts=failed,
            abstained=sums["abstained"],
            stopped=counted("stopped", " AND stopped IS NOT NULL"),
            reused=sums["reused"] or 0,
            citations=sums["citations"],
            unverified=sums["unverified"],
            miscited=sums["miscited"],
            good=rated["good"],
            bad=rated["n"] - rated["good"],
            spent=spent,
            dollars=spent.dollars,
            first_token=spent.first_token_seconds / spent.calls if spent.calls else None,
            token=(spent.seconds - spent.first_token_seconds) / later if later > 0 else None,
            stages=stages,
        )


def questions(path: Path, days: float, *, evaluated: bool = False) -> list[str]:
    """Return the questions that people asked in the last days, each once, newest first; or those of all evaluations
    that are stored. Raises UserError where the traces cannot be read."""
    whose = "runs > 0 AND evaluation IS NOT NULL" if evaluated else _ASKED
    sql = f"SELECT question FROM traces WHERE {whose} AND question IS NOT NULL ORDER BY started_ns DESC"  # noqa: S608
    with reading(path) as connection:
        rows = connection.execute(sql, {"since": time.time_ns() - int(days * _DAY_NS)})
        return list(dict.fromkeys(str(row["question"]) for row in rows))


def stage_of(name: str) -> str:
    """Return the stage that a span is one of: `hop 2` is a hop, `chat local` a chat, whichever model."""
    plain = _NUMBERED.sub("", name)
    return plain.partition(" ")[0] if plain.startswith(("chat ", "embeddings ", "invoke_agent ")) else plain


def _stages(connection: sqlite3.Connection, chosen: Mapping[str, int]) -> tuple[tuple[Latency, ...], Mapping[str, int]]:
    import numpy as np

    took: dict[str, list[float]] = {}
    failed: Counter[str] = Counter()
    sql = (
        "SELECT name, end_ns - start_ns AS took, status = 'ERROR' AS failed FROM spans"  # noqa: S608
        f" WHERE trace_id IN (SELECT trace_id FROM traces WHERE {_ASKED})"
    )
    for name, nanoseconds, bad in connection.execute(sql, chosen):
        stage = stage_of(name)
        took.setdefault(stage, []).append(nanoseconds / 1e9)
        failed[stage] += bad
    ordered: Iterable[str] = sorted(took, key=lambda stage: (stage != "invoke_agent", -sum(took[stage]), stage))
    rows = ((stage, took[stage], np.percentile(took[stage], [50, 95, 99]).tolist()) for stage in ordered)
    parts = {stage: n for stage, n in failed.most_common() if n and stage != "invoke_agent"}
    return tuple(Latency(stage, len(all_), *points) for stage, all_, points in rows), parts
