"""Code as pieces: a function each, with what it defines and mentions."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.code_names import named
from ingest.code_regions import regions
from ingest.code_tree import parse
from ingest.pieces import Piece


def code_pieces(text: str, lines: Sequence[str], language: str, path: str) -> list[Piece]:
    """Return the pieces of a file in one of `grammar.LANGUAGES`. Each non-blank line is in exactly one."""
    data = text.encode("utf-8", "replace")
    tree = parse(data, language)
    return named(regions(tree, lines), tree, data, language, path)
