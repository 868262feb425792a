"""The grammars, each with the query that says what its language defines."""

from __future__ import annotations

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
LANGUAGES = frozenset(_WHEELS)
"""The languages that are cut by their grammar; other code is cut by its blank lines."""


@cache
def grammar(language: str) -> tuple[Language, Query]:
    """Return a language's grammar and its query. Both are immutable, so one of each serves a process."""
    from tree_sitter import Language, Query

    wheel, function, query = _WHEELS[language]
    loaded = Language(getattr(import_module(wheel), function)())
    return loaded, Query(loaded, (resources.files(__package__) / f"{query}.scm").read_text(encoding="utf-8"))
