"""`hoplite eval`: how good retrieval and answers are, in numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import UserError
from ui.commands.options import (
    agent_options,
    json_option,
    opened,
    print_json,
    reranker_option,
    workspace_option,
)
from ui.progress import Meter

if TYPE_CHECKING:
    from agent.types import Answer
    from evals.ablation import AblationReport
    from evals.datasets import Question
    from evals.retrieval_eval import RetrievalReport
    from evals.runner import RunAnswer
    from retrieval.library import Library


@click.group("eval")
def evaluate() -> None:
    """Measure retrieval and answers over question sets."""


@evaluate.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--embedder", metavar="M", help="Any sentence-transformers model, for full dense indexing.")
@click.option("--dense", metavar="M", help="Any sentence-transformers model, whose vectors are searched too.")
@click.option("--ablate", is_flag=True, help="Show what the last stage loses without each part of the search.")
@reranker_option
@json_option
def retrieval(
    dataset: Path, embedder: str | None, dense: str | None, ablate: bool, reranker: str | None, as_json: bool
) -> None:
    """Score each stage of the search over the folder DATASET: recall, all@5, MRR and nDCG. Needs no workspace.

    With --ablate, the last stage is compared with each earlier one, and with the search without each of its parts:
    words, vectors, each kind of edge. Intervals are of the difference, question by question.
    """
    from evals import ablation
    from evals.dataset_store import Indexing, as_document, dataset_cache, dataset_store, fill
    from evals.datasets import load_dataset
    from evals.report import ablation_table, retrieval_table
    from evals.retrieval_eval import evaluate_retrieval
    from ingest.chunk import chunk
    from ingest.ids import digest
    from ingest.languages.recognise import looks_like_code
    from retrieval import weights
    from retrieval.dense import WHOLE, Behind, Beside, Both, Made
    from retrieval.embedders import embedder_named
    from retrieval.rerank import reader_named
    from retrieval.store_edge import EdgeStore
    from retrieval.tokens import embedded

    data = load_dataset(dataset)
    weights.require(weights.TRANSFORMER_INT8)  # without it the last stage would be another one, and say nothing of it
    first, reader = embedder_named(embedder), reader_named(reranker)
    second = embedder_named(dense) if dense else None

    def open_store(folder: Path, dim: int) -> EdgeStore:
        if second is None:
            return EdgeStore(folder, dim)
        made = Made(second.name, second.dim)
        return Both(folder, dim, Behind(folder / f"dense-{digest(made.model.encode())[:12]}", made))

    parts = Indexing(lambda record: chunk(as_document(record, looks_like_code)), embedded, first, open_store)
    with (
        Meter(unit="records", quiet=as_json) as indexing,
        dataset_store(data, parts, dataset_cache(), _shown(indexing, "indexing")) as indexed,
        Meter(unit="chunks", quiet=as_json) as filling,
        Meter(unit="questions", quiet=as_json) as asking,
    ):
        asks = first
        if second is not None and isinstance(indexed.store, Both):
            fill(indexed.store, indexed.store.behind, second, embedded, _shown(filling, "embedding"))
            indexed.store.share = WHOLE
            asks = Beside(first, second, WHOLE)
        setup, tell = ablation.Setup(indexed.store, asks, reader), _shown(asking, "searching")
        report: RetrievalReport | AblationReport
        if ablate:
            report = ablation.ablate(data, indexed, setup, on_progress=tell)
            shown = ablation_table(report)
        else:
            report = evaluate_retrieval(data, indexed, lambda store: setup.searcher(), tell)
            shown = retrieval_table(report)
    _told(report.as_json(), shown, as_json=as_json)


@evaluate.command()
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
    from evals.report import run_table
    from evals.runner import run as run_set

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
            on_progress=_shown(meter, "asking"),
        )
    _told(report.as_json(), run_table(report), as_json=as_json)
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
    from evals.runner import RunAnswer
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


@evaluate.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(1), default=60, show_default=True, metavar="N", help="Attacked runs.")
@click.option("--seed", type=int, default=0, show_default=True, help="What they are drawn by.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to keep the answers.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out: ask what is missing and what failed.")
@agent_options
@json_option
def injection(
    folders: tuple[Path, ...],
    sample: int,
    seed: int,
    out: Path | None,
    resume: bool,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Measure prompt injection: instructions planted in text, in a comment, in a file name, in front matter.

    Each FOLDER has BIPIA's attacks.jsonl or AgentDojo's injection_goals.jsonl. Every run has a small workspace of its
    own. Counted are answers that do what was planted, answers that are still right, and what a run did besides.
    """
    from agent.build import sandbox_of, way_out
    from agent.roles import make_roles
    from agent.settings import load_settings
    from evals.injection import draw, load_attacks
    from evals.injection_run import evaluate_injection
    from evals.report import injection_table
    from ingest.ids import digest
    from retrieval.weights import user_cache

    attacks = load_attacks(folders)
    settings = load_settings(None, chosen | {"cache": False}).settings
    fingerprint = {
        "attacks": digest(repr(attacks).encode()),
        "sample": f"{sample} by {seed}",
        "settings": settings.model_dump_json(),
        "sandbox": sandbox_of(settings).level if settings.max_steps else "no code",
    }
    with Meter(unit="questions", quiet=as_json) as meter:
        report = evaluate_injection(
            draw(attacks, sample, seed),
            settings,
            make_roles(settings, outgoing=way_out(settings), say=lambda line: click.echo(line, err=True)),
            _pages,
            out or user_cache() / "injection" / time.strftime("%Y%m%d-%H%M%S"),
            fingerprint=fingerprint,
            resume=resume,
            on_progress=_shown(meter, "asking"),
        )
    _told(report.as_json(), injection_table(report), as_json=as_json)
    return 4 if report.errors else 0


def _pages(answer: Answer) -> list[str]:
    """What an answer becomes on the page, and in a reader of the Markdown that is saved: HTML, in both."""
    from markdown_it import MarkdownIt

    from ui import markup
    from ui.markdown import as_markdown

    labels = {cited.label for cited in answer.citations}
    saved = MarkdownIt("commonmark", {"html": True}).enable("table").render(as_markdown(answer))
    return [markup.prose(answer.answer, labels), saved]


@evaluate.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@json_option
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Compare two runs, folders of `eval run --out`, question by question: SECOND less FIRST, with intervals."""
    from evals.compare import compare as compared
    from evals.report import comparison_table

    comparison = compared(first, second)
    _told(comparison.as_json(), comparison_table(comparison), as_json=as_json)


def _shown(meter: Meter, what: str) -> Callable[[int, int], None]:
    return lambda done, total: meter.show(what, done, total)


def _told(data: dict[str, object], table: str, *, as_json: bool) -> None:
    """Print what was measured: the object for a script, or the table for a person."""
    if as_json:
        print_json(data)
    else:
        click.echo(table)
