"""What the links in a text point at, as names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ingest.names import file_names, label_name, prose_name, unique

NOWHERE: Mapping[str, str] = MappingProxyType({})
"""The references of a document that has none."""


_MARKDOWN = re.compile(r"(?<!!)\[([^\[\]\n]{1,200})\]\(([^()\s]{1,300})[^()\n]{0,200}\)")
_WIKI = re.compile(r"\[\[([^\[\]|\n]{1,200})(?:\|[^\[\]\n]{0,200})?\]\]")
_REFERENCE = re.compile(r" {0,3}\[(?!\^)([^\[\]\n]{1,120})\]:[ \t]{0,8}<?([^\s<>]{1,300})")
_BY_REFERENCE = re.compile(r"(?<![\]!])\[(?!\^)([^\[\]\n]{1,200})\](?![(:])(?:\[([^\[\]\n]{0,120})\])?")
_XREF = re.compile(
    r"(?:\b(?:xref|link):|\binclude::|<<)([^\s<>\[\],]{1,200})(?:\[|,|(?=>>))[ \t]{0,8}([^<>\[\]\n]{0,200})(?:\]|>>)"
)
_ATTRIBUTE = re.compile(r"(?<!\$)\{([A-Za-z][\w-]{1,80})\}")
_DOC = re.compile(r":doc:`(?:([^`<]{0,200})<)?([^`<>\n]{1,200})>?`")
_RST = re.compile(r"`([^`<\n]{1,200})\s<([^`<>\s]{1,300})>`_")
# A file's path in a code span, or in quotes as templates include one another.
_PATH = re.compile(r"`(\.{0,2}/?[\w.-]+(?:/[\w.-]+)+)`|\"([\w.-]+(?:/[\w.-]+)*\.\w{1,5})\"")


def references(lines: Iterable[str]) -> dict[str, str]:
    """Return where Markdown's reference links lead: `[label]: target` lines, by their labels in lower case."""
    found = (_REFERENCE.match(line) for line in lines if "]:" in line)
    return {match.group(1).lower(): match.group(2) for match in found if match}


def link_names(text: str, path: str, leads: Mapping[str, str] = NOWHERE) -> tuple[str, ...]:
    """Return what a document at `path` links to: links' texts as prose names, the files they lead to as file names, the
    words of their anchors. Targets on other hosts give only their text. `leads` are the document's `references`."""
    found: list[str] = []
    for pattern in (_MARKDOWN, _RST, _DOC):
        for words, target in pattern.findall(text):
            found.append(prose_name(words))
            found += _target_names(target, path)
    for words, label in _BY_REFERENCE.findall(text) if leads else ():
        if target := leads.get((label or words).lower()):
            found += [prose_name(words), *_target_names(target, path)]
    found += [prose_name(part) for target in _WIKI.findall(text) for part in target.split("#")]
    for span, quoted in _PATH.findall(text):
        found += file_names(span or quoted)
    return unique(found)


def asciidoc_names(text: str, path: str) -> tuple[str, ...]:
    """Return what an AsciiDoc text at `path` links to: by `xref:`, `link:`, `include::` and `<<…>>`, and the attributes
    that it refers to. Anchors are named as labels and as words."""
    found: list[str] = []
    for target, words in _XREF.findall(text):
        file, _, anchor = target.rpartition("#") if "#" in target or "." not in target else (target, "", "")
        if "://" not in target:
            found += [*(file_names(resolved(file, path)) if file else []), *_anchor_names(anchor)]
        found.append(prose_name(words))
    for name in _ATTRIBUTE.findall(text):
        found += [name] if "-" in name or "_" in name else []
    return unique(found)


def _anchor_names(anchor: str) -> tuple[str, ...]:
    return (label_name(anchor), prose_name(anchor.replace("-", " "))) if anchor else ()


def resolved(target: str, path: str) -> str:
    """Return where a relative target leads, seen from the file at `path`; one that begins with `/` stays as it is."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target[:1] != "/" else target


def _target_names(target: str, path: str) -> list[str]:
    if "://" in target or target.startswith(("mailto:", "data:", "javascript:")):
        return []
    file, _, anchor = target.partition("#")
    return [*(file_names(resolved(file, path)) if file else []), prose_name(anchor.replace("-", " "))]
