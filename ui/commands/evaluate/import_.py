"""`hoplite eval import`: public question sets in our form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ui.commands.evaluate.shown import told
from ui.commands.options import json_option, workspace_option

if TYPE_CHECKING:
    from evals.convert import Converted

SOURCES = {
    "beir": ("FOLDER", "[QRELS]"),
    "hipporag": ("QUESTIONS", "CORPUS"),
    "wikihop": ("QUESTIONS",),
    "swe-qa": ("QUESTIONS",),
}


@click.command("import")
@click.argument("form", metavar="FORMAT", type=click.Choice(list(SOURCES)))
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="PATH", help="What to write.")
@json_option
@workspace_option
def import_(form: str, sources: tuple[Path, ...], out: Path, as_json: bool, workspace: Path | None) -> None:
    """Make a public question set one of ours: a dataset folder, or of SWE-QA a question file.

    beir FOLDER [QRELS]: corpus.jsonl, queries.jsonl and the judgements in qrels/.
    hipporag QUESTIONS CORPUS: the two JSON files of MuSiQue, HotpotQA or 2WikiMultihopQA.
    wikihop QUESTIONS: 2WikiMultihopQA as JSON lines, each question with its passages.
    swe-qa QUESTIONS: questions about the repository that is indexed here.

    docs/datasets.md says where the files are from.
    """
    wanted = SOURCES[form]
    needed = sum(not name.startswith("[") for name in wanted)
    if not needed <= len(sources) <= len(wanted):
        raise click.UsageError(f"{form} is made of {' '.join(wanted)}; {len(sources)} were given.")
    if form == "swe-qa":
        _swe_qa(sources[0], out, workspace, as_json=as_json)
        return
    from evals.convert import write_dataset

    converted = _converted(form, sources)
    write_dataset(out, converted)
    counts = {
        "passages": len(converted.records),
        "questions": len(converted.questions),
        "dropped": len(converted.dropped),
    }
    line = "{passages:,} passages, {questions:,} questions, {dropped:,} dropped for having no passage".format(**counts)
    told({"out": str(out), **counts}, f"{out}: {line}", as_json=as_json)


def _converted(form: str, sources: tuple[Path, ...]) -> Converted:
    from evals.beir import from_beir
    from evals.convert import from_hipporag, from_wikihop

    if form == "beir":
        return from_beir(*sources)
    return from_hipporag(*sources) if form == "hipporag" else from_wikihop(*sources)


def _swe_qa(source: Path, out: Path, workspace: Path | None, *, as_json: bool) -> None:
    from agent.build import open_library
    from evals.convert import from_swe_qa, write_questions
    from retrieval.workspace import find

    with open_library(find(Path.cwd(), workspace)) as library:
        asked = from_swe_qa(source, library.paths())
    write_questions(out, asked)
    line = f"{out}: {len(asked)} questions whose reference answer cites a file that is indexed"
    told({"out": str(out), "questions": len(asked)}, line, as_json=as_json)
