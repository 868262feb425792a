"""What `hoplite demo` asks, and of what: this repository where it runs in a clone, else the shipped sample."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from retrieval.weights import user_cache

# Not `ui`, where the question stands, nor the README, which shows its answer: both would find themselves.
CLONE = ("docs", "ingest", "retrieval", "agent", "evals")
CLONE_QUESTION = (
    "How many seconds may a call of a model take before it is given up, "
    "by the constant that the command line's page names?"
)
SAMPLE_QUESTION = "For how many days are heron readings kept?"


@dataclass(frozen=True, slots=True)
class Demo:
    """What to index, from where, into which workspace, and what to ask when nothing else is asked."""

    base: Path
    paths: tuple[Path, ...]
    workspace: Path
    question: str


def prepare(root: Path | None = None) -> Demo:
    """Return the clone around this file (or `root`), or else the sample, copied to the user's cache."""
    root = root or Path(__file__).resolve().parent.parent
    if _is_clone(root):
        paths = tuple(root / name for name in CLONE if (root / name).exists())
        return Demo(root, paths, root / ".hoplite", CLONE_QUESTION)
    base = user_cache() / "sample"
    with resources.as_file(resources.files("ui") / "sample") as shipped:
        shutil.copytree(shipped, base, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return Demo(base, (base,), base / ".hoplite", SAMPLE_QUESTION)


def _is_clone(root: Path) -> bool:
    project = root / "pyproject.toml"
    return (root / "docs").is_dir() and project.is_file() and 'name = "hoplite"' in project.read_text(encoding="utf-8")
