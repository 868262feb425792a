"""`hoplite eval run`: every question of a set asked, and the answers scored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import UserError
from ui.commands.evaluate.shown import told
from ui.commands.options import agent_options, json_option, opened, workspace_option
from ui.progress import Meter

if TYPE_CHECKING:
    from agent.loop import Agent
    from agent.settings import Settings
    from evals.datasets import Question
    from evals.runner import Progress, Worker
    from evals.types import RunAnswer
    from retrieval.library import Library


SIDE_BY_SIDE = 4
"""Workers, unless told otherwise, where the models are elsewhere. A model on this machine takes one question at a
time, and so does a memory, in which one question finds what another left."""


@click.command()
@click.argument("questions", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N questions.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only N questions, drawn by --seed.")
@click.option("--seed", type=int, default=0, show_default=True, help="What --sample draws by.")
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="Ask each question N times.")
@click.option("--baseline", is_flag=True, help="One call over the five best passages, without hops and without agent.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to keep the answers.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out: ask what is missing and what failed.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help=f"Questions at a time. [default: 1 with a model on this machine, else {SIDE_BY_SIDE}]",
)
@click.option("--retries", type=click.IntRange(0, 20), default=0, metavar="N", help="Try a failed question again.")
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Fail a question that takes longer."
)
@click.option(
    "--max-run-cost", type=click.FloatRange(0, min_open=True), metavar="USD", help="Begin no question beyond this."
)
@click.option("--max-run-tokens", type=click.IntRange(1), metavar="N", help="Likewise, of tokens read and written.")
@click.option("--with-memory", is_flag=True, help="Recall and write notes, as `ask` does.")
@click.option("--langfuse", metavar="NAME", help="Make the questions data set NAME at Langfuse, and this a run of it.")
@agent_options
@json_option
@workspace_option
def run(
    questions: Path,
    limit: int | None,
    sample: int | None,
    seed: int,
    repeat: int,
    baseline: bool,
    out: Path | None,
    resume: bool,
    workers: int | None,
    retries: int,
    timeout: float | None,
    max_run_cost: float | None,
    max_run_tokens: int | None,
    with_memory: bool,
    langfuse: str | None,
    as_json: bool,
    workspace: Path | None,
    **chosen: Any,
) -> int:
    """Ask every question of QUESTIONS and score the answers.

    QUESTIONS is a JSON lines file about this workspace, or a dataset folder, whose corpus gets a cached workspace.

    An answer is on disk before the next question begins. With --resume the same command asks what is
    missing and what failed, however the run ended. Exit code 4: some questions failed, or a cap ended
    the run. docs/evaluation.md defines the metrics.
    """
    from agent.build import on_this_machine, send_traces
    from evals.datasets import drawn
    from evals.fingerprint import fingerprint
    from evals.runner import Conduct
    from evals.runner import run as run_set
    from evals.similarity import similarity
    from evals.tables import run_table
    from ui.commands.ask import in_force, leaving

    asked, names, workspace = _asked(questions, workspace, quiet=as_json)
    if sample is not None:
        asked = tuple(drawn(asked, sample, seed))
    with opened(workspace) as library, Meter(unit="questions", quiet=as_json) as meter:
        settings = in_force(library, chosen | {"memory": with_memory, "cache": False})
        if line := leaving(library, settings):
            click.echo(line, err=True)
        send_traces(settings)
        one_by_one = with_memory or on_this_machine(settings)
        count = workers or (1 if one_by_one else SIDE_BY_SIDE)
        answering, sandbox = (_one_calls if baseline else _agents)(library, names, settings, count)
        compared, similar = similarity()
        made = fingerprint(library, settings, sandbox=sandbox, with_memory=with_memory, similarity=compared)
        folder = out or library.workspace.runs / time.strftime("%Y%m%d-%H%M%S")
        if langfuse is not None:
            answering = _as_experiment(library, answering, asked[:limit], langfuse, folder.resolve().name)
        report = run_set(
            asked[:limit],
            answering,
            folder,
            fingerprint=made | ({"baseline": "one call"} if baseline else {}),
            resume=resume,
            conduct=Conduct(repeat, retries, timeout=timeout, max_cost=max_run_cost, max_tokens=max_run_tokens),
            similar=similar,
            on_progress=lambda progress: meter.show("asking", progress.done, progress.total, _note(progress)),
        )
    told(report.as_json(), run_table(report), as_json=as_json)
    return 4 if report.errors or report.missing else 0


def _note(progress: Progress) -> str:
    """What the meter says beside how far it is: errors and dollars so far, where there are any."""
    failed = f"{progress.errors} failed" if progress.errors else ""
    cost = f"{progress.dollars:.4f} dollars" if progress.dollars else ""
    return ", ".join(filter(None, (failed, cost)))


def _as_experiment(
    library: Library, workers: Sequence[Worker], asked: Sequence[Question], name: str, run: str
) -> list[Worker]:
    """Make the questions a data set of Langfuse, and return what answers each as an item of a run there."""
    from agent.build import langfuse
    from agent.langfuse_api import Item
    from agent.settings import load_settings
    from agent.trace_marks import marked

    api = langfuse(load_settings(library.workspace.folder).settings)
    if api is None:
        raise UserError("Langfuse is not on: set LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL.")
    marks = api.experiment(name, [Item(each.id, each.question, each.answers) for each in asked], run)

    def item(worker: Worker) -> Worker:
        def answer(question: Question) -> RunAnswer:
            with marked(marks(question.id)):
                return worker.answer(question)

        return replace(worker, answer=answer)

    return [item(worker) for worker in workers]


def _asked(
    questions: Path, workspace: Path | None, *, quiet: bool
) -> tuple[tuple[Question, ...], Mapping[str, str], Path | None]:
    """The questions, the record that each shown path stands for where it is not its own name, and the workspace."""
    from evals.datasets import load_dataset, load_questions

    if not questions.is_dir():
        return load_questions(questions), {}, workspace
    from evals.dataset_files import dataset_files
    from evals.dataset_store import dataset_cache
    from ui.commands.index import run as index

    data = load_dataset(questions)
    files = dataset_files(data, dataset_cache())
    index([files.folder], chosen=files.folder / ".hoplite", quiet=quiet)
    return data.questions, files.records, files.folder / ".hoplite"


def _agents(library: Library, names: Mapping[str, str], settings: Settings, count: int) -> tuple[list[Worker], str]:
    """So many agents, each a worker, and the level at which their code runs."""
    from agent.build import make_agent
    from evals.agent_answers import run_answer
    from evals.runner import Worker

    def worker(agent: Agent) -> Worker:
        return Worker(lambda question: run_answer(agent.ask(question.question), names), agent.stop)

    # Without a memory nothing is kept of a question but its line: no journal either, which it would have to wait for.
    workspace = library.workspace if settings.memory else None
    said: set[str] = set()

    def say(line: str) -> None:
        if line not in said:
            click.echo(line, err=True)
        said.add(line)

    agents = [make_agent(library, settings, workspace=workspace, say=say) for _ in range(count)]
    return [worker(agent) for agent in agents], agents[0].sandbox


def _one_calls(library: Library, names: Mapping[str, str], settings: Settings, count: int) -> tuple[list[Worker], str]:
    """The baseline of `_agents`: the model in one call."""
    from agent.build import limits, way_out
    from agent.models import make_chat
    from evals.baselines import one_call
    from evals.runner import Worker

    profile = limits(settings).profile

    def worker() -> Worker:
        chat = make_chat(settings.model, outgoing=way_out(settings, library))

        def answer(question: Question) -> RunAnswer:
            given = one_call(library, chat, question, profile=profile)
            return replace(given, shown=tuple(dict.fromkeys(names.get(path, path) for path in given.shown)))

        return Worker(answer)

    return [worker() for _ in range(count)], "no code"
