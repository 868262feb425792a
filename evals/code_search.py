"""How well code is found: `python -m evals.code_search FOLDER... [--against PYTHON] [--json]`.

Each FOLDER is the unpacked source distribution that a set in `evals/sets/code` is about, found by the folder's name
(`click-8.3.1` is asked `click.jsonl`), or `--questions` names a file. A question's gold are files. With `--cited`, the
lines are SWE-QA's (arXiv 2509.14635), and gold are the files that a reference answer cites.

A file stands where its best chunk stands. Reported are nDCG@10 and the share of questions with a gold file among the
first five, for the search as it is, for BM25, static vectors and MiniLM alone over the same chunks, and with
`--against`, an interpreter that has semble (https://pypi.org/project/semble), for semble over the same files with the
same static model. Intervals are 95 % bootstrap intervals of the difference, question by question.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path

import click

from evals.convert import from_swe_qa
from evals.datasets import Question, load_questions
from evals.metrics import mean, ndcg_at
from evals.retrieval_eval import DEPTH
from evals.semble_model import written
from evals.statistics import paired
from evals.tables import table
from ingest.errors import UserError
from ingest.walk import walk
from retrieval import weights
from retrieval.fusion import cosines_of, ranked
from retrieval.indexing import index
from retrieval.library import Library
from retrieval.rerank import Reader
from retrieval.search import FIRST_STAGE
from retrieval.types import Scored
from retrieval.workspace import find

_SEMBLE = """
import json, sys
from semble.index.index import _ALL_CONTENT, SembleIndex
index = SembleIndex.from_path(sys.argv[1], content=_ALL_CONTENT, model_path=sys.argv[2])
asked = json.load(sys.stdin)
print(json.dumps([[hit.chunk.file_path for hit in index.search(q, top_k=int(sys.argv[3]))] for q in asked]))
"""

OURS = "hoplite"

Rankings = dict[str, list[list[str]]]
"""For each system, for each question, the files it found, best first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One system over some questions: means from 0 to 1, and how far Hoplite's lie above, with 95 % intervals."""

    ndcg: float
    first_five: float
    ndcg_ahead: tuple[float, float, float]
    first_five_ahead: tuple[float, float, float]


def rows(questions: Sequence[Question], found: Rankings) -> dict[str, Row]:
    """Score each system's rankings of files, question by question, beside those of `OURS`."""
    gold = [question.supporting for question in questions]
    ndcg = {name: [ndcg_at(10, r, g) for r, g in zip(rs, gold, strict=True)] for name, rs in found.items()}
    five = {name: [float(bool({*r[:5]} & {*g})) for r, g in zip(rs, gold, strict=True)] for name, rs in found.items()}
    return {
        name: Row(mean(ndcg[name]), mean(five[name]), _ahead(ndcg[OURS], ndcg[name]), _ahead(five[OURS], five[name]))
        for name in found
    }


