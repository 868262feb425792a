"""Configuration as a tree of entries with their lines: JSON, YAML, TOML and the INI family, read without recursion.

JSON and TOML are read through their tree-sitter grammars, which recover from comments, trailing commas and errors. YAML
is read as libyaml's events: they are lazy, never expand an alias and carry places. tree-sitter-yaml was tried and
crashes the process on 1,400 nested keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from ingest.pieces import SOFT

if TYPE_CHECKING:
    from tree_sitter import Language, Node

LARGEST = 4_000_000
"""Characters up to which a file is read as a tree. A tree takes about 70 bytes a character, and a walk skips files
this large anyway."""

_DEEPEST = 12
"""Levels of entries. What is deeper belongs to the entry that contains it."""

_NESTED = 200
"""Levels of YAML after which reading it ends. libyaml takes time with the square of the depth of brackets."""

_LOOKED_INTO = 10_000
"""Entries after which only values too long for a chunk are looked into: data, whose keys repeat."""

_DATA = 3
"""Levels of YAML that are entries after that: whether a value is long is only known at its end."""

_LONGEST_VALUE = 200
_BREAKS = {0x0D: " ", 0x85: " ", 0x2028: " ", 0x2029: " "}  # line ends to YAML, but not to the rest of ingest
_INI_SECTION = re.compile(r"[ \t]{0,8}\[([^\]\n]{1,120})\][ \t]{0,8}(?:[#;].*)?$")
_INI_KEY = re.compile(r"(?:export[ \t]{1,8})?([\w.@/$-]{1,120})[ \t]{0,40}[=:](.*)$")


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item of a list (whose `key` is empty), on lines `start` to `end`, counted from 0, the
    end left out. `value` is set where it is a short scalar; a table's key is its dotted name."""

    key: str
    start: int
    end: int
    value: str = ""
    children: list[Entry] = field(default_factory=list)


def config_tree(text: str, language: str) -> list[Entry]:
    """Return the outermost entries in the order of their lines; none where the text is too large or has no such
    structure. `language` is one of `CONFIGURATION`."""
    return [] if len(text) > LARGEST else _READERS[language](text)


def _json(text: str) -> list[Entry]:
    data = text.encode("utf-8", "replace")
    reader = _Grammar(data)
    values = [node for node in _root(data, "json").named_children if node.type != "comment"]
    if len(values) == 1 and values[0].type == "object":
        return reader.entries(values[0], 0)
    return [entry for node in values for entry in reader.read(node, 0)]


def _toml(text: str) -> list[Entry]:
    data = text.encode("utf-8", "replace")
    return _Grammar(data).entries(_root(data, "toml"), 0)


def _root(data: bytes, language: str) -> Node:
    from tree_sitter import Parser

    return Parser(_grammar(language)).parse(data).root_node


@cache
def _grammar(language: str) -> Language:
    import tree_sitter_json
    import tree_sitter_toml
    from tree_sitter import Language

    return Language((tree_sitter_json if language == "json" else tree_sitter_toml).language())


