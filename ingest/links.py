"""What the links in a text point at, as names."""

from __future__ import annotations

import posixpath
import re

from ingest.names import file_names, prose_name, unique

_MARKDOWN = re.compile(r"(?<!!)\[([^\[\]\n]{1,200})\]\(([^()\s]{1,300})[^()\n]{0,200}\)")
_WIKI = re.compile(r"\[\[([^\[\]|\n]{1,200})(?:\|[^\[\]\n]{0,200})?\]\]")
_DOC = re.compile(r":doc:`(?:([^`<]{0,200})<)?([^`<>\n]{1,200})>?`")
_RST = re.compile(r"`([^`<\n]{1,200})\s<([^`<>\s]{1,300})>`_")
# A file's path in a code span, or in quotes as templates include one another.
_PATH = re.compile(r"`(\.{0,2}/?[\w.-]+(?:/[\w.-]+)+)`|\"([\w.-]+(?:/[\w.-]+)*\.\w{1,5})\"")


def link_names(text: str, path: str) -> tuple[str, ...]:
    """Return what a document at `path` links to: links' texts as prose names, the files they lead to as file names, the
    words of their anchors. Targets on other hosts give only their text."""
    found: list[str] = []
    for pattern in (_MARKDOWN, _RST, _DOC):
        for words, target in pattern.findall(text):
            found.append(prose_name(words))
            found += _target_names(target, path)
    found += [prose_name(target) for target in _WIKI.findall(text)]
    for span, quoted in _PATH.findall(text):
        found += file_names(span or quoted)
    return unique(found)


def resolved(target: str, path: str) -> str:
    """Return where a relative target leads, seen from the file at `path`; one that begins with `/` stays as it is."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) if target[:1] != "/" else target


def _target_names(target: str, path: str) -> list[str]:
    if "://" in target or target.startswith(("mailto:", "data:", "javascript:")):
        return []
    file, _, anchor = target.partition("#")
    return [*(file_names(resolved(file, path)) if file else []), prose_name(anchor.replace("-", " "))]
