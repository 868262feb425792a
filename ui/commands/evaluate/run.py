"""`hoplite eval run`: every question of a set asked, and the answers scored."""

from __future__ import annotations

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
    from evals.batch import Batch
    from evals.datasets import Question
    from evals.runner import Progress, Worker
    from evals.types import RunAnswer
    from retrieval.library import Library


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
    help="Questions at a time. [default: 1 with a model on this machine, else 4]",
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
    from agent.build import send_traces
    from evals.batch import make_batch, new_folder
    from evals.datasets import drawn
    from evals.run_asked import Conduct
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
        batch = make_batch(
            library,
            settings,
            names=names,
            workers=workers,
            baseline=baseline,
            say=lambda line: click.echo(line, err=True),
        )
        folder = out or new_folder(library.workspace.runs)
        if langfuse is not None:
            batch = _as_experiment(library, batch, asked[:limit], langfuse, folder.resolve().name)
        report = batch.ask(
            asked[:limit],
            folder,
            name=questions.resolve().name,
            resume=resume,
            conduct=Conduct(repeat, retries, timeout=timeout, max_cost=max_run_cost, max_tokens=max_run_tokens),
            on_progress=lambda progress: meter.show("asking", progress.done, progress.total, _note(progress)),
        )
    told(report.as_json(), run_table(report), as_json=as_json)
    return 4 if report.errors or report.missing else 0


def _note(progress: Progress) -> str:
    """What the meter says beside how far it is: errors and dollars so far, where there are any."""
    failed = f"{progress.errors} failed" if progress.errors else ""
    cost = f"{progress.dollars:.4f} dollars" if progress.dollars else ""
    return ", ".join(filter(None, (failed, cost)))


def _as_experiment(library: Library, batch: Batch, asked: Sequence[Question], name: str, run: str) -> Batch:
    """Make the questions a data set of Langfuse, and return a batch that answers each as an item of a run there."""
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

    return replace(batch, workers=[item(worker) for worker in batch.workers])


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
