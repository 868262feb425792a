"""The definitions in a file of code, as a tree read off its grammar's query.

What the captures of `ingest/languages/*.scm` mean:

- `@container`, `@function`: a definition; its `@name`, and the `@parent` that a Go method names instead of being in it.
  A container's members are chunks of their own, what a function contains belongs to it.
- `@constant`, `@field`, `@attribute`: names defined without a chunk of their own. A field is known by its bare name
  too, an attribute only as `Class.attribute`, unless it is written in capitals or of several words.
- `@local`: a name that means nothing outside its function. `@option`: a command-line option that the code defines.
- `@imported`, with `@module` and `@alias`: what a name in this file stands for. `@base`: what the container around
  it inherits from.
- `@made`: what is called to make the value of a `@variable`, or the one whose `@method` is called; `@same`: another
  name for it.
- `@route`: the string under which a view or handler is reached.
- `@text`: comments and the insides of strings. `@leading`: what belongs to the definition below it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ingest.languages.grammar import grammar

if TYPE_CHECKING:
    from tree_sitter import Language, Node

# What a definition is written inside of and shares its lines with: decorators, `export`, `template<…>`, `const f =`.
_WRAPPED = """
decorated_definition export_statement template_declaration expression_statement lexical_declaration
variable_declaration variable_declarator assignment_expression ambient_declaration type_definition
"""
_WRAPPERS = frozenset(_WRAPPED.split())
_TEMPLATE = re.compile(r"<[^<>]*>")  # of `Pond<T>::Count`
_DECLARED = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_NAME = re.compile(r"[^\W\d][\w$]*(?:-\w+)*")  # shell functions may have hyphens


@dataclass(slots=True)
class Definition:
    """A definition's rows (counted from 0, the end left out), its bytes, its name's bytes, and what it contains."""

    start: int
    end: int
    first_byte: int
    last_byte: int
    name_byte: int
    name_end: int
    name: tuple[str, ...]
    is_container: bool
    children: list[Definition] = field(default_factory=list)


class Mark(NamedTuple):
    """A capture that names something: its bytes, its kind and its text."""

    first_byte: int
    last_byte: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Import:
    """A name in this file, what it stands for elsewhere, and the bytes that say so."""

    name: str
    target: str
    spans: tuple[tuple[int, int], ...]


class Making(NamedTuple):
    """What a value is made by: the bytes of the variable or method it is for, and which of both that is."""

    first_byte: int
    name: str
    kind: str  # "made" by calling it, the "same" as it, or the owner of a "method"
    by: str


@dataclass(frozen=True, slots=True)
class CodeTree:
    """A parsed file. `every` definition is in the order of their bytes, the outer first; `definitions` are those at the
    top, `inner` those inside functions, which are no chunks. `marks` and `imports` are in the order of their bytes;
    `locals` and `bases` are each a first byte and a text. `leading` are the rows of comments and attributes."""

    root: Node
    every: list[Definition]
    definitions: list[Definition]
    inner: list[Definition]
    marks: list[Mark]
    locals: list[tuple[int, str]]
    bases: list[tuple[int, str]]
    imports: list[Import]
    makings: list[Making]
    leading: frozenset[int]


_DEEPEST = 1_000
"""Levels of a syntax tree that are read: a million words that nest one in the next would take minutes."""

_PIECE = 1 << 16

_MARKS = ("constant", "field", "attribute", "option", "route", "text")


PATIENCE = 5.0
"""Seconds for one file's syntax. What some grammars cannot make sense of takes them time that grows with its square."""


