"""The grammars, each with the query that says what its language defines."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module, resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Language, Query

# Language: the wheel that has its grammar, the function in it, and the query files, which are read as one.
_WHEELS = {
    "python": ("tree_sitter_python", "language", ("python",)),
    "javascript": ("tree_sitter_javascript", "language", ("script", "javascript")),
    "typescript": ("tree_sitter_typescript", "language_typescript", ("script", "typescript")),
    "tsx": ("tree_sitter_typescript", "language_tsx", ("script", "typescript")),
    "go": ("tree_sitter_go", "language", ("go",)),
    "rust": ("tree_sitter_rust", "language", ("rust",)),
    "java": ("tree_sitter_java", "language", ("java",)),
    "c": ("tree_sitter_c", "language", ("c",)),
    "cpp": ("tree_sitter_cpp", "language", ("c", "cpp")),
    "csharp": ("tree_sitter_c_sharp", "language", ("csharp",)),
    "kotlin": ("tree_sitter_kotlin", "language", ("kotlin",)),
    "scala": ("tree_sitter_scala", "language", ("scala",)),
    "swift": ("tree_sitter_swift", "language", ("swift",)),
    "ruby": ("tree_sitter_ruby", "language", ("ruby",)),
    "php": ("tree_sitter_php", "language_php", ("php",)),
    "shell": ("tree_sitter_bash", "language", ("shell",)),
    "lua": ("tree_sitter_lua", "language", ("lua",)),
    "elixir": ("tree_sitter_elixir", "language", ("elixir",)),
    "terraform": ("tree_sitter_hcl", "language", ("terraform",)),
    "sql": ("tree_sitter_sql", "language", ("sql",)),
    "css": ("tree_sitter_css", "language", ("css",)),
}
_GROUPED = re.compile(r"@(?:name|imported|made|same)\b")
# What a pattern says of itself, and the pattern; every one begins a line.
_PATTERN = re.compile(r"^(?:;; held: (.*)\n)?([(\[].*(?:\n(?![(\[;]).*)*)", re.M)
LANGUAGES = frozenset(_WHEELS)
"""The languages that are cut by their grammar where its wheel is installed; other code is cut by its blank lines."""


class Asked(NamedTuple):
    """A pattern that is asked only of nodes of its `kind` round the places where the source holds a text."""

    held: re.Pattern[bytes]
    kind: str
    query: Query


class Queries(NamedTuple):
    """A language's query in three: patterns whose captures belong together, those whose captures each stand alone, and
    of the latter the ones that say by a first line `;; held: …` what the source holds where they match, a regular
    expression. That pays for what is tried at every call: Python's two, for options and routes, took two thirds of the
    time of all marks."""

    groups: Query
    marks: Query
    asked: tuple[Asked, ...]


@cache
def grammar(language: str) -> tuple[Language, Queries]:
    """Return the grammar and the queries of one of `LANGUAGES`. All are immutable, so one of each serves a process.

    Raises:
        ImportError: the language's wheel is not installed.
    """
    from tree_sitter import Language, Query

    wheel, function, queries = _WHEELS[language]
    loaded = Language(getattr(import_module(wheel), function)())
    texts = [(resources.files(__package__) / f"{query}.scm").read_text(encoding="utf-8") for query in queries]
    groups: list[str] = []
    marks: list[str] = []
    asked: list[Asked] = []
    for said, pattern in _PATTERN.findall("\n".join(texts)):
        if said:
            asked.append(Asked(re.compile(said.encode()), pattern[1 : pattern.index(" ")], Query(loaded, pattern)))
        else:
            (groups if _GROUPED.search(pattern) else marks).append(pattern)
    return loaded, Queries(Query(loaded, "\n".join(groups)), Query(loaded, "\n".join(marks)), tuple(asked))


@cache
def has_grammar(language: str) -> bool:
    """True where a language can be cut by its grammar. A wheel that cannot be imported is found out once a process."""
    if language not in LANGUAGES:
        return False
    try:
        grammar(language)
    except ImportError:
        return False
    return True


def package_of(language: str) -> str:
    """Return the name under which pip installs the grammar of one of `LANGUAGES`."""
    return _WHEELS[language][0].replace("_", "-")
