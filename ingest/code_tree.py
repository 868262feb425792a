"""The definitions in a file of code, as a tree read off its grammar's query.

What the captures of `ingest/languages/*.scm` mean:

- `@container`, `@function`: a definition; its `@name`, and the `@parent` that a Go method names instead of being in it.
  A container's members are chunks of their own, what a function contains belongs to it.
- `@constant`, `@field`, `@attribute`: names defined without a chunk of their own. A field is known by its bare name
  too, an attribute only as `Class.attribute`, unless it is written in capitals or of several words.
- `@local`: a name that means nothing outside its function. `@option`: a command-line option that the code defines.
- `@imported`, with `@module` and `@alias`: what a name in this file stands for.
- `@text`: comments and the insides of strings. `@leading`: what belongs to the definition below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.languages.grammar import grammar

if TYPE_CHECKING:
    from tree_sitter import Node

# What a definition is written inside of and shares its lines with: decorators, `export`, `template<…>`, `const f =`.
_WRAPPED = """
decorated_definition export_statement template_declaration expression_statement lexical_declaration
variable_declaration variable_declarator assignment_expression ambient_declaration type_definition
"""
_WRAPPERS = frozenset(_WRAPPED.split())
_TEMPLATE = re.compile(r"<[^<>]*>")  # of `Pond<T>::Count`
_NAME = re.compile(r"[^\W\d][\w$]*(?:-\w+)*")  # shell functions may have hyphens


@dataclass(slots=True)
class Definition:
    """A definition's rows (counted from 0, the end left out), its bytes, its name's place, and what it contains."""

    start: int
    end: int
    first_byte: int
    last_byte: int
    name_byte: int
    name: tuple[str, ...]
    is_container: bool
    children: list[Definition] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mark:
    """A capture that names something: its kind, its bytes and its text."""

    kind: str
    first_byte: int
    last_byte: int
    text: str


@dataclass(frozen=True, slots=True)
class Import:
    """A name in this file, what it stands for elsewhere, and the bytes that say so."""

    name: str
    target: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class CodeTree:
    """A parsed file. `marks` and `imports` are in the order of their bytes; `leading` are the rows of comments and
    attributes; `inner` are the definitions inside functions, which are no chunks."""

    root: Node
    definitions: list[Definition]
    inner: list[Definition]
    marks: list[Mark]
    imports: list[Import]
    leading: frozenset[int]


_DEEPEST = 1_000
"""Levels of a syntax tree that are read: a million words that nest one in the next would take minutes."""

_MARKS = ("constant", "field", "attribute", "local", "option", "text")


def parse(data: bytes, language: str) -> CodeTree:
    """Parse UTF-8 source. Syntax errors are no failure: what can be recognised round them is."""
    from tree_sitter import Parser, QueryCursor

    loaded, query = grammar(language)
    root = Parser(loaded).parse(data).root_node
    definitions: dict[int, Definition] = {}
    marks: list[Mark] = []
    imports: list[Import] = []
    leading: set[int] = set()
    cursor = QueryCursor(query)
    cursor.set_max_start_depth(_DEEPEST)
    for _, captures in cursor.matches(root):
        if "name" in captures:
            definition = _definition(captures, data)
            if definition:
                known = definitions.get(definition.name_byte)
                if known is None or known.last_byte - known.first_byte < definition.last_byte - definition.first_byte:
                    definitions[definition.name_byte] = definition
            continue
        for kind in _MARKS:
            for node in captures.get(kind, ()):
                first, last = node.start_byte, node.end_byte
                text = data[first:last].decode("utf-8", "replace")
                # Ruby and Elixir name an attribute by a symbol: `:depth`, `depth: `.
                marks.append(Mark(kind, first, last, text.strip(": ") if kind == "attribute" else text))
        for node in captures.get("leading", ()):
            if not data[data.rfind(b"\n", 0, node.start_byte) + 1 : node.start_byte].strip():
                end = node.end_point
                leading.update(range(node.start_point.row, end.row + (end.column > 0)))
        if "imported" in captures:
            imports.append(_import(captures, data))
    marks.sort(key=lambda mark: (mark.first_byte, -mark.last_byte))
    top, inner = _nested(definitions.values())
    return CodeTree(root, top, inner, marks, imports, frozenset(leading))


def _definition(captures: dict[str, list[Node]], data: bytes) -> Definition | None:
    name = captures["name"][0]
    node = (captures.get("container") or captures["function"])[0]
    parts = tuple(_NAME.findall(_TEMPLATE.sub("", _text(name, data))))
    if not parts:
        return None
    while (parent := node.parent) is not None and parent.type in _WRAPPERS:
        node = parent
    parent_name = tuple(_text(parent, data) for parent in captures.get("parent", ()))
    end = node.end_point
    return Definition(
        node.start_point.row,
        end.row + (end.column > 0),
        node.start_byte,
        node.end_byte,
        name.start_byte,
        (*parent_name, *parts),
        "container" in captures,
    )


def _import(captures: dict[str, list[Node]], data: bytes) -> Import:
    imported = _text(captures["imported"][0], data)
    module = _text(captures["module"][0], data) if "module" in captures else ""
    joint = "" if not module or module.endswith(".") else "."
    target = f"{module}{joint}{imported}"
    # `import a.b` binds `a`, and `a.b` is written out where it is used.
    bound = _text(captures["alias"][0], data) if "alias" in captures else imported if module else ""
    said = (*captures.get("module", ()), *captures["imported"], *captures.get("alias", ()))
    return Import(bound, target, tuple((node.start_byte, node.end_byte) for node in said))


def _nested(found: Iterable[Definition]) -> tuple[list[Definition], list[Definition]]:
    """Arrange definitions by containment; return those at the top, and those inside functions."""
    top: list[Definition] = []
    inner: list[Definition] = []
    around: list[Definition] = []
    for definition in sorted(found, key=lambda d: (d.first_byte, -d.last_byte)):
        while around and around[-1].last_byte <= definition.first_byte:
            around.pop()
        if around and (not around[-1].is_container or definition.start == around[-1].start):
            inner.append(definition)
            continue
        (around[-1].children if around else top).append(definition)
        around.append(definition)
    return top, inner


def _text(node: Node, data: bytes) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")
