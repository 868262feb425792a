"""Public question sets in our form, for `hoplite eval import`: HippoRAG's, 2WikiMultihopQA's and SWE-QA's files.

The first two become dataset folders with their corpus; SWE-QA's questions, about a repository, a question file.

Where the files come from, and what each set counts, is in docs/datasets.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Discriminator, Field, Tag, TypeAdapter, ValidationError

from evals.datasets import Question, Record
from ingest.errors import UserError

Passage = tuple[str, str]  # title and text: what makes two passages one


@dataclass(frozen=True, slots=True)
class Converted:
    """A dataset's corpus and questions. `dropped` are the ids of the questions that came without any passage."""

    records: tuple[Record, ...]
    questions: tuple[Question, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as any of the sets puts it, with its own passages; `gold` are those that hold the evidence."""

    id: str
    question: str
    answers: tuple[str, ...]
    type: str
    passages: tuple[Passage, ...]
    gold: tuple[Passage, ...]


# The sets carry more keys than are read here (decompositions, entity ids), so that unknown ones are let through.
class _MuSiQueParagraph(BaseModel):
    title: str
    paragraph_text: str
    is_supporting: bool


class _MuSiQue(BaseModel):
    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    answer: str
    answer_aliases: list[str]
    # The unanswerable half of the full MuSiQue marks no support and gives the answer of another text.
    answerable: Literal[True] = True
    paragraphs: list[_MuSiQueParagraph]

    def asked(self) -> _Asked:
        return _Asked(
            self.id,
            self.question,
            (self.answer, *self.answer_aliases),
            self.id.split("__")[0],  # 2hop, 3hop1: the id begins with how its hops hang together
            tuple((each.title, each.paragraph_text) for each in self.paragraphs),
            tuple((each.title, each.paragraph_text) for each in self.paragraphs if each.is_supporting),
        )


class _HotpotQA(BaseModel):
    id: str = Field(min_length=1, alias="_id")
    question: str = Field(min_length=1)
    answer: str
    type: str
    context: list[tuple[str, list[str]]] = []
    supporting_facts: list[tuple[str, int]]

    def asked(self, separator: str, place: str) -> _Asked:
        """`separator` stands between sentences. Raises UserError for support that no passage of the question has."""
        passages = tuple((title, separator.join(sentences)) for title, sentences in self.context)
        supporting = {title for title, _ in self.supporting_facts}
        if passages and (unknown := supporting - {title for title, _ in passages}):
            raise UserError(
                f"{place}: question {self.id!r} is supported by {min(unknown)!r}, which its context lacks. "
                "Correct or remove it."
            )
        gold = tuple(passage for passage in passages if passage[0] in supporting)
        return _Asked(self.id, self.question, (self.answer,), self.type, passages, gold)


class _SweQA(BaseModel):
    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    type: str
    files_in_answer: list[str]
    bare_files_in_answer: list[str]


class _CorpusEntry(BaseModel):
    title: str
    text: str


_T = TypeVar("_T")
# Which of its two forms a file has is seen before it is checked, so that an error speaks of that form alone.
_HIPPORAG_QUESTIONS: TypeAdapter[list[_MuSiQue | _HotpotQA]] = TypeAdapter(
    list[
        Annotated[
            Annotated[_MuSiQue, Tag("MuSiQue")] | Annotated[_HotpotQA, Tag("HotpotQA")],
            Discriminator(lambda row: "MuSiQue" if isinstance(row, dict) and "paragraphs" in row else "HotpotQA"),
        ]
    ]
)
_HIPPORAG_CORPUS: TypeAdapter[list[_CorpusEntry] | dict[str, list[str]]] = TypeAdapter(
    Annotated[
        Annotated[list[_CorpusEntry], Tag("list")] | Annotated[dict[str, list[str]], Tag("dict")],
        Discriminator(lambda entries: "dict" if isinstance(entries, dict) else "list"),
    ]
)
_WIKIHOP_QUESTION = TypeAdapter(_HotpotQA)
_SWE_QA_QUESTION = TypeAdapter(_SweQA)


def from_hipporag(questions: Path, corpus: Path) -> Converted:
    """Convert HippoRAG's files: questions as MuSiQue or HotpotQA has them, and one corpus for all of them.

    Raises UserError, which names the file, for one that cannot be read or has another form, an id given twice, a
    question without support, and support that the corpus lacks.
    """
    given = _checked(_HIPPORAG_QUESTIONS, source_bytes(questions), str(questions))
    entries = _checked(_HIPPORAG_CORPUS, source_bytes(corpus), str(corpus))
    if isinstance(entries, dict):
        passages = [(title, "".join(sentences)) for title, sentences in entries.items()]
    else:
        passages = [(entry.title, entry.text) for entry in entries]

    def asked(separator: str) -> list[_Asked]:
        return [row.asked() if isinstance(row, _MuSiQue) else row.asked(separator, str(questions)) for row in given]

    # HotpotQA's sentences begin with the space that parts them, 2WikiMultihopQA's do not.
    there, spaced = set(passages), asked(" ")
    found = all(there.issuperset(each.gold) for each in spaced)
    return _pool(passages, spaced if found else asked(""), questions, corpus)


def from_wikihop(path: Path) -> Converted:
    """Convert a JSON-lines file of 2WikiMultihopQA questions; the corpus is the passages of all of them, each once.

    Raises UserError, with file and line, for a line that is no such question; else as `from_hipporag`.
    """
    # 2WikiMultihopQA's sentences carry no space between them.
    asked = [row.asked(" ", place) for place, row in rows(_WIKIHOP_QUESTION, path)]
    return _pool([passage for each in asked for passage in each.passages], asked, path, path)


def from_swe_qa(path: Path, indexed: Sequence[str]) -> tuple[Question, ...]:
    """Return SWE-QA's questions with the indexed files that their reference answers cite.

    A cited name is a file's whole path or its end, where only one indexed file ends so. Questions of which nothing is
    left are left out, and so are the reference answers, whose words no short answer has. Raises UserError, with file
    and line, for a line that is no such question.
    """
    questions = []
    for _, row in rows(_SWE_QA_QUESTION, path):
        ends = [
            [file for file in indexed if file == name or file.endswith(f"/{name}")]
            for name in (*row.files_in_answer, *row.bare_files_in_answer)
        ]
        gold = tuple(dict.fromkeys(found[0] for found in ends if len(found) == 1))
        if gold:
            questions.append(Question(row.id, row.question, (), gold, row.type))
    return tuple(questions)


def rows(adapter: TypeAdapter[_T], path: Path) -> Iterator[tuple[str, _T]]:
    """Yield each line of a JSON-lines file that has anything on it, checked, with its place."""
    for number, line in enumerate(source_bytes(path).split(b"\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", _checked(adapter, line, f"{path}:{number}")


def write_dataset(folder: Path, converted: Converted) -> None:
    """Write `corpus.jsonl` and `questions.jsonl`. Raises UserError where either is there already."""
    records = ({"id": each.id, "title": each.title, "text": each.text} for each in converted.records)
    questions = (
        {
            "id": each.id,
            "question": each.question,
            "answers": each.answers,
            "supporting_ids": each.supporting,
            "type": each.type,
        }
        for each in converted.questions
    )
    if there := [name for name in ("corpus.jsonl", "questions.jsonl") if (folder / name).exists()]:
        raise UserError(f"{folder / there[0]} is there already. Give another --out.")
    _save(folder / "corpus.jsonl", records)
    _save(folder / "questions.jsonl", questions)


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write a question file about a workspace. Raises UserError where it is there already."""
    _save(
        path,
        (
            {"id": q.id, "question": q.question, "answers": q.answers, "supporting": q.supporting, "type": q.type}
            for q in questions
        ),
    )


def _save(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    """Write a JSON-lines file that is not there yet."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    except FileExistsError:
        raise UserError(f"{path} is there already. Give another --out.") from None
    except OSError as error:
        raise UserError(f"{error.filename} cannot be written ({error.strerror}). Give another --out.") from error


def _pool(passages: Iterable[Passage], asked: Sequence[_Asked], questions: Path, corpus: Path) -> Converted:
    """Number the passages in the order they come, each once, and turn each question's gold into those numbers."""
    ids = {passage: f"d{number:05d}" for number, passage in enumerate(dict.fromkeys(passages))}
    kept: dict[str, Question] = {}
    for each in asked:
        if not each.passages:
            continue
        if each.id in kept:
            raise UserError(f"{questions}: question id {each.id!r} comes twice. Remove one of the two.")
        if not each.gold:
            raise UserError(f"{questions}: question {each.id!r} has no supporting passage. Remove it.")
        if missing := [title for title, text in each.gold if (title, text) not in ids]:
            raise UserError(
                f"{corpus}: {missing[0]!r}, which supports question {each.id!r}, is not there with that text. "
                f"Give the corpus that belongs to {questions}."
            )
        supporting = tuple(dict.fromkeys(ids[passage] for passage in each.gold))
        kept[each.id] = Question(each.id, each.question, each.answers, supporting, each.type)
    if not kept:
        raise UserError(f"{questions} has no question with passages. Give a file of questions with their context.")
    records = tuple(Record(id, title, text) for (title, text), id in ids.items())
    return Converted(records, tuple(kept.values()), tuple(each.id for each in asked if not each.passages))


def source_bytes(path: Path) -> bytes:
    """Return what a source file holds, without a byte order mark. Raises UserError where it cannot be read."""
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). docs/datasets.md says where it is from.") from error


def _checked(adapter: TypeAdapter[_T], data: bytes, place: str) -> _T:
    """Parse and check JSON; the first thing that is wrong is the error, with its place inside the file."""
    try:
        return adapter.validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        inside = ".".join(map(str, first["loc"]))
        seen = repr(first["input"])
        got = seen if len(seen) <= 80 else seen[:79] + "…"
        raise UserError(
            f"{place}: {inside + ': ' if inside else ''}{first['msg']} (got {got}). "
            "Give the file that docs/datasets.md names."
        ) from error
