"""The grammars, each with the query that says what its language defines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Query

# Language: the wheel that has its grammar, the function in it, the query file.
_WHEELS = {
    "python": ("tree_sitter_python", "language", "python"),
    "javascript": ("tree_sitter_javascript", "language", "javascript"),
    "typescript": ("tree_sitter_typescript", "language_typescript", "typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx", "typescript"),
    "go": ("tree_sitter_go", "language", "go"),
    "rust": ("tree_sitter_rust", "language", "rust"),
    "java": ("tree_sitter_java", "language", "java"),
    "c": ("tree_sitter_c", "language", "c"),
    "cpp": ("tree_sitter_cpp", "language", "cpp"),
}
_GROUPED = re.compile(r"@(?:name|imported|made|same)\b")
LANGUAGES = frozenset(_WHEELS)
"""The languages that are cut by their grammar; other code is cut by its blank lines."""


@dataclass(frozen=True, slots=True)
class Queries:
    """A language's query in two: patterns whose captures belong together, and those whose captures each stand alone."""

    groups: Query
    marks: Query


@cache
def grammar(language: str) -> tuple[Language, Queries]:
    """Return a language's grammar and its queries. All are immutable, so one of each serves a process."""
    from tree_sitter import Language, Query

    wheel, function, query = _WHEELS[language]
    loaded = Language(getattr(import_module(wheel), function)())
    patterns = _patterns((resources.files(__package__) / f"{query}.scm").read_text(encoding="utf-8"))
    groups = [pattern for pattern in patterns if _GROUPED.search(pattern)]
    marks = [pattern for pattern in patterns if not _GROUPED.search(pattern)]
    return loaded, Queries(Query(loaded, "\n".join(groups)), Query(loaded, "\n".join(marks)))


def _patterns(query: str) -> list[str]:
    """Cut a query into its top-level patterns, each with its captures and predicates; every one begins a line."""
    lines = [line for line in query.split("\n") if not line.startswith(";")]
    return [pattern for pattern in re.split(r"\n(?=[(\[])", "\n".join(lines)) if pattern.strip()]
