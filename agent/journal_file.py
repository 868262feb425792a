"""The file of a run's journal: lines that are only ever added, each sealed with a secret of the user's.

A line is its seal and a record as JSON. A seal covers the one before it, so that no line can be changed, moved or left
out unseen: what a workspace from somebody else holds, and what a kill left half written, ends there.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 64_000_000
"""Of one file. A run of two code steps writes some 200,000."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The records of a file, `size` bytes of it, up to the first line that is not sealed; `seal` is the last one's.

    `rest` is how many bytes follow: a half-written line, or lines that somebody else wrote.
    """

    records: tuple[Mapping[str, Any], ...]
    size: int
    seal: str
    rest: int


def read(path: Path, secret: bytes) -> Contents:
    """Return what a file holds. Raises OSError."""
    with path.open("rb") as file:
        held = file.read(MOST_BYTES + 1)
    records, size, seal = [], 0, ""
    for line in held.splitlines(keepends=True):
        given, _, packed = line.partition(b" ")
        packed = packed.removesuffix(b"\n")
        expected = _sealed(seal, packed, secret)
        if not line.endswith(b"\n") or not hmac.compare_digest(given, expected.encode()):
            break
        records.append(json.loads(packed))
        size, seal = size + len(line), expected
    return Contents(tuple(records), size, seal, len(held) - size)


class Lines:
    """A file that is added to, private to the user."""

    def __init__(self, path: Path, secret: bytes, after: Contents | None = None) -> None:
        """Make the file, or go on behind what was read of it. Raises OSError, FileExistsError among it."""
        self._secret = secret
        self._size = after.size if after else 0
        self._seal = after.seal if after else ""
        new = 0 if after else os.O_CREAT | os.O_EXCL
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | new, 0o600)
        if after:
            os.ftruncate(self._file, after.size)

    def add(self, record: Mapping[str, Any], *, lasting: bool = True) -> None:
        """Write a record. A `lasting` one is on the disk when this returns, and outlives a power cut too; any outlives
        a kill. Raises OSError, and ValueError or TypeError for what is no JSON."""
        packed = json.dumps(record).encode()
        seal = _sealed(self._seal, packed, self._secret)
        line = b"%s %s\n" % (seal.encode(), packed)
        if self._size + len(line) > MOST_BYTES:
            raise OSError(f"it would be larger than {MOST_BYTES:,} bytes")
        _write(self._file, line)
        if lasting:
            os.fsync(self._file)
        self._seal, self._size = seal, self._size + len(line)

    def close(self) -> None:
        """Close the file; nothing can be added any more."""
        os.close(self._file)


def _write(file: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sealed(before: str, packed: bytes, secret: bytes) -> str:
    return hmac.digest(secret, before.encode() + packed, "sha256").hex()