class _Grammar:
    """Reads entries off the nodes of a JSON or TOML tree."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.seen = 0

    def entries(self, node: Node, depth: int) -> list[Entry]:
        return [entry for child in node.named_children for entry in self.read(child, depth)]

    def read(self, node: Node, depth: int) -> Iterator[Entry]:
        self.seen += 1
        if node.type == "comment" or depth > _DEEPEST:
            return
        if node.type == "ERROR":
            # Of what the grammar cannot read, the keys and values that it does recognise.
            yield from self.entries(node, depth + 1)
        elif node.type == "pair":
            key, *rest = [child for child in node.named_children if child.type != "comment"] or [node]
            yield self._entry(self._key(key), node, rest[-1] if rest else None, depth)
        elif node.type in ("table", "table_array_element"):
            key, *rest = node.named_children
            children = [entry for child in rest for entry in self.read(child, depth + 1)]
            row = node.start_point.row
            yield Entry(self._key(key), row, children[-1].end if children else row + 1, children=children)
        else:
            yield self._entry("", node, node, depth)

    def _entry(self, key: str, node: Node, value: Node | None, depth: int) -> Entry:
        end = node.end_point
        entry = Entry(key, node.start_point.row, end.row + (end.column > 0))
        if value is None:
            return entry
        if value.type in ("object", "array", "inline_table"):
            if self.seen < _LOOKED_INTO or value.end_byte - value.start_byte > SOFT:
                entry.children = self.entries(value, depth + 1)
        elif value.end_byte - value.start_byte <= _LONGEST_VALUE:
            entry.value = self._text(value).strip("\"'")
        return entry

    def _key(self, node: Node) -> str:
        return self._text(node).replace('"', "").replace("'", "").strip()

    def _text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _yaml(text: str) -> list[Entry]:
    import yaml

    reader = _Events()
    try:
        for event in yaml.parse(text.translate(_BREAKS), Loader=yaml.CSafeLoader):
            if not reader.take(event):
                return []
    except yaml.YAMLError:
        return []  # a template, for example, which only becomes YAML
    documents = [document for document in reader.documents if document.children]
    return documents[0].children if len(documents) == 1 else documents


@dataclass(slots=True)
class _Open:
    """A mapping, a list or a document that is being read; `entry` is the one whose value it is. `key` waits for its
    value, and is itself a mapping or a list while `in_key`."""

    entry: Entry
    is_mapping: bool
    key: Entry | None = None
    in_key: bool = False


class _Events:
    """Builds entries from YAML's events, which say where each value begins and ends."""

    def __init__(self) -> None:
        self.documents: list[Entry] = []
        self.open: list[_Open] = []
        self.seen = 0
        self.last = 0  # the row after the last one with content

    def take(self, event: object) -> bool:
        """Read one event; False where the nesting is too deep to go on."""
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            self._reach(event)
            self._scalar(event.value, event.start_mark.line)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents.append(Entry("", event.start_mark.line, event.start_mark.line))
            self.open = [_Open(self.documents[-1], False)]
        elif isinstance(event, yaml.AliasEvent):
            self._reach(event)
            self._scalar("", event.start_mark.line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event.start_mark.line, isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            if event.end_mark.index > event.start_mark.index:  # a closing bracket; a block ends before what follows it
                self._reach(event)
            self.open.pop()
            self._close()
        elif isinstance(event, yaml.DocumentEndEvent):
            self.documents[-1].end = self.last
        return len(self.open) <= _NESTED

    def _reach(self, event: object) -> None:
        mark = event.end_mark  # type: ignore[attr-defined]
        self.last = max(self.last, mark.line + (mark.column > 0))

    def _scalar(self, value: str, row: int) -> None:
        above = self.open[-1]
        short = value if len(value) <= _LONGEST_VALUE else ""
        if above.is_mapping and above.key is None:
            above.key = self._add(above.entry, Entry(short, row, row + 1))
            return
        if above.key is None:
            self._add(above.entry, Entry("", row, row, short))
        else:
            above.key.value = short
        self._close()

    def _begin(self, row: int, is_mapping: bool) -> None:
        above = self.open[-1]
        if len(self.open) == 1:
            entry = above.entry  # the document's own mapping or list
        elif above.is_mapping and above.key is not None:
            entry = above.key
        else:  # an item, or a key that is itself a mapping or a list
            entry = self._add(above.entry, Entry("", row, row))
            if above.is_mapping:
                above.key, above.in_key = entry, True
        self.open.append(_Open(entry, is_mapping))

    def _add(self, parent: Entry, entry: Entry) -> Entry:
        self.seen += 1
        if len(self.open) <= (_DEEPEST if self.seen < _LOOKED_INTO else _DATA):
            parent.children.append(entry)
        return entry

    def _close(self) -> None:
        """A value has ended: so has the pair or the item that it belongs to."""
        above = self.open[-1]
        if above.in_key:
            above.in_key = False
        elif above.key is not None:
            above.key.end = max(above.key.end, self.last)
            above.key = None
        elif above.entry.children:
            above.entry.children[-1].end = max(above.entry.children[-1].end, self.last)


def _ini(text: str) -> list[Entry]:
    """Sections, and keys with the indented lines that go on with their value. `.properties` and `.env` are INI without
    sections."""
    outermost: list[Entry] = []
    within = outermost
    for row, line in enumerate(text.split("\n")):
        if match := _INI_SECTION.match(line):
            outermost.append(Entry(match.group(1).strip(), row, row + 1))
            within = outermost[-1].children
        elif match := _INI_KEY.match(line):
            value = match.group(2).strip()
            within.append(Entry(match.group(1), row, row + 1, value.strip("\"'") if len(value) <= 200 else ""))
        elif line[:1].isspace() and line.strip() and within and within[-1].end == row:
            within[-1].end = row + 1
        if within is not outermost and within:
            outermost[-1].end = within[-1].end
    return outermost


_READERS: dict[str, Callable[[str], list[Entry]]] = {"json": _json, "yaml": _yaml, "toml": _toml, "ini": _ini}
CONFIGURATION = frozenset(_READERS)
"""The languages of configuration, which are read as trees."""
