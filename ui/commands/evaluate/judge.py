"""`hoplite eval judge`: a model grades answers, and is graded itself by what people say of the same answers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from ingest.errors import UserError, WorkspaceMissing
from ui.commands.evaluate.shown import shown, told
from ui.commands.options import json_option, workspace_option
from ui.progress import Meter
from ui.render import block, visible

if TYPE_CHECKING:
    from agent.budget import Budget, MeteredChat
    from retrieval.workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")
PARTLY = 4
SEEN = ("questions and their gold answers", "the answers that were given", "the passages they were written from")


@click.group()
def judge() -> None:
    """Let a model grade answers, and measure how far it agrees with people."""


def judge_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what both ways of judging take."""
    options = (
        click.option("--model", metavar="M", help="Who judges, as `ask --model` names it. [default: judge_model]"),
        click.option("--same-model", is_flag=True, help="Let the model that answered judge its own answers."),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N questions."),
        click.option("--resume", is_flag=True, help="Go on: judge what is missing and what was left unjudged."),
        click.option(
            "--max-cost", type=click.FloatRange(0, min_open=True), metavar="USD", help="US dollars for all at most."
        ),
        click.option(
            "--mask",
            type=click.Choice(["secrets", "all", "off"]),
            help="What a judge elsewhere is not shown: secrets (keys, passwords), the default; all, personal data too.",
        ),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)


@judge.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--rubric",
    "rubrics",
    multiple=True,
    type=click.Choice(["correct", "grounded", "relevant"]),
    help="Only this one; may be said several times. [default: all three]",
)
@judge_options
@json_option
@workspace_option
def grade(
    run: Path,
    rubrics: tuple[str, ...],
    limit: int | None,
    resume: bool,
    as_json: bool,
    workspace: Path | None,
    **chosen: Any,
) -> int:
    """Grade the answers of RUN, a folder of `eval run --out`: pass or fail by each rubric, with a reason.

    correct: agrees with a gold answer. grounded: every claim is in the passages that were shown. relevant:
    answers what was asked. Verdicts are kept in RUN/judged.jsonl. A verdict that is none is asked for once more, and
    then left out and counted.
    """
    from evals.agreement import judged_with_agreement, unfit_counts
    from evals.judge import RUBRICS
    from evals.judge import grade as graded
    from evals.judge_tables import judged_table

    wanted = [rubric for rubric in RUBRICS if not rubrics or rubric in rubrics]
    with (
        judging((run,), workspace, **chosen) as (chat, budget),
        Meter(unit="verdicts", quiet=as_json) as meter,
    ):
        done = graded(run, chat, wanted, limit=limit, resume=resume, on_progress=shown(meter, "judging"))
    rows = judged_with_agreement(run)
    data = {
        "run": run.resolve().name,
        "asked": done.asked,
        "kept": done.kept,
        "stopped": done.stopped,
        "dollars": budget.usage.dollars,
        "rubrics": [row.as_json() for row in rows],
    }
    told(data, block(judged_table(run.resolve().name, rows, unfit_counts(run))), as_json=as_json)
    _spent(budget, done.stopped)
    return PARTLY if done.stopped or any(row.unjudged for row in rows if row.rubric in wanted) else 0


@judge.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to keep the preferences. [default: preferences.jsonl beside the first RUN]",
)
@judge_options
@json_option
@workspace_option
def prefer(
    runs: tuple[Path, ...],
    out: Path | None,
    limit: int | None,
    resume: bool,
    as_json: bool,
    workspace: Path | None,
    **chosen: Any,
) -> int:
    """Ask which of two RUNs' answers to a question is better, for every two of them.

    Both are shown in both orders; only where both orders agree it is a preference, else a tie. `eval prefer` makes
    a ranking of the file.
    """
    from evals.judge_pairs import prefer as preferred
    from evals.judge_tables import pairs_line
    from evals.preferences import FILE

    target = out or runs[0].resolve().parent / FILE
    with judging(runs, workspace, **chosen) as (chat, budget), Meter(unit="pairs", quiet=as_json) as meter:
        done = preferred(runs, chat, target, limit=limit, resume=resume, on_progress=shown(meter, "comparing"))
    told({"out": str(target), **done.as_json()}, f"{pairs_line(done)}\n{visible(str(target))}", as_json=as_json)
    _spent(budget, done.stopped)
    return PARTLY if done.stopped or done.unjudged else 0


