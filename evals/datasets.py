"""Question sets: a folder with its own corpus, or a JSON-lines file of questions about a workspace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.errors import UserError
from ingest.ids import digest


@dataclass(frozen=True, slots=True)
class Record:
    """One document of a dataset's own corpus."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what is known to be right.

    `supporting` are the documents that hold the evidence: record ids in a dataset folder, paths relative to the
    indexed folder in a question file. `places` are those of a question file as they are written, where one names lines:
    `docs/guide.md:10-20`; see `lines_of`. `answers` are all acceptable; none means that only retrieval can be scored.
    An `unanswerable` question is answered rightly by saying that the sources do not say.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    supporting: tuple[str, ...]
    type: str
    tags: tuple[str, ...] = ()
    unanswerable: bool = False
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A corpus and questions about it. `digest` is the SHA-256 of the corpus file, as hex."""

    name: str
    records: tuple[Record, ...]
    questions: tuple[Question, ...]
    digest: str


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(min_length=1)


class _RecordLine(_Line):
    title: str
    text: str


class _DatasetQuestion(_Line):
    question: str = Field(min_length=1)
    answers: list[str]
    supporting_ids: list[str]
    type: str
    unanswerable: bool = False


class _FileQuestion(_Line):
    question: str = Field(min_length=1)
    answers: list[str] = []
    supporting: list[str] = []
    type: str = ""
    tags: list[str] = []
    unanswerable: bool = False


_LINES = re.compile(r"(.+):([0-9]{1,9})(?:-([0-9]{1,9}))?", re.DOTALL)

_AnyLine = TypeVar("_AnyLine", bound=_Line)
_Any = TypeVar("_Any")


def load_dataset(folder: Path) -> Dataset:
    """Load `corpus.jsonl` (id, title, text) and `questions.jsonl` (id, question, answers, supporting_ids, type,
    and unanswerable, where it is).

    Raises UserError, with file and line, for a missing file, a line that is not such an object, an unknown key, an
    id given twice, an unanswerable question that has answers, and a supporting id that the corpus lacks.
    """
    corpus = folder / "corpus.jsonl"
    records = tuple(Record(line.id, line.title, line.text) for _, line in _lines(corpus, _RecordLine))
    known = {record.id for record in records}
    questions = []
    for place, line in _lines(folder / "questions.jsonl", _DatasetQuestion):
        if unknown := set(line.supporting_ids) - known:
            raise UserError(f"{place}: supporting id {min(unknown)!r} is not in {corpus.name}. Correct one of the two.")
        _no_answers(place, line)
        questions.append(
            Question(
                line.id,
                line.question,
                tuple(line.answers),
                tuple(dict.fromkeys(line.supporting_ids)),
                line.type,
                unanswerable=line.unanswerable,
            )
        )
    return Dataset(folder.resolve().name, records, tuple(questions), digest(corpus.read_bytes()))


def load_questions(path: Path) -> tuple[Question, ...]:
    """Load a question file: `id` and `question`; optionally answers, supporting, type, tags, unanswerable.

    Raises UserError, with file and line, for a missing file, a line that is not such an object, an unknown key, an
    id given twice, an unanswerable question that has answers, and lines that cannot be.
    """
    questions = []
    for place, line in _lines(path, _FileQuestion):
        _no_answers(place, line)
        documents = []
        for text in line.supporting:
            found = lines_of(text)
            if found and not 1 <= found[1] <= found[2]:
                raise UserError(f"{place}: {text!r} are no lines. They count from 1, the first before the last.")
            documents.append(found[0] if found else text)
        questions.append(
            Question(
                line.id,
                line.question,
                tuple(line.answers),
                tuple(dict.fromkeys(documents)),
                line.type,
                tuple(line.tags),
                line.unanswerable,
                tuple(line.supporting) if documents != line.supporting else (),
            )
        )
    return tuple(questions)


def _no_answers(place: str, line: _DatasetQuestion | _FileQuestion) -> None:
    if line.unanswerable and line.answers:
        raise UserError(f"{place}: {line.id!r} is unanswerable and has answers. Remove one of the two.")


def lines_of(place: str) -> tuple[str, int, int] | None:
    """Return the path and the first and last line of `path:10-20` or `path:10`; None for a path alone."""
    found = _LINES.fullmatch(place)
    return (found[1], int(found[2]), int(found[3] or found[2])) if found else None


def drawn(items: Sequence[_Any], count: int, seed: int) -> list[_Any]:
    """Return so many of the items, drawn by the seed, in the order in which they were drawn."""
    return [items[i] for i in np.random.default_rng(seed).permutation(len(items))[:count]]


def _lines(path: Path, model: type[_AnyLine]) -> Iterator[tuple[str, _AnyLine]]:
    """Yield each non-empty line, checked, with its place as `path:line`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}). Give a question file or a dataset folder."
        ) from error
    seen: dict[str, str] = {}
    # Split at b"\n" alone: str.splitlines would also split at U+2028, which is legal inside a JSON string.
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        place = f"{path}:{number}"
        try:
            line = model.model_validate_json(raw)
        except ValidationError as error:
            raise UserError(f"{place}: {first_wrong(error)}") from error
        if line.id in seen:
            raise UserError(f"{place}: id {line.id!r} was already used at {seen[line.id]}. Give each line its own.")
        seen[line.id] = place
        yield place, line
    if not seen:
        raise UserError(f"{path} has no lines. Expected one JSON object a line.")


def first_wrong(error: ValidationError) -> str:
    """The first thing that is wrong, in one line, with the value seen."""
    first = error.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key {key!r}. Remove it or correct its spelling."
    if first["type"] == "missing":
        return f"key {key!r} is missing."
    seen = repr(first["input"])
    return f"{key + ': ' if key else ''}{first['msg']} (got {seen if len(seen) <= 80 else seen[:79] + '…'})."
