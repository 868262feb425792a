"""Hits that say the same: a text counts once, at its best place, and knows where its copies stand.

Fifty copies of one page must not fill the first five places, whether somebody vendored them or wants to be believed.
What differs in a number is no copy: two versions of a page that give two limits say two things.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ingest.types import Chunk
from retrieval.copies import signature
from retrieval.types import Hit

SHINGLE = 5
"""Words that follow one another, compared as one."""

ALIKE = 0.8
"""The part of two texts' shingles, of those that either has, that both have where one is a copy of the other."""

FEW = 20
"""Words below which a text says little without its heading, and is a copy only of the same text under the same one."""

_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class _Print:
    """What a chunk is compared by: its words, and of prose its shingles and the numbers that its heading lacks."""

    same: str
    shingles: frozenset[int] = frozenset()
    numbers: frozenset[str] = frozenset()

    def alike(self, other: _Print) -> bool:
        if self.numbers != other.numbers:
            return False
        both = len(self.shingles & other.shingles)
        return both >= ALIKE * (len(self.shingles) + len(other.shingles) - both)


class Distinct:
    """Collects hits, best first, each text once."""

    def __init__(self, limit: int | None = None) -> None:
        """Beyond `limit` texts only copies of those are noted."""
        self._limit = limit
        self._hits: list[Hit] = []
        self._prints: list[_Print] = []
        self._same: dict[str, int] = {}
        self._signed: dict[int, list[int]] = {}

    @property
    def hits(self) -> tuple[Hit, ...]:
        """What was collected, in the order in which it came, each with its copies among all that was added."""
        return tuple(self._hits)

    @property
    def full(self) -> bool:
        """Whether there are as many texts as were wanted."""
        return self._limit is not None and len(self._hits) >= self._limit

    def add(self, hit: Hit) -> None:
        """Take a hit, or note it with the one that it is a copy of."""
        made = _print(hit.chunk)
        at = self._found(made)
        if at is not None:
            kept = self._hits[at]
            self._hits[at] = replace(kept, copies=(*kept.copies, hit.chunk, *hit.copies))
        elif not self.full:
            self._same[made.same] = at = len(self._hits)
            for key in signature(made.shingles):
                self._signed.setdefault(key, []).append(at)
            self._prints.append(made)
            self._hits.append(hit)

    def _found(self, made: _Print) -> int | None:
        """The place of the first hit that this is a copy of. Candidates are those with a key of its signature."""
        if made.same in self._same:
            return self._same[made.same]
        candidates = sorted({at for key in signature(made.shingles) for at in self._signed.get(key, ())})
        return next((at for at in candidates if self._prints[at].alike(made)), None)


def distinct(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """Return the hits with each text once, at its first place."""
    collected = Distinct()
    for hit in hits:
        collected.add(hit)
    return collected.hits


def _print(chunk: Chunk) -> _Print:
    words = _WORD.findall(chunk.text.casefold())
    # Without its words, a rule or a table's frame, a text is what its characters are.
    same = " ".join(chunk.text.casefold().split())
    heading = chunk.header.removeprefix(chunk.path).casefold()
    if len(words) < FEW:
        return _Print(f"{heading}\n{same}")
    if chunk.kind == "code":
        return _Print(same)  # nearly the same code, for async or for another type, is other code
    shingles = (" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))
    headed = set(_WORD.findall(heading))
    return _Print(
        same,
        frozenset(zlib.crc32(shingle.encode("utf-8", "surrogatepass")) for shingle in shingles),
        frozenset(word for word in words if word not in headed and _DIGIT.search(word)),
    )