def parse(data: bytes, language: str) -> CodeTree:
    """Parse UTF-8 source. Syntax errors are no failure: what can be recognised round them is.

    Raises TimeoutError where that takes longer than `PATIENCE`; one step of a grammar's own cannot be cut short.
    """
    from tree_sitter import QueryCursor

    loaded, queries = grammar(language)
    root = _root(data, loaded)
    definitions: dict[int, Definition] = {}
    imports: list[Import] = []
    makings: list[Making] = []
    cursor = QueryCursor(queries.groups)
    cursor.set_max_start_depth(_DEEPEST)
    for _, captures in cursor.matches(root):
        if "imported" in captures:
            imports.append(_import(captures, data))
        elif "made" in captures or "same" in captures:
            if making := _making(captures, data):
                makings.append(making)
        elif definition := _definition(captures, data):
            known = definitions.get(definition.name_byte)
            if known is None or known.last_byte - known.first_byte < definition.last_byte - definition.first_byte:
                definitions[definition.name_byte] = definition
    # Each of these stands alone: the cursor makes no match of its own for every local name and string.
    cursor = QueryCursor(queries.marks)
    cursor.set_max_start_depth(_DEEPEST)
    captured = cursor.captures(root)
    for asked in queries.asked:
        cursor = QueryCursor(asked.query)
        cursor.set_max_start_depth(0)
        for node in _nodes_at(root, asked.kind, (found.start() for found in asked.held.finditer(data))):
            for kind, nodes in cursor.captures(node).items():
                captured.setdefault(kind, []).extend(nodes)
    marks = [
        Mark(first := node.start_byte, last := node.end_byte, kind, _said(kind, data[first:last]))
        for kind in _MARKS
        for node in captured.get(kind, ())
    ]
    marks.sort(key=lambda mark: (mark.first_byte, -mark.last_byte))
    every = sorted(definitions.values(), key=lambda d: (d.first_byte, -d.last_byte))
    top, inner = _nested(every)
    return CodeTree(
        root=root,
        every=every,
        definitions=top,
        inner=inner,
        marks=marks,
        locals=[(byte, _bare(text)) for byte, text in _texts(captured.get("local", ()), data)],
        bases=sorted(_texts(captured.get("base", ()), data)),
        imports=imports,
        makings=makings,
        leading=_leading(captured.get("leading", ()), data),
    )


def _root(data: bytes, language: Language) -> Node:
    from tree_sitter import Parser

    end = time.monotonic() + PATIENCE
    try:
        # Asked for pieces, because the parser looks at the clock only then.
        tree = Parser(language).parse(
            lambda byte, _: data[byte : byte + _PIECE], progress_callback=lambda *_: time.monotonic() > end
        )
    except ValueError as error:
        raise TimeoutError(f"its syntax could not be told in {PATIENCE:.0f} s") from error
    return tree.root_node


def _nodes_at(root: Node, kind: str, places: Iterable[int]) -> Iterable[Node]:
    """Return the innermost nodes of a kind that the bytes at these places are in, each once."""
    found: dict[int, Node] = {}
    for byte in places:
        node = root.descendant_for_byte_range(byte, byte + 1)
        while node is not None and node.type != kind:
            node = node.parent
        if node is not None:
            found[node.id] = node
    return found.values()


def _said(kind: str, data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    # Ruby and Elixir name an attribute by a symbol: `:depth`, `depth: `.
    return text.strip(": ") if kind == "attribute" else text


def _texts(nodes: Iterable[Node], data: bytes) -> list[tuple[int, str]]:
    return [(first := node.start_byte, data[first : node.end_byte].decode("utf-8", "replace")) for node in nodes]


def _bare(declared: str) -> str:
    """The name in what declares it: `*p`, `p[4]`."""
    if declared.isidentifier():
        return declared
    found = _DECLARED.search(declared)
    return found.group() if found else ""


def _leading(nodes: Iterable[Node], data: bytes) -> frozenset[int]:
    rows: set[int] = set()
    for node in nodes:
        first = node.start_byte
        if not data[data.rfind(b"\n", 0, first) + 1 : first].strip():
            end = node.end_point
            rows.update(range(node.start_point.row, end.row + (end.column > 0)))
    return frozenset(rows)


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
        name.end_byte,
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


def _making(captures: dict[str, list[Node]], data: bytes) -> Making | None:
    kind = "method" if "method" in captures else "made" if "made" in captures else "same"
    by = _text((captures.get("made") or captures["same"])[0], data)
    if not _DOTTED.fullmatch(by):
        return None
    node = (captures.get("method") or captures["variable"])[0]
    return Making(node.start_byte, _text(node, data), kind, by)


def _nested(every: Iterable[Definition]) -> tuple[list[Definition], list[Definition]]:
    """Arrange definitions by containment; return those at the top, and those inside functions."""
    top: list[Definition] = []
    inner: list[Definition] = []
    around: list[Definition] = []
    for definition in every:
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
