"""The blocks of a reStructuredText document, with what its directives define."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ingest.names import label_name, prose_name, unique, with_tails
from ingest.outline import LONGEST_TITLE, Block, plain_blocks

_RULE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")
_DIRECTIVE = re.compile(r"(\s*)\.\. (?:[a-z]+:)?([A-Za-z][\w-]*)::[ \t]*(.*)$")
_LABEL = re.compile(r"\s*\.\. _`?([^`:\n]+)`?:\s*$")
_ROLE_TITLE = re.compile(r":[a-z:+\-]+:`(?:([^`<]*?)\s*<[^`>]*>|[~!]?([^`]*))`")
_GLOSSARY = re.compile(r"\s*\.\. glossary::")
_SIGNATURE = re.compile(r"[\w.:$*-]*[\w$]")
_OPTION = re.compile(r"--?[A-Za-z][\w-]*")

_CONTAINERS = frozenset({"class", "exception", "interface", "struct", "enum", "describe"})
_MEMBER_DIRECTIVES = """
function method attribute data classmethod staticmethod property decorator decoratormethod macro type member var const
enumerator autofunction autoclass automethod autoattribute autodata
"""
_MEMBERS = frozenset(_MEMBER_DIRECTIVES.split())
_MODULES = frozenset({"module", "currentmodule", "py:module", "automodule"})
_WORD_DIRECTIVES = "setting templatetag templatefilter fieldlookup django-admin envvar confval directive role signal"
_WORDS = frozenset(_WORD_DIRECTIVES.split())
_OPTIONS = frozenset({"option", "cmdoption", "program", "django-admin-option"})
_CODE = frozenset(
    {"code-block", "code", "sourcecode", "console", "literalinclude", "parsed-literal", "productionlist", "doctest",
     "testcode", "prompt", "highlight", "graphviz", "mermaid", "math"}
)  # fmt: skip


def rst_blocks(lines: Sequence[str]) -> list[Block]:
    """Return underlined headings, paragraphs, literal blocks and directives with the names that they define."""
    outline = _Outline(lines)
    blocks: list[Block] = []
    for block in _titled(lines):
        blocks += [outline.heading(block)] if block.level else outline.body(block)
    return blocks


def _titled(lines: Sequence[str]) -> list[Block]:
    """Cut at titles; what lies between them is one block of level 0. Levels count styles by first appearance."""
    styles: list[tuple[str, bool]] = []
    blocks: list[Block] = []
    start = i = 0
    while i < len(lines):
        over = bool(_RULE.match(lines[i])) and i + 2 < len(lines) and _underlines(lines[i + 2], lines[i + 1])
        over = over and lines[i + 2][0] == lines[i][0]
        title = i + 1 if over else i
        alone = over or i == start or not lines[i - 1].strip()
        if title + 1 < len(lines) and alone and (over or _underlines(lines[title + 1], lines[title])):
            style = (lines[title + 1][0], over)
            if style not in styles:
                styles.append(style)
            if start < i:
                blocks.append(Block(start, i))
            level = styles.index(style) + 1
            blocks.append(Block(i, title + 2, level=level, title=_plain(lines[title])))
            i = start = title + 2
        else:
            i += 1
    if start < len(lines):
        blocks.append(Block(start, len(lines)))
    return blocks


def _underlines(rule: str, title: str) -> bool:
    """True where `rule` is a run of one mark about as long as the title above it."""
    text = title.rstrip()
    if not _RULE.match(rule) or not text.strip() or _RULE.match(text) or text.startswith((".. ", "   ", "\t")):
        return False
    return len(rule.rstrip()) >= 0.8 * len(text)


def _plain(title: str) -> str:
    """A title with its roles turned into code spans: ":class:`~a.B` objects" into "`a.B` objects"."""
    return _ROLE_TITLE.sub(lambda m: m.group(1) or f"`{m.group(2)}`", title[:LONGEST_TITLE]).replace("\\", "").strip()


class _Outline:
    """Reads the text between titles, remembering the module and the classes that directives are nested in."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.module = ""
        self.scope: list[tuple[int, str]] = []

    def heading(self, block: Block) -> Block:
        self.scope = []
        return block

    def body(self, section: Block) -> list[Block]:
        paragraphs = [
            Block(b.start + section.start, b.end + section.start)
            for b in plain_blocks(self.lines[section.start : section.end])
        ]
        blocks: list[Block] = []
        literal: int | None = None  # the indent above which everything is literal text
        glossary: int | None = None  # the indent above which paragraphs are terms with their definitions
        term = 0
        for paragraph in paragraphs:
            indent = _indent(self.lines[paragraph.start])
            if glossary is not None and indent > glossary:
                term = term or indent
                blocks.append(self._glossary(paragraph, term))
                continue
            glossary = indent if _GLOSSARY.match(self.lines[paragraph.start]) else None
            term = 0
            if literal is not None and indent > literal:
                blocks[-1] = replace(blocks[-1], end=paragraph.end, code=True)
                continue
            block, opens_literal = self._block(paragraph, indent)
            literal = indent if opens_literal else None
            blocks.append(block)
        return blocks

    def _block(self, block: Block, indent: int) -> tuple[Block, bool]:
        """Return the paragraph with what it defines, and whether a literal block follows it."""
        while self.scope and self.scope[-1][0] >= indent:
            self.scope.pop()
        first, last = self.lines[block.start], self.lines[block.end - 1]
        directive = _DIRECTIVE.match(first)
        bare = all(_DIRECTIVE.match(line) or _LABEL.match(line) for line in self.lines[block.start : block.end])
        defines: list[str] = []
        for line in self.lines[block.start : block.end] if bare or directive or _LABEL.match(first) else ():
            if label := _LABEL.match(line):
                defines.append(label_name(label.group(1)))
            elif found := _DIRECTIVE.match(line):
                defines += self._defined(indent, found.group(2), found.group(3).strip())
        kind = directive.group(2) if directive else ""
        is_code = kind in _CODE
        return (
            Block(
                block.start,
                block.end,
                code=is_code,
                glued=is_code,
                opens=kind in _CONTAINERS or kind in _MEMBERS or kind in _OPTIONS,
                leader=bare and not is_code,
                scope=tuple(name for _, name in self.scope),
                defines=unique(defines),
            ),
            is_code or (not directive and last.rstrip().endswith("::")),
        )

    def _glossary(self, block: Block, indent: int) -> Block:
        """Return a paragraph of a glossary; its lines at the indent of the terms are terms, as `:term:` names them."""
        rows = self.lines[block.start : block.end]
        terms = [row.strip().partition(" : ")[0] for row in rows if _indent(row) == indent]
        names = [name for term in terms if len(term) < 120 for name in (label_name(term), prose_name(term))]
        return replace(block, defines=unique(names))

    def _defined(self, indent: int, kind: str, argument: str) -> list[str]:
        if kind in _OPTIONS:
            return _OPTION.findall(argument)
        match = _SIGNATURE.match(argument)
        if not match:
            return []
        name = match.group().replace("::", ".")
        if kind in _MODULES:
            self.module = name
            return with_tails(name) if kind != "currentmodule" else []
        if kind in _WORDS:
            return [name]
        if kind not in _CONTAINERS and kind not in _MEMBERS:
            return []
        enclosing = self.scope[-1][1] if self.scope else ""
        name = name if not enclosing or name.startswith(enclosing + ".") else f"{enclosing}.{name}"
        self.scope.append((indent, name))
        full = name if not self.module or name.startswith(self.module + ".") else f"{self.module}.{name}"
        return [*with_tails(full), *with_tails(name)]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
