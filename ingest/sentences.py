"""Sentences: where prose divides, in text that may be hard-wrapped, and hold headings, lists and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# Lines that begin a block of their own, and lines after which one begins.
_BREAK = re.compile(r"^\s*(?:#{1,6}\s|[-*+•]\s|\d+[.)]\s|\||>|\.\. |={3,}|-{3,}|~{3,}|$)")
_ALONE = re.compile(r"^\s*(?:#{1,6}\s|\||={3,}|-{3,}|~{3,}|$)")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[`*_]*[A-Z0-9À-Þ`])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|Prof|Gen|Col|Lt|Rev|No|vs|cf|ca|e\.g|i\.e|etc|Inc|Ltd|Co|Corp)|\b[A-Z])\.$"
)


def blocks(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of lines, the end left out, that sentences do not cross: paragraphs, items, headings, rows."""
    start = 0
    for at in range(len(lines) + 1):
        if at == len(lines) or (at > start and (_BREAK.match(lines[at]) or _ALONE.match(lines[at - 1]))):
            yield start, at
            start = at


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, without splitting after initials and common abbreviations."""
    parts: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text[start : match.start()]):
            parts.append(text[start : match.end()].strip())
            start = match.end()
    parts.append(text[start:].strip())
    return [part for part in parts if part]
