"""The blocks of a prose text: headings, paragraphs and code, whatever the markup they are written in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest.front_matter import front_matter
from ingest.names import label_name, prose_name, unique

LONGEST_TITLE = 1_000
"""Characters of a heading that are read: longer ones are no headings, and patterns take the square of their length."""

_FENCE = re.compile(r"\s{0,12}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_ANCHOR = re.compile(r"\{#([\w:.-]{1,120})[^{}\n]{0,80}\}|<a\s[^<>\n]{0,200}?\b(?:id|name)=[\"']?([\w:.-]{1,120})")
_LONE_ANCHOR = re.compile(r"(?:<a\s[^<>\n]{0,300}(?:/>|>\s*</a>)\s*)+$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_LINK = re.compile(r"!?\[([^\[\]\n]*)\](?:\([^()\n]*\)|\[[^\[\]\n]*\])|\s*\{#[^}\n]*\}|</?\w+[^<>\n]*>")
_EMPHASIS = re.compile(r"\*\*|__(?=\S)|(?<=\S)__")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines `start` to `end` of a text, counted from 0, the end left out.

    `level` is 0, or a heading's depth from 1, and `title` what the heading says, its code spans kept. `code` blocks
    stay whole where they can; a `glued` one belongs to the block above it; one that `opens` describes a new thing; a
    `leader` belongs to what is below it. `scope` names the things that the block describes, outermost first. `mentions`
    are those that its text alone does not tell.
    """

    start: int
    end: int
    level: int = 0
    title: str = ""
    code: bool = False
    glued: bool = False
    opens: bool = False
    leader: bool = False
    scope: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()


def plain_blocks(lines: Sequence[str]) -> list[Block]:
    """Return the paragraphs: runs of lines between blank ones."""
    blocks: list[Block] = []
    start = None
    for i, line in enumerate([*lines, ""]):
        if line.strip():
            start = i if start is None else start
        elif start is not None:
            blocks.append(Block(start, i))
            start = None
    return blocks


def markdown_blocks(lines: Sequence[str]) -> list[Block]:
    """Return headings (`#` and underlined), fenced code, and the paragraphs between. Anchors are names."""
    blocks: list[Block] = []
    start = i = 0
    if head := front_matter(lines):
        blocks.append(Block(0, head.end, defines=head.defines, mentions=head.mentions))
        start = i = head.end

    def close(end: int) -> None:
        for b in plain_blocks(lines[start:end]):
            blocks.append(_anchored(Block(b.start + start, b.end + start), lines))

    while i < len(lines):
        line = lines[i]
        if fence := _FENCE.match(line):
            close(i)
            end = _fence_end(lines, i, fence.group(1))
            blocks.append(Block(i, end, code=True, glued=True))
            i = start = end
        elif heading := _ATX.match(line):
            close(i)
            title = line[heading.end() : heading.end() + LONGEST_TITLE].rstrip(" \t").rstrip("#")
            blocks.append(_anchored(Block(i, i + 1, level=len(heading.group(1)), title=_plain(title)), lines))
            i = start = i + 1
        elif i > start and (under := _SETEXT.match(line)) and _can_be_title(lines, start, i - 1):
            close(i - 1)
            level = 1 if under.group(1)[0] == "=" else 2
            title = lines[i - 1][:LONGEST_TITLE]
            blocks.append(_anchored(Block(i - 1, i + 1, level=level, title=_plain(title)), lines))
            i = start = i + 1
        else:
            i += 1
    close(len(lines))
    return blocks


def anchor_names(anchor: str) -> tuple[str, ...]:
    """Return what links to an anchor name it: itself as a label, and its words."""
    return unique((label_name(anchor), prose_name(anchor.replace("-", " "))))


def _anchored(block: Block, lines: Sequence[str]) -> Block:
    """Return the block with the anchors in it as names. A line of nothing else belongs to what is below it."""
    anchors: list[str] = []
    bare = not block.level
    for line in lines[block.start : block.end]:
        if "{#" in line or "<a" in line:
            anchors += ["".join(groups) for groups in _ANCHOR.findall(line)]
        bare = bare and line.startswith("<a") and bool(_LONE_ANCHOR.match(line[:LONGEST_TITLE]))
    if not anchors:
        return block
    return replace(block, leader=bare, defines=unique(name for anchor in anchors for name in anchor_names(anchor)))


def _fence_end(lines: Sequence[str], start: int, fence: str) -> int:
    closing = re.compile(rf"\s{{0,12}}{re.escape(fence[0])}{{{len(fence)},}}\s*$")
    return next((i + 1 for i in range(start + 1, len(lines)) if closing.match(lines[i])), len(lines))


def _can_be_title(lines: Sequence[str], start: int, i: int) -> bool:
    """A setext title is one line of its own; a longer paragraph before `---` is followed by a rule."""
    line = lines[i].strip()
    alone = i == start or not lines[i - 1].strip()
    return bool(line) and alone and not line.startswith(("|", "- ", "* ", ">", "+ "))


def _plain(title: str) -> str:
    """A heading without links' targets, anchors, tags and emphasis; code spans stay."""
    return _EMPHASIS.sub("", _LINK.sub(lambda match: match.group(1) or "", title)).strip()
