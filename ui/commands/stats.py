"""`hoplite stats`: how the runs of the last days went, together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.errors import UserError
from ui.commands.options import json_option, print_json, workspace_option
from ui.render import by_reason, counted, visible
from ui.traced import spending

if TYPE_CHECKING:
    from agent.trace_stats import Health
    from evals.drift import Difference, Drift

DAYS_SHOWN = 7


@click.command(short_help="Show how the last days' questions went.")
@click.option(
    "--days", type=click.FloatRange(0, min_open=True), default=30, show_default=True, metavar="N", help="How far back."
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="QUESTIONS",
    help="What drift is from: a JSON lines file, or a dataset. [default: the stored evaluations' questions]",
)
@json_option
@workspace_option
def stats(days: float, against: Path | None, as_json: bool, workspace: Path | None) -> None:
    """Show how the last days' questions went, from their traces: how many there were, how long each stage took, what
    failed, what they cost, and how they differ from the questions that Hoplite is measured with.

    Questions of evaluations are not counted.
    """
    from agent.trace_stats import health
    from retrieval.workspace import find

    file = find(Path.cwd(), workspace).traces
    found = health(file, days)
    drifted: Drift | str
    try:
        drifted = _drift(file, days, against)
    except UserError as why:
        if against is not None:
            raise
        drifted = str(why)
    if as_json:
        apart = {"drift": None, "no_drift": drifted} if isinstance(drifted, str) else {"drift": drifted.as_json()}
        print_json({**asdict(found), **apart})
        return
    for line in (*_lines(found), *_drift_lines(drifted)):
        click.echo(line)


def _drift(file: Path, days: float, against: Path | None) -> Drift:
    from agent.trace_stats import questions
    from evals.datasets import load_dataset, load_questions
    from evals.drift import drift
    from retrieval.embedders import embedder_named

    if against is None:
        known = questions(file, days, evaluated=True)
    else:
        asked = load_dataset(against).questions if against.is_dir() else load_questions(against)
        known = [question.question for question in asked]
    return drift(questions(file, days), known, embedder_named(None).embed)


def _lines(found: Health) -> Iterator[str]:
    yield _row("questions", f"{found.questions:,} in {found.days:g} days, {found.questions / found.days:.1f} a day")
    newest = list(found.per_day.items())[:DAYS_SHOWN]
    if newest:
        yield _row("", ", ".join(f"{day} {number:,}" for day, number in newest))
    yield _row("abstained", _share(found.abstained, found.questions))
    yield _row("failed", by_reason(found.failures) or "none")
    if found.failed_parts:
        yield _row("", f"inside runs: {by_reason(found.failed_parts)}")
    yield _row("stopped", by_reason(found.stopped) or "none")
    yield _row("reused", _share(found.reused, found.questions))
    wrong = f"{found.unverified:,} of {counted(found.citations, 'citation')} did not stand in the file"
    yield _row("citations", f"{wrong}, in {counted(found.miscited, 'answer')}")
    yield _row("feedback", f"{found.good:,} good, {found.bad:,} bad")
    yield _row("cost", spending(found.spent) or "no model call")
    if found.first_token is not None:
        each = "" if found.token is None else f", {found.token:.3f} s for each further one"
        yield _row("", f"{found.first_token:.2f} s to the first token{each}")
    if found.stages:
        yield f"{'seconds':<24}{'times':>9}{'median':>10}{'95 %':>10}{'99 %':>10}"
    for stage in found.stages:
        name = "run" if stage.stage == "invoke_agent" else visible(stage.stage)
        yield f"{name[:24]:<24}{stage.count:9,}{stage.median:10.3f}{stage.p95:10.3f}{stage.p99:10.3f}"


def _drift_lines(found: Drift | str) -> Iterator[str]:
    if isinstance(found, str):
        yield _row("drift", f"not measured: {visible(found)}")
        return
    yield _row("drift", f"{found.recent:,} recent questions beside {found.known:,} known ones")
    yield _row("", f"words {found.words.recent:.1f}, known {found.words.known:.1f}; {_chance(found.words)}")
    names = f"{100 * found.names.recent:.0f} % have names, known {100 * found.names.known:.0f} %"
    yield _row("", f"{names}; {_chance(found.names)}")
    apart = f"topics {100 * found.topics.recent:.0f} % apart, by chance {100 * found.topics.known:.0f} %"
    yield _row("", f"{apart}; {_chance(found.topics)}")
    if found.topics.drifted:
        for cluster in found.clusters[:2]:
            share = f"{100 * cluster.recent:.0f} % of them, known {100 * cluster.known:.0f} %"
            yield _row("", f"more of ({share}): {visible('; '.join(cluster.examples))}")
        yield _row("", f"least like any known: {visible('; '.join(found.unlike))}")


def _chance(found: Difference) -> str:
    return "drifted" if found.drifted else f"no more than chance ({found.chance:.2f})"


def _share(part: int, whole: int) -> str:
    return f"{part:,}" + (f" ({100 * part / whole:.0f} %)" if whole else "")


def _row(name: str, value: str) -> str:
    return f"{name:<11}{value}"
