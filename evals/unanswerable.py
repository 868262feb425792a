"""A set for declining: `python -m evals.unanswerable DATASET FOLDER` writes a dataset folder made of another one.

So many questions keep their passages, as many lose all of theirs from the corpus and are marked unanswerable. Which
they are is drawn by the seed. A passage that a question which keeps its own needs stays, so that a question loses only
what no such question shares; questions that would share are not drawn.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from evals.datasets import drawn, load_dataset


def split(gold: dict[str, frozenset[str]], each: int, seed: int) -> tuple[list[str], list[str]]:
    """Return the ids of `each` questions that keep their passages and of as many that lose theirs, given each one's.

    Raises ValueError where there are not enough questions whose passages no other half needs.
    """
    order = drawn(sorted(gold), len(gold), seed)
    kept = order[:each]
    lost: list[str] = []
    needed: frozenset[str] = frozenset().union(*(gold[question] for question in kept))
    for question in order[each:]:
        if len(lost) < each and not gold[question] & needed:
            lost.append(question)
    if len(kept) < each or len(lost) < each:
        raise ValueError(f"of {len(order)} questions only {len(kept)} can keep and {len(lost)} lose their passages")
    return kept, lost


@click.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--each", default=60, show_default=True, help="Questions of each kind.")
@click.option("--seed", default=0, show_default=True, help="What they are drawn by.")
def main(dataset: Path, folder: Path, each: int, seed: int) -> None:
    """Write FOLDER: the corpus of DATASET without the passages of half of the questions drawn from it."""
    data = load_dataset(dataset)
    gold = {question.id: frozenset(question.supporting) for question in data.questions if question.supporting}
    try:
        kept, lost = split(gold, min(each, len(gold) // 2), seed)
    except ValueError as error:
        raise click.ClickException(f"{dataset}: {error}. Ask for fewer with --each.") from error
    gone: frozenset[str] = frozenset().union(*(gold[question] for question in lost))
    folder.mkdir(parents=True, exist_ok=True)
    records = [{"id": r.id, "title": r.title, "text": r.text} for r in data.records if r.id not in gone]
    asked = [
        {
            "id": question.id,
            "question": question.question,
            "answers": [] if question.id in lost else list(question.answers),
            "supporting_ids": [] if question.id in lost else list(question.supporting),
            "unanswerable": question.id in lost,
            "type": question.type,
        }
        for question in data.questions
        if question.id in {*kept, *lost}
    ]
    for name, lines in (("corpus", records), ("questions", asked)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    click.echo(
        f"{folder}: {len(kept)} questions with their passages, {len(lost)} without theirs, {len(records)} passages"
    )


if __name__ == "__main__":
    main()
