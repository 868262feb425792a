"""Which tests hold what was promised: lists of tests by node id, each of which must exist."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def missing(places: Iterable[str]) -> list[str]:
    """Return those of the tests, given as `FILE::NAME` from the root of the repository, that are not there."""
    return [place for place in places if not _exists(*place.split("::"))]


def _exists(file: str, name: str) -> bool:
    path = ROOT / file
    return path.is_file() and f"def {name}(" in path.read_text(encoding="utf-8")