def _ahead(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """The mean difference and its interval."""
    ahead = paired(ours, theirs)
    return ahead.mean, ahead.low, ahead.high


def ours(library: Library, questions: Sequence[Question], *, closely: bool) -> Rankings:
    """Ask Hoplite, and what it is made of alone. `closely` embeds every chunk with the transformer: minutes."""
    if not library.reads_closely:
        weights.require(weights.TRANSFORMER_INT8)
    chunks = library.store.chunks(sorted(library.store.ids()))
    of = {chunk.id: chunk.path for chunk in chunks.values()}

    def documents(order: Sequence[Scored]) -> list[str]:
        return list(dict.fromkeys(of[scored.id] for scored in order))

    found: Rankings = {OURS: [], "without transformer": [], "bm25": [], "static vectors": []}
    for question in questions:
        result = library.search(question.question, k=DEPTH)
        found[OURS].append(list(dict.fromkeys(hit.chunk.path for hit in result.hits)))
        found["bm25"].append(documents(result.stages["bm25"][:FIRST_STAGE]))
        found["static vectors"].append(documents(result.stages["dense"]))
        plain = library.search(question.question, k=DEPTH, rerank=False)
        found["without transformer"].append(list(dict.fromkeys(hit.chunk.path for hit in plain.hits)))
    if closely:
        from retrieval.embed_transformer import OnnxMiniLM

        reader = Reader(OnnxMiniLM(), kept=len(chunks))
        vectors = reader.vectors(chunks)
        found["minilm"] = [
            documents(ranked(cosines_of(reader.question(question.question), vectors))[:FIRST_STAGE])
            for question in questions
        ]
    return found


def semble(python: str, folder: Path, questions: Sequence[Question]) -> list[list[str]]:
    """Ask semble, run by the interpreter `python`. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as scratch:
        model = written(Path(scratch) / "model")
        done = subprocess.run(  # noqa: S603 - the interpreter that the user named
            [python, "-c", _SEMBLE, str(folder), str(model), str(DEPTH)],
            input=json.dumps([question.question for question in questions]),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    return [list(dict.fromkeys(paths)) for paths in json.loads(done.stdout)]


def version_of(package: str, python: str) -> str:
    """Return which version of a package an interpreter has. Raises CalledProcessError where it has none."""
    asked = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    done = subprocess.run([python, "-c", asked, package], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - as above
    return done.stdout.strip()


def asked_of(folder: Path, chosen: Path | None, indexed: Sequence[str], *, as_cited: bool) -> tuple[Question, ...]:
    """Return the questions about a folder. Raises UserError where there is no set of its name or a gold file is not
    indexed."""
    if as_cited:
        if chosen is None:
            raise UserError("--cited needs the file of SWE-QA's questions. Name it with --questions.")
        return from_swe_qa(chosen, indexed)
    with as_file(files("evals.sets") / "code" / f"{folder.name.partition('-')[0]}.jsonl") as own:
        if chosen is None and not own.exists():
            raise UserError(f"There is no set for {folder.name}. Name a question file with --questions.")
        questions = load_questions(chosen or own)
    if missing := {path for question in questions for path in question.supporting} - {*indexed}:
        raise UserError(f"{min(missing)} is not in {folder}. Give the version that the questions are about.")
    return questions


def measure(
    folder: Path,
    ask: Callable[[Sequence[str]], tuple[Question, ...]],
    *,
    against: str | None,
    closely: bool,
) -> tuple[tuple[Question, ...], Rankings]:
    """Copy the files that Hoplite reads, index the copy, and ask every system the questions that `ask` gives for their
    paths."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / folder.resolve().name
        for file in walk(folder).files:
            path = tree / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.source, path)
        index([tree], chosen=tree / ".hoplite")
        with Library(find(tree)) as library:
            questions = ask(library.paths())
            found = ours(library, questions, closely=closely)
        if against:
            found["semble"] = semble(against, tree, questions)
    return questions, found


def _shown(title: str, scored: Mapping[str, Row]) -> str:
    def apart(ahead: tuple[float, float, float]) -> str:
        return f"{100 * ahead[0]:+.1f} [{100 * ahead[1]:+.1f}, {100 * ahead[2]:+.1f}]"

    lines = [[title, "nDCG@10", "ahead by", "in first 5", "ahead by"]]
    for name, row in scored.items():
        ndcg, five = f"{100 * row.ndcg:.1f}", f"{100 * row.first_five:.1f}"
        lines.append([name, ndcg, apart(row.ndcg_ahead), five, apart(row.first_five_ahead)])
    return "\n".join(table(lines))


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--questions", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Another question file."
)
@click.option("--cited", "as_cited", is_flag=True, help="The question file is SWE-QA's.")
@click.option("--against", metavar="PYTHON", help="An interpreter that has semble.")
@click.option("--minilm", "closely", is_flag=True, help="Also MiniLM over every chunk, which takes minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    folders: Sequence[Path], questions: Path | None, as_cited: bool, against: str | None, closely: bool, as_json: bool
) -> None:
    """Measure the search over FOLDERS of code."""
    asked: list[Question] = []
    together: Rankings = {}
    reports: dict[str, Mapping[str, Row]] = {}
    for folder in folders:

        def ask(paths: Sequence[str], folder: Path = folder) -> tuple[Question, ...]:
            return asked_of(folder, questions, paths, as_cited=as_cited)

        here, found = measure(folder, ask, against=against, closely=closely)
        reports[folder.name] = rows(here, found)
        asked += here
        for name, rankings in found.items():
            together.setdefault(name, []).extend(rankings)
    for kind in sorted({question.type for question in asked}):
        at = [i for i, question in enumerate(asked) if question.type == kind]
        part = {name: [rankings[i] for i in at] for name, rankings in together.items()}
        reports[kind] = rows([asked[i] for i in at], part)
    reports["all"] = rows(asked, together)
    if as_json:
        shown = {title: {name: asdict(row) for name, row in scored.items()} for title, scored in reports.items()}
        versions = {"semble": version_of("semble", against)} if against else {}
        click.echo(json.dumps({"questions": len(asked), "reports": shown, "versions": versions}, indent=1))
    else:
        click.echo("\n\n".join(_shown(title, scored) for title, scored in reports.items()))


if __name__ == "__main__":
    main()
