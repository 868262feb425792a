"""What the chunkers hand over: runs of lines with their place and names, before they get an identity."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SOFT = 1_200
"""Characters at which a chunk of prose is closed."""

HARD = 2_000
"""Characters that a chunk of prose never exceeds, but for fenced code, which stays whole up to twice this."""


_SENTENCE = re.compile(r"[^\W\d][.!?。！？]\s")
_SPLIT = 100_000
"""Characters of a giant line that are cut at sentences; the rest of it is cut blindly."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines `start` to `end` of a document's text, counted from 0, the end left out.

    `trail` is the way to it: headings, or classes and the function. `text` is set only where the piece is a part of
    one giant line.
    """

    start: int
    end: int
    trail: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    text: str | None = None
    calls: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()


def length(lines: Sequence[str], start: int, end: int) -> int:
    """Characters of lines `start` to `end`, line ends included."""
    return sum(len(line) + 1 for line in lines[start:end])


def trimmed(lines: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """Return the same range without the blank lines at its two ends."""
    while start < end and not lines[start].strip():
        start += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return start, end


def packed(lines: Sequence[str], start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """Cut a range into runs of whole lines of up to `limit` characters; a longer line is a run of its own."""
    runs: list[tuple[int, int]] = []
    size = 0
    for i in range(start, end):
        if not runs or size + len(lines[i]) + 1 > limit:
            runs.append((i, i + 1))
            size = 0
        else:
            runs[-1] = (runs[-1][0], i + 1)
        size += len(lines[i]) + 1
    return runs


def cut_blindly(line: str) -> list[str]:
    """Cut one giant line into parts of HARD characters."""
    return [line[i : i + HARD] for i in range(0, len(line), HARD)]


def cut_line(line: str) -> list[str]:
    """Cut one giant line into parts of up to HARD characters, at the ends of sentences where there are any."""
    if not _SENTENCE.search(line):
        return cut_blindly(line)
    # Imported here: a second of start-up that few documents ever need.
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(chunk_size=SOFT, chunk_overlap=0, tokenizer=list, include_metadata=False)
    # The splitter takes 6 s for a million characters; prose has no lines like that.
    blocks = [line[i : i + 20_000] for i in range(0, min(len(line), _SPLIT), 20_000)]
    return [part for block in blocks for part in splitter.split_text(block)] + cut_blindly(line[_SPLIT:])
