"""The blocks of an AsciiDoc document, with the anchors and attributes that it defines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.names import prose_name, unique
from ingest.outline import LONGEST_TITLE, Block, anchor_names, plain_blocks

_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]{1,20}(?=\S)")
_ANCHORS = re.compile(
    r"\[\[([^\[\],\n]{1,120})(?:,[^\[\]\n]{0,200})?\]\]|\[#([\w:.-]{1,120})\]?"
    r"|\[id=[\"']?([\w:.-]{1,120})|\banchor:([\w:.-]{1,120})\["
)
_ATTRIBUTE = re.compile(r":([\w][\w-]{1,80}):(?:[ \t]|$)")
_ABOVE = re.compile(r"\[.*\]\s*$|\.[^\s.]")  # `[source,python]`, `.A block's title`
_UNDERLINES = "=-~^+"
_VERBATIM = ("----", "....", "++++", "////", "```")


def asciidoc_blocks(lines: Sequence[str]) -> list[Block]:
    """Return headings (`== Title`, or underlined), listings, and the paragraphs between. Attributes of several words
    are names, and so are anchors."""
    blocks: list[Block] = []
    start = i = 0

    def close(end: int) -> None:
        for b in plain_blocks(lines[start:end]):
            blocks.append(_paragraph(lines, start + b.start, start + b.end))

    while i < len(lines):
        line = lines[i]
        level, title, rows = _heading(lines, i)
        if level:
            close(i)
            blocks.append(Block(i, i + rows, level=level, title=_plain(title), defines=_anchors(title)))
            i = start = i + rows
        elif _opens_listing(line):
            # Its attributes and title stand right above it.
            first = i
            while first > start and _ABOVE.match(lines[first - 1]):
                first -= 1
            close(first)
            mark = line.rstrip()[:3] if line.startswith("```") else line.rstrip()
            end = next((at + 1 for at in range(i + 1, len(lines)) if lines[at].rstrip() == mark), len(lines))
            blocks.append(Block(first, end, code=True, glued=True, defines=_anchors("\n".join(lines[first:i]))))
            i = start = end
        else:
            i += 1
    close(len(lines))
    return blocks


def _heading(lines: Sequence[str], i: int) -> tuple[int, str, int]:
    """Return a heading's level, its text and its lines; level 0 where there is none."""
    line = lines[i]
    if match := _HEADING.match(line):
        return len(match.group(1)), line[match.end() : match.end() + LONGEST_TITLE], 1
    below = lines[i + 1].rstrip() if i + 1 < len(lines) else ""
    if len(below) < 3 or below[0] not in _UNDERLINES or (i and lines[i - 1].strip() and lines[i - 1][:1] != "["):
        return 0, "", 0
    text = line.rstrip()
    if not (text[:1].isalnum() and abs(len(text) - len(below)) <= 2 and below == below[0] * len(below)):
        return 0, "", 0
    return _UNDERLINES.index(below[0]) + 1, text[:LONGEST_TITLE], 2


def _opens_listing(line: str) -> bool:
    mark = line.rstrip()
    if mark.startswith("```"):
        return "`" not in mark[3:]
    return mark[:4] in _VERBATIM and mark == mark[0] * len(mark)


def _paragraph(lines: Sequence[str], start: int, end: int) -> Block:
    defines: list[str] = []
    leader = True
    for line in lines[start:end]:
        if match := _ATTRIBUTE.match(line):
            name = match.group(1)
            if "-" in name or "_" in name:
                defines += [name, prose_name(name)]
        defines += _anchors(line)
        leader = leader and line.startswith("[") and line.rstrip().endswith("]")
    return Block(start, end, leader=leader, defines=unique(defines))


def _anchors(text: str) -> tuple[str, ...]:
    if "[" not in text:
        return ()
    return unique(name for groups in _ANCHORS.findall(text) for name in anchor_names("".join(groups)))


def _plain(title: str) -> str:
    """A heading without its anchors and closing marks; code spans stay."""
    return _ANCHORS.sub("", title).replace("[[", "").rstrip("= \t").strip()
