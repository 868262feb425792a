"""Imports point one way, floor by floor."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ["ingest", "retrieval", "agent", "evals", "ui"]


def imported(path: Path) -> set[str]:
    """The top-level packages a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("floor", FLOORS)
def test_no_floor_imports_a_higher_one(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    wrong = {str(p.relative_to(ROOT)): imported(p) & above for p in (ROOT / floor).rglob("*.py") if imported(p) & above}
    assert not wrong


def test_the_locked_child_imports_only_the_standard_library() -> None:
    for path in (ROOT / "ingest" / "locked").glob("child*.py"):
        assert not imported(path) & {*FLOORS, "numpy", "smolagents"}
