"""`hoplite eval run`: every question of a set asked, and the answers scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import UserError
from ui.commands.evaluate.shown import shown, told
from ui.commands.options import agent_options, json_option, opened, workspace_option
from ui.progress import Meter

if TYPE_CHECKING:
    from evals.datasets import Question
    from evals.types import RunAnswer
    from retrieval.library import Library


@click.command()
@click.argument("questions", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N questions.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only N questions, drawn by --seed.")
@click.option("--seed", type=int, default=0, show_default=True, help="What --sample draws by.")
@click.option("--baseline", is_flag=True, help="One call over the five best passages, without hops and without agent.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to keep the answers.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out: ask what is missing and what failed.")
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
    baseline: bool,
    out: Path | None,
    resume: bool,
    with_memory: bool,
    langfuse: str | None,
    as_json: bool,
    workspace: Path | None,
    **chosen: Any,
) -> int:
    """Ask every question of QUESTIONS and score the answers.

    QUESTIONS is a JSON lines file about this workspace, or a dataset folder, whose corpus gets a cached workspace.
    """
    from evals.datasets import drawn
    from evals.runner import run as run_set
    from evals.tables import run_table

    asked, names, workspace = _asked(questions, workspace, quiet=as_json)
    if sample is not None:
        asked = tuple(drawn(asked, sample, seed))
    with opened(workspace) as library, Meter(unit="questions", quiet=as_json) as meter:
        answering = _one_call if baseline else _answering
        answer, fingerprint = answering(library, names, chosen | {"memory": with_memory, "cache": False})
        folder = out or library.workspace.runs / time.strftime("%Y%m%d-%H%M%S")
        if langfuse is not None:
            answer = _as_experiment(library, answer, asked[:limit], langfuse, folder.resolve().name)
        report = run_set(
            asked[:limit],
            answer,
            folder,
            fingerprint=fingerprint,
            resume=resume,
            on_progress=shown(meter, "asking"),
        )
    told(report.as_json(), run_table(report), as_json=as_json)
    return 4 if report.errors else 0


def _as_experiment(
    library: Library, answer: Callable[[Question], RunAnswer], asked: Sequence[Question], name: str, run: str
) -> Callable[[Question], RunAnswer]:
    """Make the questions a data set of Langfuse, and return what answers one as an item of a run there."""
    from agent.build import langfuse
    from agent.langfuse_api import Item
    from agent.settings import load_settings
    from agent.trace_marks import marked

    api = langfuse(load_settings(library.workspace.folder).settings)
    if api is None:
        raise UserError("Langfuse is not on: set LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL.")
    marks = api.experiment(name, [Item(each.id, each.question, each.answers) for each in asked], run)

    def item(question: Question) -> RunAnswer:
        with marked(marks(question.id)):
            return answer(question)

    return item


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


def _answering(
    library: Library, names: Mapping[str, str], chosen: Mapping[str, Any]
) -> tuple[Callable[[Question], RunAnswer], dict[str, str]]:
    """What answers one question, and all that its answer depends on."""
    from agent.settings import load_settings
    from evals.types import LONGEST_SHOWN, Cited, RunAnswer, Shown
    from ui.commands.ask import agent_for

    agent = agent_for(library, chosen)
    settings = load_settings(library.workspace.folder, chosen).settings

    def answer(question: Question) -> RunAnswer:
        given = agent.ask(question.question)
        return RunAnswer(
            answer=given.answer,
            abstained=given.abstained,
            shown=tuple(dict.fromkeys(names.get(p.path, p.path) for p in given.passages)),
            cited=tuple(dict.fromkeys(names.get(c.path, c.path) for c in given.citations)),
            usage={k: v for k, v in asdict(given.usage).items() if v is not None} | {"steps": len(given.steps)},
            trace_id=given.trace_id,
            citations=tuple(
                Cited(c.label, names.get(c.path, c.path), c.start_line, c.end_line, c.quote, c.verified)
                for c in given.citations
            ),
            passages=tuple(
                Shown(p.label, names.get(p.path, p.path), p.start_line, p.end_line, p.excerpt[:LONGEST_SHOWN])
                for p in given.passages
            ),
        )

    record = {"index": library.fingerprint, "settings": settings.model_dump_json(), "sandbox": agent.sandbox}
    return answer, record


def _one_call(
    library: Library, names: Mapping[str, str], chosen: Mapping[str, Any]
) -> tuple[Callable[[Question], RunAnswer], dict[str, str]]:
    """The baseline of `_answering`: the model in one call."""
    from agent.build import limits, way_out
    from agent.models import make_chat
    from agent.settings import load_settings
    from evals.baselines import one_call

    settings = load_settings(library.workspace.folder, chosen).settings
    chat, profile = make_chat(settings.model, outgoing=way_out(settings, library)), limits(settings).profile

    def answer(question: Question) -> RunAnswer:
        given = one_call(library, chat, question, profile=profile)
        return replace(given, shown=tuple(dict.fromkeys(names.get(path, path) for path in given.shown)))

    return answer, {"index": library.fingerprint, "settings": settings.model_dump_json(), "baseline": "one call"}
