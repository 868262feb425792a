"""The folder of a run as it is read: `run.json` says what was asked with what, `answers.jsonl` has a line an answer.

A folder can come from anybody: every line is checked, and nothing is held but where each answer begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from evals.datasets import first_wrong
from evals.types import Finished
from ingest.errors import UserError

FORMAT = 1
"""What this version writes and reads. Fields that have a default may be added within one format."""

RUN, ANSWERS = "run.json", "answers.jsonl"

LONGEST = 16_000_000
"""Bytes of a line, or of `run.json`, that are read; a longer one is damaged. Ten passages of ours take 12,000."""

Key = tuple[str, int]  # a question's id, and which of its repeats


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run was made with. `name` is its folder's; `fingerprint` is all that its answers depend on, by name."""

    name: str
    fingerprint: Mapping[str, str]
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer stands: the byte its line begins at and the line's number, and what it came to."""

    offset: int
    number: int
    failed: bool


class _Info(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    run: str
    fingerprint: dict[str, str]
    format: int = FORMAT


class _Format(BaseModel):
    format: int = FORMAT  # folders from before the number was written have the first one


class _Head(BaseModel):
    """What of a line is held while the others are read."""

    model_config = ConfigDict(strict=True)

    id: str
    repeat: int = 0
    error: str | None
    usage: dict[str, float] = {}


_Checked = TypeVar("_Checked")
_INFO, _FORMAT, _HEAD = TypeAdapter(_Info), TypeAdapter(_Format), TypeAdapter(_Head)
_FINISHED = TypeAdapter(Finished)


@dataclass(slots=True)
class Index:
    """Where each answer of a run stands, the last line of a question counting, in the order first asked.

    `size` is how many bytes of whole lines there are, `lines` how many lines, `usage` what all of them took; `priced`:
    each that was answered says what it cost.
    """

    places: dict[Key, Place]
    size: int
    lines: int
    usage: dict[str, float]
    priced: bool = True

    def add(self, key: Key, length: int, usage: Mapping[str, float], *, failed: bool) -> None:
        """Enter the next line, of so many bytes."""
        self.lines += 1
        self.places[key] = Place(self.size, self.lines, failed)
        self.size += length
        self.priced = self.priced and (failed or "dollars" in usage)
        for name, amount in usage.items():
            self.usage[name] = self.usage.get(name, 0.0) + amount


def read_run(folder: Path) -> RunInfo:
    """Return what a run was made with. Raises UserError where there is none, or it is damaged or of another format."""
    path = folder / RUN
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Give the folder of an `eval run --out`.") from error
    if (found := _checked(_FORMAT, data, f"{path} is damaged", _ASK_AGAIN).format) != FORMAT:
        raise UserError(f"{path} is of run format {found}; this version reads {FORMAT}. {_ASK_AGAIN}")
    info = _checked(_INFO, data, f"{path} is damaged", _ASK_AGAIN)
    return RunInfo(folder.resolve().name, info.fingerprint, info.format)


def finished(folder: Path) -> Iterator[Finished]:
    """Return the answers of a run one by one, each (id, repeat) once, in the order in which they were first asked.

    The last line of a question counts; a last line that a kill left torn does not. Raises UserError, with the file and
    the line, where there is no run, or it is damaged or of another format.
    """
    read_run(folder)
    path = folder / ANSWERS
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Give the folder of an `eval run --out`.") from error
    with file:
        index = scan(file, path)
    return _each(path, list(index.places.values()))


def answers(folder: Path) -> list[Finished]:
    """Return what `finished` does, all at once: for a run of some hundred questions."""
    return list(finished(folder))


def scan(file: BinaryIO, path: Path) -> Index:
    """Return where the answers stand. Raises UserError for a line that is none."""
    index = Index({}, 0, 0, {})
    file.seek(0)
    for raw in iter(lambda: file.readline(LONGEST), b""):
        if not raw.endswith(b"\n"):
            if len(raw) < LONGEST:
                break  # torn
            raise UserError(f"{path}:{index.lines + 1} is longer than {LONGEST:,} bytes. {_REMOVE}")
        head = _checked(_HEAD, raw, f"{path}:{index.lines + 1} is not a finished question", _REMOVE)
        index.add((head.id, head.repeat), len(raw), head.usage, failed=head.error is not None)
    return index


def at(file: BinaryIO, path: Path, place: Place) -> Finished:
    """Return the answer that stands there. Raises UserError where its line is damaged."""
    file.seek(place.offset)
    return _checked(_FINISHED, file.readline(LONGEST), f"{path}:{place.number} is not a finished question", _REMOVE)


_ASK_AGAIN = "Ask again, with another --out."
_REMOVE = "Remove the line; --resume asks its question again."


def _each(path: Path, places: list[Place]) -> Iterator[Finished]:
    with path.open("rb") as file:
        for place in places:
            yield at(file, path, place)


def _checked(adapter: TypeAdapter[_Checked], data: bytes, what: str, advice: str) -> _Checked:
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        raise UserError(f"{what} ({first_wrong(error)}) {advice}") from error
