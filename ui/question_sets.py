"""Question sets that the page can ask: those that come along, and those of the indexed folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ingest.errors import UserError
from retrieval.workspace import Workspace
from ui.render import visible

KEPT = "sets"
"""The folder of a workspace with the sets that were made on the page."""

MOST = 100
"""Sets that are listed."""

_LOOKED_AT = 5_000  # entries of the indexed folder
_DEEP = 4  # folders below it
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """A file of questions, and the name it is chosen by."""

    name: str
    path: Path


def sets(workspace: Workspace) -> list[QuestionSet]:
    """Return the sets, those that were made here first, then those of the indexed folder, then those that come along.

    A file is taken for a set where it ends in .jsonl and its first line has a question; it is read when it is asked.
    """
    own = [QuestionSet(path.name, path) for path in sorted((workspace.folder / KEPT).glob("*.jsonl"))]
    found = [QuestionSet(workspace.shown(path), path) for path in _below(workspace.base)]
    shipped = [QuestionSet(f"shipped: {name}", path) for name, path in _shipped()]
    return [*own, *found, *shipped][:MOST]


def set_named(workspace: Workspace, said: str) -> QuestionSet:
    """Return the set that was chosen by its name, or whose path was typed.

    Raises UserError where there is none, where it is a dataset folder, which has a workspace of its own, and where it
    is neither shipped nor in the indexed folder: whoever reaches the page should not get to read the whole machine.
    """
    said = said.strip()
    if not said:
        raise UserError("Choose a question set, or type the path of one. `hoplite eval make` drafts some.")
    if found := next((each for each in sets(workspace) if each.name == said), None):
        return found
    shown = visible(said[:300])
    try:
        path = (workspace.base / Path(said).expanduser()).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"There is no question set {shown}. Choose one of the list, or type a file's path.") from error
    if not any(path.is_relative_to(root.resolve()) for root in (workspace.base, workspace.folder)):
        raise UserError(
            f"{shown} is outside of {visible(str(workspace.base))}. Move it there, or ask it with `hoplite eval run`."
        )
    if path.is_dir():
        raise UserError(
            f"{shown} is a folder. A dataset brings its own corpus: ask it with `hoplite eval run {shown}`."
        )
    return QuestionSet(workspace.shown(path), path)


def _below(base: Path) -> Iterator[Path]:
    """The files below a folder that look like question sets; hidden folders are left out, and links not followed."""
    left = _LOOKED_AT
    for folder, folders, files in os.walk(base):
        depth = len(Path(folder).relative_to(base).parts)
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _SKIPPED) if depth < _DEEP else []
        for name in sorted(files):
            left -= 1
            if left < 0:
                return
            path = Path(folder) / name
            if name.endswith(".jsonl") and not path.is_symlink() and _begins_with_a_question(path):
                yield path


def _begins_with_a_question(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b'"question"' in file.readline(65_536)
    except OSError:
        return False


def _shipped() -> Iterator[tuple[str, Path]]:
    root = Path(str(resources.files("evals.sets")))
    for path in sorted(root.rglob("*.jsonl")):
        if _begins_with_a_question(path):
            yield path.relative_to(root).with_suffix("").as_posix(), path
