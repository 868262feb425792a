"""A file of JSON lines beside a run that grows by a line at a time. Of several lines about a thing the last counts."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.datasets import first_wrong
from ingest.errors import UserError

Key = tuple[str, int]
"""Which answer of a run: the question's id, and which of its repeats."""


class Line(BaseModel):
    """What every line has: the answer that it is about."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(min_length=1)
    repeat: int = Field(0, ge=0)

    @property
    def key(self) -> Key:
        """The answer that the line is about."""
        return self.id, self.repeat


Read = TypeVar("Read", bound=BaseModel)


def read(path: Path, model: type[Read]) -> list[Read]:
    """Return the lines of a file, none where there is no file. A last line that a kill left torn does not count.

    Raises UserError, with file and line, for one that is no such object.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Correct its permissions.") from error
    found = []
    # Split at b"\n" alone: str.splitlines would also split at U+2028, which is legal inside a JSON string.
    for number, raw in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            found.append(model.model_validate_json(raw))
        except ValidationError as error:
            raise UserError(f"{path}:{number} is damaged: {first_wrong(error)} Or remove the line.") from error
    return found


def append(path: Path, *lines: BaseModel) -> None:
    """Write lines to the end of a file that is the user's alone; they are on disk when this returns.

    What a kill left of a line is cut off first. Raises UserError where the file cannot be written.
    """
    data = b"".join(line.model_dump_json(exclude_none=True).encode() + b"\n" for line in lines)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # a line is soon written: whoever holds it is waited for
            whole = _whole(path.stat().st_size, file.fileno())
            file.truncate(whole)
            file.seek(whole)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}). Check the disk and its rights.") from error


def _whole(size: int, descriptor: int) -> int:
    """How many bytes of whole lines a file of this size has, read from its end."""
    block = 1 << 16
    while size:
        start = max(0, size - block)
        at = os.pread(descriptor, size - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        size = start
    return 0


def clean(text: str, longest: int) -> str:
    """Return text as it can be written: without halves of surrogate pairs, cut to so many characters."""
    return text.encode("utf-8", "replace").decode()[:longest]
