"""Text of documents written as Markdown, for the loaders of formats that are not text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# What would begin a heading, a fence, a rule or an underline where the document has plain text.
_MARKUP = re.compile(r"^(\s*)(?=#{1,6}\s|`{3}|~{3}|=+\s*$|-+\s*$)")
_SPACE = re.compile(r"[ \t\u00a0\u2007\u202f]+")


def plain(text: str) -> str:
    """Return a document's own text so that no line of it reads as markup.

    >>> plain("# not a heading")
    '\\\\# not a heading'
    """
    return "\n".join(_MARKUP.sub(r"\1\\", line) for line in text.split("\n"))


def heading(level: int, title: str) -> str:
    """Return a heading line, on one line whatever the title holds; "" where it holds nothing."""
    title = squeezed(title)
    return f"{'#' * min(max(level, 1), 6)} {title}" if title else ""


def squeezed(text: str) -> str:
    """Return text on one line, with single spaces."""
    return " ".join(text.split())


def spaced(text: str) -> str:
    """Return a line with runs of spaces of any width as one."""
    return _SPACE.sub(" ", text).strip()


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table, the first row as its head; "" where every cell is empty."""
    kept = [[squeezed(cell).replace("|", "\\|") for cell in row] for row in rows]
    kept = [row for row in kept if any(row)]
    if not kept:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in kept]
    return "\n".join([lines[0], f"|{' --- |' * len(kept[0])}", *lines[1:]])


def blocks(parts: Iterable[str]) -> str:
    """Return the parts that hold something, a blank line between them."""
    return "\n\n".join(part for part in parts if part.strip())
