"""BEIR's folders in our form: `corpus.jsonl`, `queries.jsonl` and judgements in `qrels/`.

Thakur et al. 2021 (arXiv 2104.08663). Answers there are none: such a set scores retrieval and citations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from evals.convert import Converted, rows, source_bytes
from evals.datasets import Question, Record
from ingest.errors import UserError

_HEAD = ("query-id", "corpus-id", "score")


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, alias="_id")
    text: str
    title: str = ""
    metadata: dict[str, Any] = {}


class _Query(_Text):
    text: str = Field(min_length=1)


_Line = TypeVar("_Line", bound=_Text)


def from_beir(folder: Path, judgements: Path | None = None) -> Converted:
    """Convert a BEIR folder. Gold is what is judged above 0; `judgements` names the file where `qrels/` has several.

    A question of which nothing is judged relevant is dropped. Raises UserError, with file and line, for a file that
    is missing, a line of another form, an unknown key, an id given twice, and one that is judged and not there.
    """
    judged = judgements or _only(folder / "qrels")
    texts = {id: (place, line) for id, place, line in _lines(folder / "corpus.jsonl", TypeAdapter(_Text))}
    queries = {id: line for id, _, line in _lines(folder / "queries.jsonl", TypeAdapter(_Query))}
    gold: dict[str, dict[str, None]] = {}
    for place, query, text, score in _judged(judged):
        for id, known, name in ((query, queries, "queries.jsonl"), (text, texts, "corpus.jsonl")):
            if id not in known:
                raise UserError(f"{place}: id {id!r} is not in {name}. Give the files that belong together.")
        relevant = gold.setdefault(query, {})
        if score > 0:
            relevant[text] = None
    questions = tuple(
        Question(id, queries[id].text, (), tuple(relevant), "") for id, relevant in gold.items() if relevant
    )
    if not questions:
        raise UserError(f"{judged} judges nothing relevant. Give another file of judgements.")
    records = tuple(Record(id, line.title, line.text) for id, (_, line) in texts.items())
    return Converted(records, questions, tuple(id for id, relevant in gold.items() if not relevant))


def _only(folder: Path) -> Path:
    found = sorted(folder.glob("*.tsv"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"{folder} has no .tsv file. Give the folder of a BEIR set, with its judgements in qrels.")
    raise UserError(f"{folder} has {', '.join(file.name for file in found)}. Name one of them after the folder.")


def _lines(path: Path, adapter: TypeAdapter[_Line]) -> Iterator[tuple[str, str, _Line]]:
    seen: dict[str, str] = {}
    for place, line in rows(adapter, path):
        if line.id in seen:
            raise UserError(f"{place}: id {line.id!r} was already used at {seen[line.id]}. Remove one of the two.")
        seen[line.id] = place
        yield line.id, place, line


def _judged(path: Path) -> Iterator[tuple[str, str, str, int]]:
    """Yield each judgement with its place: query, document, score."""
    for number, raw in enumerate(source_bytes(path).split(b"\n"), start=1):
        columns = tuple(raw.decode("utf-8", "replace").rstrip("\r").split("\t"))
        if columns in (("",), _HEAD):
            continue
        place = f"{path}:{number}"
        if len(columns) != len(_HEAD):
            raise UserError(f"{place}: {len(columns)} columns instead of {', '.join(_HEAD)}, with tabs between them.")
        try:
            yield place, columns[0], columns[1], int(columns[2])
        except ValueError:
            raise UserError(f"{place}: the score {columns[2][:40]!r} is no whole number. Correct it.") from None
