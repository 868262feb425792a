"""Drafts in files: the questions in one that is a question file, and what they were made of in one beside it.

A decision is on disk before the next is asked for: a kept question is in the file of kept ones first, and then out of
the drafts, so that a kill between the two loses nothing, and the next review knows it by its id.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from evals.datasets import Question, load_questions
from evals.make_types import DRAFT, Draft, Evidence
from ingest.errors import UserError


class _Passage(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    start_line: int
    end_line: int
    text: str


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    names: list[str]
    passages: list[_Passage]


def evidence_file(drafts: Path) -> Path:
    """Return where the passages of a file of drafts are: `mine.jsonl` has `mine.evidence.jsonl` beside it."""
    return drafts.with_name(f"{drafts.stem}.evidence.jsonl")


def write(path: Path, drafts: Sequence[Draft]) -> None:
    """Write drafts to a new file. Raises UserError where there is one, or it cannot be written."""
    refuse_existing(path)
    rows = [
        {
            "id": draft.question.id,
            "names": draft.names,
            "passages": [
                {"path": p.path, "start_line": p.start_line, "end_line": p.end_line, "text": p.text}
                for p in draft.passages
            ],
        }
        for draft in drafts
    ]
    _replace(evidence_file(path), rows)
    _replace(path, [_row(draft.question) for draft in drafts])


def refuse_existing(path: Path) -> None:
    """Raise UserError where a file of drafts would take the place of another file."""
    for file in (path, evidence_file(path)):
        if file.exists():
            raise UserError(f"{file} is there already. Name another file with --out, or go on with it: --review.")


def load(path: Path) -> list[Draft]:
    """Return what is still a draft in a file. Raises UserError, with file and line, for what is none."""
    passages = _passages(evidence_file(path))
    drafts = [question for question in load_questions(path) if DRAFT in question.tags]
    return [Draft(question, *passages.get(question.id, ((), ()))) for question in drafts]


class Review:
    """The drafts of a file, one after the other, and where the kept ones go.

    Lines are moved as they were written, so that whatever else they say stays.
    """

    def __init__(self, path: Path, kept: Path) -> None:
        """Raises UserError for files that cannot be read, and where both are one."""
        if path.resolve() == kept.resolve():
            raise UserError(f"Kept questions cannot go to the file of drafts itself, {path}. Name another with --out.")
        self._path = path
        self._kept = kept
        self._left = {draft.question.id: draft for draft in load(path)}
        self._rows = {row["id"]: row for row in map(orjson.loads, filter(bytes.strip, _lines(path)))}
        self.kept = self.dropped = 0
        for known in load_questions(kept) if kept.exists() and kept.stat().st_size else ():
            if known.id in self._left:
                self._out(known.id)  # kept by a review that was killed then

    @property
    def left(self) -> tuple[Draft, ...]:
        """The drafts that nobody has decided on, in the order of the file."""
        return tuple(self._left.values())

    def keep(self, draft: Draft, question: str = "", answers: Sequence[str] = ()) -> None:
        """Move a draft to the kept ones, with another question and other answers where they were edited."""
        row = dict(self._rows[draft.question.id])
        row["tags"] = [tag for tag in row["tags"] if tag != DRAFT]
        row["question"] = question or row["question"]
        row["answers"] = list(answers) or row.get("answers", [])
        _append(self._kept, row)
        self.kept += 1
        self._out(draft.question.id)

    def drop(self, draft: Draft) -> None:
        """Take a draft out of the file."""
        self.dropped += 1
        self._out(draft.question.id)

    def _out(self, id: str) -> None:
        del self._left[id], self._rows[id]
        if self._rows:
            _replace(self._path, self._rows.values())
        else:
            self._path.unlink()
        if not self._left:
            evidence_file(self._path).unlink(missing_ok=True)


def _passages(path: Path) -> Mapping[str, tuple[tuple[str, ...], tuple[Evidence, ...]]]:
    found: dict[str, tuple[tuple[str, ...], tuple[Evidence, ...]]] = {}
    for number, raw in enumerate(_lines(path), start=1):
        if raw.strip():
            try:
                line = _Line.model_validate_json(raw)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                where = ".".join(map(str, first["loc"])) or "the line"
                raise UserError(
                    f"{path}:{number}: {where}: {first['msg']}. Remove the file to review without passages."
                ) from error
            evidence = tuple(Evidence(p.path, p.start_line, p.end_line, p.text) for p in line.passages)
            found[line.id] = tuple(line.names), evidence
    return found


def _lines(path: Path) -> list[bytes]:
    """The lines of a file, none where there is no file."""
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Correct its permissions.") from error


def _row(question: Question) -> dict[str, object]:
    return {
        "id": question.id,
        "question": question.question,
        "answers": question.answers,
        "supporting": question.supporting,
        "type": question.type,
        "tags": question.tags,
    }


def _replace(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write a file whole or not at all, for its owner alone: it may hold text of the documents."""
    half = path.with_name(f".{path.name}.half")
    try:
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(orjson.dumps(row) + b"\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written ({error.strerror}). Check the folder and the disk.") from error


def _append(path: Path, row: Mapping[str, object]) -> None:
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600), "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                whole = file.read(1) == b"\n"
                file.seek(0, os.SEEK_END)
                file.write(b"" if whole else b"\n")
            file.write(orjson.dumps(row) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}). Check the folder and the disk.") from error
