"""The blocks of an MDX page: Markdown, with imports and components between its paragraphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ingest.links import resolved
from ingest.names import file_names, unique, with_tails
from ingest.outline import Block, markdown_blocks

_MODULE = re.compile(r"^(?:import|export)\b[ \t]{0,8}[\w{*\"'(].*(?:\n.+)*", re.MULTILINE)
_BOUND = re.compile(r"[A-Za-z_$][\w$]{1,80}")
_IMPORT = re.compile(r"import\b([^\"';]{0,500})[\"']([^\"'\n]{1,300})[\"']")
_EXPORT = re.compile(
    r"export[ \t]{1,8}(?:default[ \t]{1,8})?(?:const|let|var|function|class)[ \t]{1,8}([A-Za-z_$][\w$]{1,80})"
)
_COMPONENT = re.compile(r"</?([A-Z][\w.]{0,80})")
_WORDS = frozenset({"import", "from", "as", "default", "type"})


def mdx_blocks(lines: Sequence[str], path: str) -> list[Block]:
    """Return the blocks of Markdown. Exports are names that the page defines; what it imports, and the components that
    it shows, are names that it mentions."""
    blocks = []
    for block in markdown_blocks(lines):
        text = "" if block.code else "\n".join(lines[block.start : block.end])
        defines, mentions = list(block.defines), list(block.mentions)
        for module in _MODULE.findall(text):
            defines += _EXPORT.findall(module)
            for bound, source in _IMPORT.findall(module):
                mentions += [name for name in _BOUND.findall(bound) if name not in _WORDS]
                mentions += file_names(resolved(source, path) if source.startswith(".") else source)
        mentions += [form for name in _COMPONENT.findall(text) for form in with_tails(name.rstrip("."))]
        blocks.append(replace(block, defines=unique(defines), mentions=unique(mentions)))
    return blocks


def without_mdx(text: str) -> str:
    """Return the text without imports, exports and the names of components: what reads as prose."""
    return _COMPONENT.sub("", _MODULE.sub("", text))
