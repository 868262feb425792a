"""Which lines of a file of code make a chunk: a function each, small neighbours together, long ones cut."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from ingest.code_tree import CodeTree, Definition
from ingest.pieces import Piece, cut_blindly, packed, trimmed

if TYPE_CHECKING:
    from tree_sitter import Node

MERGED = 1_500
"""Characters up to which small neighbours share a chunk, and to which long code is cut."""

LONGEST = 2_000
"""Characters above which a function is cut."""

_SMALL_CLASS = 1_000
"""A class up to this many characters is one chunk with its methods."""

_TINY = 300
"""A definition up to this many characters may share a chunk with its neighbours."""

_TRIFLE = 120
"""Lines between definitions up to this many characters go with the definition above, which they are mostly about."""

_GIANT_LINE = 4_000
_DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Region:
    """Rows `start` to `end`, the end left out; `trail` to what they show, and `parent`, the trail to what is around."""

    start: int
    end: int
    trail: tuple[str, ...]
    parent: tuple[str, ...]
    role: str  # "definition", "head" of a container, or "gap" between definitions

    @property
    def is_gap(self) -> bool:
        return self.role == "gap"


def regions(tree: CodeTree, lines: Sequence[str]) -> list[Piece]:
    """Return nameless pieces that hold every non-blank line once, in order."""
    whole = _Layout(tree, lines)
    pieces: list[Piece] = []
    for region in whole.merged(whole.parts(0, len(lines), tree.definitions, ())):
        for start, end in whole.cut(region.start, region.end):
            start, end = trimmed(lines, start, end)
            if start == end:
                continue
            if end - start == 1 and len(lines[start]) > _GIANT_LINE:
                pieces += [Piece(start, end, region.trail, text=part) for part in cut_blindly(lines[start])]
            else:
                pieces.append(Piece(start, end, region.trail))
    return pieces


class _Layout:
    def __init__(self, tree: CodeTree, lines: Sequence[str]) -> None:
        self.tree = tree
        self.lines = lines
        # Characters before each line, line ends included.
        self.before = [0, *accumulate(len(line) + 1 for line in lines)]

    def length(self, start: int, end: int) -> int:
        """Characters of lines `start` to `end`, line ends included."""
        return self.before[end] - self.before[start]

    def parts(self, start: int, end: int, children: Sequence[Definition], trail: tuple[str, ...]) -> list[Region]:
        """Return what rows `start` to `end` of a file or container consist of, in order."""
        found: list[Region] = []
        cursor = start
        role = "head" if trail else "gap"
        for child in children:
            last = min(child.end, end)
            if child.start < cursor:
                # Shares a line with what is before it, so lines cannot tell them apart.
                if last > cursor:
                    found[-1] = replace(found[-1], end=last)
                    cursor = last
                continue
            first = max(self._with_leading(child.start), cursor)
            if cursor < first:
                found.append(Region(cursor, first, trail, trail, role))
            role = "gap"
            own = (*trail, *child.name)
            if child.is_container and child.children and self.length(first, last) > _SMALL_CLASS:
                found += self.parts(first, last, child.children, own)
            else:
                found.append(Region(first, last, own, trail, "definition"))
            cursor = last
        if cursor < end:
            found.append(Region(cursor, end, trail, trail, role))
        return found

    def _with_leading(self, row: int) -> int:
        while row and row - 1 in self.tree.leading:
            row -= 1
        return row

    def merged(self, found: Sequence[Region]) -> list[Region]:
        """Join trifles to what is above them, and tiny neighbours of one parent to one another."""
        out: list[Region] = []
        for region in found:
            start, end = trimmed(self.lines, region.start, region.end)
            if start == end:
                continue
            region = replace(region, start=start, end=end)
            if out and (joined := self._join(out[-1], region)):
                out[-1] = joined
            else:
                out.append(region)
        return out

    def _join(self, above: Region, below: Region) -> Region | None:
        size = self.length(above.start, below.end)
        if below.is_gap and not any(c.isalnum() for row in self._rows(below) for c in row):
            return replace(above, end=below.end)  # a closing brace
        if above.parent != below.parent or below.role == "head" or size > LONGEST:
            return None
        if above.role == "head" and below.role == "definition" and above.end - above.start == 1:
            return replace(below, start=above.start)  # `class Name:` and nothing else
        if size > MERGED:
            return None
        if (
            below.is_gap
            and not above.is_gap
            and self._size(below) <= _TRIFLE
            and below.end - 1 not in self.tree.leading
        ):
            return replace(above, end=below.end)
        if above.role == "head" or not (self._is_small(above) and self._is_small(below)):
            return None
        if above.is_gap and not below.is_gap and self._size(above) <= _TRIFLE:
            return replace(below, start=above.start)
        return Region(above.start, below.end, above.parent, above.parent, "gap")

    def _is_small(self, region: Region) -> bool:
        return region.is_gap or self._size(region) <= _TINY

    def _size(self, region: Region) -> int:
        return self.length(region.start, region.end)

    def _rows(self, region: Region) -> Sequence[str]:
        return self.lines[region.start : region.end]

    def cut(self, start: int, end: int) -> list[tuple[int, int]]:
        """Cut rows that are too many for one chunk where statements begin, the outermost first."""
        if self.length(start, end) <= LONGEST:
            return [(start, end)]
        runs: list[tuple[int, int]] = []
        for first, last in self._atoms(self.tree.root, start, end, 0):
            if runs and self.length(runs[-1][0], last) <= MERGED:
                runs[-1] = (runs[-1][0], last)
            else:
                runs.append((first, last))
        return runs

    def _atoms(self, node: Node, start: int, end: int, depth: int) -> Iterator[tuple[int, int]]:
        """Yield rows from `start` to `end` in runs short enough, each beginning where a part of `node` does."""
        if self.length(start, end) <= MERGED:
            yield start, end
            return
        inside = [c for c in node.named_children if c.start_point.row < end and c.end_point.row >= start]
        rows = sorted({c.start_point.row for c in inside if c.start_point.row > start})
        rows = [row for row in rows if row - 1 not in self.tree.leading]
        largest = max(inside, key=lambda c: c.end_byte - c.start_byte, default=None)
        if largest is None or depth > _DEEPEST:
            yield from packed(self.lines, start, end, MERGED)
        elif not rows:
            yield from self._atoms(largest, start, end, depth + 1)
        else:
            bounds = [start, *rows, end]
            # Siblings do not overlap, so both lists ascend; looking at each sibling for each row took 7 s for four
            # thousand lines.
            starts, ends = [c.start_point.row for c in inside], [c.end_point.row for c in inside]
            for first, last in pairwise(bounds):
                own = inside[bisect_left(ends, first) : bisect_left(starts, last)]
                heaviest = max(own, key=lambda c: c.end_byte - c.start_byte, default=None)
                if heaviest is None:
                    yield from packed(self.lines, first, last, MERGED)
                else:
                    yield from self._atoms(heaviest, first, last, depth + 1)