@judge.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--labels",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What a person said, in the form of the desk's labels.jsonl. [default: that of RUN]",
)
@json_option
def calibrate(run: Path, labels: Path | None, as_json: bool) -> int:
    """Compare the verdicts in RUN with a person's labels of the same answers, made with `eval desk`.

    Shown are Cohen's kappa and how often the judge passes what the person fails, and the other way round, with 95 %
    intervals. They are kept in RUN, and stand beside every number of this judge from then on.
    """
    from evals.agreement import Agreement
    from evals.agreement import calibrate as measured
    from evals.judge_tables import agreement_table

    found = measured(run, labels)
    enough = [each for each in found if isinstance(each, Agreement)]
    lacking = [each for each in found if not isinstance(each, Agreement)]
    data: dict[str, object] = {
        "run": run.resolve().name,
        "rubrics": [each.model_dump() for each in enough],
        "lacking": {each.rubric: {"labels": each.labels, "needed": each.needed} for each in lacking},
    }
    told(data, block(agreement_table(run.resolve().name, found)), as_json=as_json)
    return 0 if enough else PARTLY


@contextmanager
def judging(
    runs: Sequence[Path],
    workspace: Path | None,
    *,
    model: str | None,
    same_model: bool,
    mask: str | None,
    max_cost: float | None,
) -> Iterator[tuple[MeteredChat, Budget]]:
    """Give the judge within its budget, traced where there is a workspace; says first what will leave this machine.

    Raises UserError where no model, or none that may judge these runs, is named.
    """
    from agent import destinations
    from agent.budget import Budget, MeteredChat
    from agent.build import send_traces, start_tracing, way_out
    from agent.models import make_chat, members
    from agent.outgoing import leaves_the_machine
    from agent.settings import load_settings
    from agent.trace_session import session
    from evals.asked import refuse_own

    place = _workspace(workspace)
    overrides = {"judge_model": model, "mask": mask}
    settings = load_settings(place.folder if place else None, overrides).settings
    name = settings.judge_model
    if name is None:
        raise UserError("No model judges: name one with --model, or as judge_model in the settings.")
    if members(name) != (name.strip(),) or name.strip() == "none":
        raise UserError(f"{name!r} is not one model. A judge is one, so that its verdicts are comparable: name it.")
    if not same_model:
        for run in runs:
            refuse_own(run, name)
    traces = destinations.told(destinations.destinations(settings), settings) if place else ""
    if line := leaves_the_machine([name], mask=settings.mask, what=SEEN, traces=traces):
        click.echo(line, err=True)
    with ExitStack() as closing:
        if place:
            closing.callback(start_tracing(place).close)
            send_traces(settings)
        chat = make_chat(
            name,
            say=lambda line: click.echo(line, err=True),
            idle_seconds=60 * settings.idle_minutes,
            outgoing=way_out(settings),
        )
        closing.enter_context(session(f"judge {runs[0].resolve().name}", evaluation=True))
        budget = Budget(math.inf, max_cost=max_cost)
        yield MeteredChat(chat, budget), budget


def _workspace(chosen: Path | None) -> Workspace | None:
    """The workspace that is named or found from here; a run can be judged without one."""
    from retrieval.workspace import find

    if chosen is not None:
        return find(Path.cwd(), chosen)
    with suppress(WorkspaceMissing):
        return find(Path.cwd())
    return None


def _spent(budget: Budget, stopped: str) -> None:
    """Say what the judge took, and why it ended early."""
    used = budget.usage
    dollars = "$ unknown" if used.dollars is None else f"${used.dollars:.4f}"
    click.echo(
        f"{used.calls:,} calls, {used.input_tokens:,} tokens in, {used.output_tokens:,} out, {dollars}", err=True
    )
    if stopped:
        click.echo(f"Ended early: {stopped}. --resume goes on, with another --max-cost.", err=True)
