"""A picture of the names around a name: who defines it at the left, who refers to it at the right, all to be clicked.

Pure: what the library knows of the name becomes nodes, nodes get places, places become SVG of our own, in which every
text is escaped. Beside the picture the same is a list, for whoever does not see it. What an edge means is told by its
dashes and in words, never by colour alone; code has square corners and a brace, prose round ones and a pilcrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal
from urllib.parse import quote

from ingest.types import Chunk, Kind
from retrieval.types import Symbols
from ui import markup
from ui.render import place

NODES = 24
"""Nodes around the name at most; the others are counted."""

LISTED = 60
"""Places of one kind in the list at most."""

Tie = Literal["defines", "documents", "calls", "inherits", "imports", "may call", "mentions"]
_LEFT: tuple[Tie, ...] = ("defines", "documents")
_RIGHT: tuple[Tie, ...] = ("calls", "inherits", "imports", "may call", "mentions")
_SAYS: Mapping[Tie, str] = {
    "defines": "Where it is defined",
    "documents": "Where it is documented",
    "calls": "What calls it",
    "inherits": "What inherits from it",
    "imports": "What imports it",
    "may call": "What calls something of this name, on a receiver that is not known",
    "mentions": "What else mentions it",
}
_DO: Mapping[Tie, str] = {
    "defines": "define it", "documents": "document it", "calls": "call it", "inherits": "inherit from it",
    "imports": "import it", "may call": "may call it", "mentions": "mention it",
}  # fmt: skip
_DASHES: Mapping[Tie, str] = {
    "defines": "", "documents": "2 4", "calls": "", "inherits": "12 4", "imports": "6 4", "may call": "2 6",
    "mentions": "1 3",
}  # fmt: skip

_WIDTH, _NODE, _MIDDLE, _ROW, _HEIGHT = 860, 270, 170, 52, 40
_LETTERS = 32  # of a node's text
_MIDDLE_LETTERS = 18


@dataclass(frozen=True, slots=True)
class Node:
    """A chunk that has to do with the name, and how. `name` is what it is called, a name to go on to, or "" where it is
    only a place."""

    tie: Tie
    kind: Kind
    name: str
    label: str
    path: str
    start_line: int
    end_line: int

    @property
    def where(self) -> str:
        """Its place, as people read it."""
        return place(self.path, self.start_line, self.end_line)

    @property
    def document(self) -> str:
        """What opens it in the library."""
        return f"doc:{self.path}#L{self.start_line}-{self.end_line}"

    @property
    def leads_to(self) -> str:
        """What a click on it in the picture opens: the graph around its name, or its document."""
        return f"name:{self.name}" if self.name else self.document


@dataclass(frozen=True, slots=True)
class NameGraph:
    """What is drawn around a name, in order, how many there are of each kind, and which names look like it."""

    name: str
    nodes: tuple[Node, ...]
    of: Mapping[Tie, int]
    all: Mapping[Tie, tuple[Node, ...]]
    near: tuple[str, ...] = ()

    @property
    def left_out(self) -> dict[Tie, int]:
        """How many of each kind are not drawn."""
        drawn = Counter(node.tie for node in self.nodes)
        return {tie: number - drawn[tie] for tie, number in self.of.items() if number > drawn[tie]}


def around(known: Symbols, *, most: int = NODES) -> NameGraph:
    """Return what has to do with a name, each chunk once, by its strongest tie; a fair share of each kind is drawn."""
    groups = {tie: tuple(nodes) for tie, nodes in _tied(known).items() if nodes}
    left = _fair([groups[tie] for tie in _LEFT if tie in groups], most // 2)
    right = _fair([groups[tie] for tie in _RIGHT if tie in groups], most - len(left))
    left = _fair([groups[tie] for tie in _LEFT if tie in groups], most - len(right))
    order = {tie: at for at, tie in enumerate((*_LEFT, *_RIGHT))}
    drawn = sorted((*left, *right), key=lambda node: order[node.tie])
    counts = {tie: len(nodes) for tie, nodes in groups.items()}
    return NameGraph(known.name, tuple(drawn), counts, groups, known.near)


def _tied(known: Symbols) -> dict[Tie, list[Node]]:
    found: dict[Tie, list[Node]] = {tie: [] for tie in (*_LEFT, *_RIGHT)}
    taken: set[int] = set()

    def take(tie: Tie, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            if chunk.id not in taken:
                taken.add(chunk.id)
                found[tie].append(_node(tie, chunk))

    for one in known.definitions:
        found["defines"].append(Node("defines", "code", "", one.name, one.path, one.line, one.end_line))
    places = {(node.path, node.start_line) for node in found["defines"]}
    code = [chunk for chunk in known.defined if chunk.kind == "code"]
    covered = [c for c in code if any(c.path == path and c.start_line <= line <= c.end_line for path, line in places)]
    taken.update(chunk.id for chunk in covered)
    take("defines", known.defined)
    for one in known.definitions:
        take("calls", one.callers)
    for one in known.definitions:
        take("inherits", one.subclasses)
        take("imports", one.importers)
    for one in known.definitions:
        take("may call", one.possible)
    take("documents", known.documentation)
    take("mentions", (*known.other, *known.mentioned))
    return found


def _node(tie: Tie, chunk: Chunk) -> Node:
    parts = chunk.header.split(" > ")[1:]
    # A name to go on to is one that code defines: what prose is headed with is found by other words, too.
    name = ".".join(parts) if chunk.kind == "code" and parts and tie != "defines" else ""
    label = name or chunk.title or chunk.path.rpartition("/")[2]
    return Node(tie, chunk.kind, name, label, chunk.path, chunk.start_line, chunk.end_line)


def _fair(groups: Sequence[Sequence[Node]], most: int) -> list[Node]:
    """The first of each group, then the second of each, and so on."""
    turns = (node for turn in zip_longest(*groups) for node in turn if node is not None)
    return [node for node, _ in zip(turns, range(most), strict=False)]


# The picture ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placed:
    """A node and the upper left corner of its box."""

    node: Node
    x: float
    y: float
    left: bool


def layout(graph: NameGraph) -> tuple[tuple[Placed, ...], float]:
    """Return where each node stands, in two columns about the middle, and how high the picture is."""
    left = [node for node in graph.nodes if node.tie in _LEFT]
    right = [node for node in graph.nodes if node.tie in _RIGHT]
    rows = max(len(left), len(right), 1)
    height = rows * _ROW + 20

    def column(nodes: Sequence[Node], x: float, *, at_left: bool) -> Iterator[Placed]:
        top = (height - len(nodes) * _ROW) / 2 + (_ROW - _HEIGHT) / 2
        for at, node in enumerate(nodes):
            yield Placed(node, x, top + at * _ROW, at_left)

    return (*column(left, 0, at_left=True), *column(right, _WIDTH - _NODE, at_left=False)), height


def picture(graph: NameGraph) -> str:
    """Return the picture as SVG. Its size is its own; how it looks is in `library.css`."""
    placed, height = layout(graph)
    edges = "".join(_edge(each, height) for each in placed)
    boxes = "".join(_box(each) for each in placed)
    middle = (
        f'<g class="middle"><rect x="{(_WIDTH - _MIDDLE) / 2:g}" y="{height / 2 - 24:g}" width="{_MIDDLE}" height="48" '
        f'rx="24"></rect><text x="{_WIDTH / 2:g}" y="{height / 2 + 5:g}" text-anchor="middle">'
        f"{markup.escaped(_cut(graph.name, _MIDDLE_LETTERS))}</text></g>"
    )
    title = f"{len(graph.nodes)} places around {markup.escaped(_cut(graph.name, 80))}; the list below has the same"
    return (
        f'<div class="name-graph"><svg viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" height="{height:g}" '
        f'role="group" aria-label="{title}">{edges}{middle}{boxes}</svg></div>'
    )


def _edge(placed: Placed, height: float) -> str:
    here = placed.x + _NODE if placed.left else placed.x
    there = (_WIDTH + (-_MIDDLE if placed.left else _MIDDLE)) / 2
    y, centre, half = placed.y + _HEIGHT / 2, height / 2, (here + there) / 2
    dashes = _DASHES[placed.node.tie]
    drawn = f' stroke-dasharray="{dashes}"' if dashes else ""
    path = f"M{there:g} {centre:g} C{half:g} {centre:g} {half:g} {y:g} {here:g} {y:g}"
    return f'<path class="edge {_class(placed.node.tie)}" d="{path}"{drawn}></path>'


def _box(placed: Placed) -> str:
    node, x, y = placed.node, placed.x, placed.y
    corners, mark = (3, "{}") if node.kind == "code" else (16, "¶")
    says = f"{node.tie}: {node.label}, {node.where}"
    below = f"{node.tie} · {_tail(node.where, _LETTERS - len(node.tie))}"
    return (
        f'<a class="opens node {node.kind} {_class(node.tie)}" href="#open/library/{quote(node.leads_to, safe="")}" '
        f'aria-label="{markup.escaped(says)}"><title>{markup.escaped(says)}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{_NODE}" height="{_HEIGHT}" rx="{corners}"></rect>'
        f'<text class="mark" x="{x + 10:g}" y="{y + 25:g}">{markup.escaped(mark)}</text>'
        f'<text x="{x + 34:g}" y="{y + 17:g}">{markup.escaped(_cut(node.label, _LETTERS))}</text>'
        f'<text class="where" x="{x + 34:g}" y="{y + 33:g}">{markup.escaped(below)}</text></a>'
    )


# The list -------------------------------------------------------------------------------------------------------------


def listed(graph: NameGraph) -> str:
    """Return the same as the picture, and what was left out of it, as lists of links."""
    parts = []
    for tie in (*_LEFT, *_RIGHT):
        nodes = graph.all.get(tie, ())
        if not nodes:
            continue
        rows = "".join(_row(node) for node in nodes[:LISTED])
        more = f"<li>and {len(nodes) - LISTED:,} more</li>" if len(nodes) > LISTED else ""
        parts.append(f"<h4>{_SAYS[tie]} ({len(nodes):,})</h4><ul>{rows}{more}</ul>")
    left = ", ".join(f"{number:,} that {_DO[tie]}" for tie, number in graph.left_out.items())
    note = f"<p class=note>Not drawn: {left}.</p>" if left else ""
    return f'{note}<div class="name-list">{"".join(parts)}</div>'


def _row(node: Node) -> str:
    name = markup.opens("library", f"name:{node.name}", node.label) if node.name else markup.escaped(node.label)
    mark = "code" if node.kind == "code" else "prose"
    return f"<li>{name} <i>{mark}</i> {markup.opens('library', node.document, node.where)}</li>"


def _class(tie: Tie) -> str:
    return tie.replace(" ", "-")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _tail(text: str, longest: int) -> str:
    """The end of a path says more than its beginning."""
    return text if len(text) <= longest else f"…{text[len(text) - longest + 1 :]}"
