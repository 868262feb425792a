"""The parts of a passage that can be quoted: sentences of prose, lines of code, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.sentences import blocks, sentences
from ingest.types import Kind
from retrieval.types import Passage

LONGEST_QUOTE = 400
"""Characters of the longest unit; a longer sentence or line is cut into several."""

_WINDOW = 3
"""Lines of code in the longest unit: a signature, a call with its arguments, a constant with its comment."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A quotable part of a passage. `text` is the source's, with runs of white space as one space.

    `start` and `end` are lines counted from 0 within the passage's text, both included.
    """

    passage: Passage
    text: str
    start: int
    end: int


def units(passage: Passage, kind: Kind) -> list[Unit]:
    """Return the passage's quotable parts, in order."""
    found = _code(passage) if kind == "code" else _prose(passage)
    return [unit for unit in found if any(c.isalnum() for c in unit.text)]


def squeeze(text: str) -> str:
    """Return the text with every run of white space as one space: how a quote is compared with its source."""
    return " ".join(text.split())


def _code(passage: Passage) -> Iterator[Unit]:
    lines = passage.text.splitlines()
    filled = [i for i, line in enumerate(lines) if line.strip()]
    for at in range(len(filled)):
        for size in range(1, _WINDOW + 1):
            run = filled[at : at + size]
            text = squeeze(" ".join(lines[run[0] : run[-1] + 1]))
            if len(run) == size and (size == 1 or len(text) <= LONGEST_QUOTE):
                yield from (Unit(passage, part, run[0], run[-1]) for part in _cut(text))


def _prose(passage: Passage) -> Iterator[Unit]:
    lines = passage.text.splitlines()
    for start, end in blocks(lines):
        yield from _block(passage, lines, start, end)


def _block(passage: Passage, lines: list[str], start: int, end: int) -> Iterator[Unit]:
    """Split the lines from `start` up to `end` into sentences, and find the lines that each one stands on."""
    joined = squeeze(" ".join(lines[start:end]))
    ends: list[int] = []  # where in `joined` each line ends
    for i in range(start, end):
        ends.append(len(squeeze(" ".join(lines[start : i + 1]))))
    at = 0
    for sentence in sentences(joined):
        for part in _cut(sentence):
            at = joined.index(part, at)
            last = at + len(part)
            first_line = next(i for i, e in enumerate(ends) if at < e)
            last_line = next(i for i, e in enumerate(ends) if last <= e)
            yield Unit(passage, part, start + first_line, start + last_line)
            at = last


def _cut(text: str) -> Iterator[str]:
    """Yield pieces of at most `LONGEST_QUOTE` characters, cut at a space where there is one."""
    while len(text) > LONGEST_QUOTE:
        at = text.rfind(" ", 1, LONGEST_QUOTE)
        at = at if at > 0 else LONGEST_QUOTE
        yield text[:at].rstrip()
        text = text[at:].lstrip()
    if text:
        yield text
