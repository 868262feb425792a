"""The names around a name: each place once, a fair share of each kind drawn, the rest counted, nothing of it markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

from ingest.types import Chunk
from retrieval.types import Definition, Symbols
from tests.retrieval.made import prose
from ui import name_graph
from ui.name_graph import NODES, Node, around, layout, listed, picture

HOSTILE = '"><img src=x onerror=alert(1)> &lt;b&gt; ` ![x](http://evil/p.png)'


def code(path: str, title: str, line: int = 1) -> Chunk:
    chunk = prose(path, title, f"def {title}(): pass  # {path}:{line}", start=line, kind="code")
    return replace(chunk, header=f"{path} > {title}")


def definition(path: str = "src/store.py", **referring: tuple[Chunk, ...]) -> Definition:
    refers = {kind: referring.get(kind, ()) for kind in ("callers", "possible", "importers", "subclasses")}
    return Definition("store.sweep", path, 6, 8, "def sweep():", **refers)


def many(number: int, path: str) -> tuple[Chunk, ...]:
    return tuple(code(f"{path}{n}.py", f"{path}{n}") for n in range(number))


def test_each_place_is_there_once_by_its_strongest_tie() -> None:
    caller, page = code("report.py", "report"), prose("guide.md", "Guide", "sweep()")
    known = Symbols(
        "sweep", (), (caller, page), (definition(callers=(caller,), importers=(caller,), possible=(caller,)),),
        other=(caller,), documentation=(page,),
    )  # fmt: skip
    graph = around(known)
    assert [(node.tie, node.path) for node in graph.nodes] == [
        ("defines", "src/store.py"), ("documents", "guide.md"), ("calls", "report.py"),
    ]  # fmt: skip
    assert graph.left_out == {}


def test_the_chunk_in_which_it_is_defined_is_no_second_definition() -> None:
    held = replace(code("src/store.py", "sweep", 6), end_line=8)
    graph = around(Symbols("sweep", (held,), (), (definition(),)))
    assert [(node.tie, node.label) for node in graph.nodes] == [("defines", "store.sweep")]


def test_a_fair_share_of_each_kind_is_drawn_and_the_rest_counted() -> None:
    one = definition(callers=many(100, "call"), importers=many(100, "import"), subclasses=many(2, "sub"))
    pages = tuple(prose(f"p{n}.md", f"P{n}", "sweep()") for n in range(30))
    graph = around(Symbols("sweep", (), (), (one,), documentation=pages))
    assert len(graph.nodes) == NODES
    drawn = {tie: sum(node.tie == tie for node in graph.nodes) for tie in graph.of}
    assert drawn == {"defines": 1, "documents": 11, "calls": 5, "inherits": 2, "imports": 5}
    assert graph.left_out == {"documents": 19, "calls": 95, "imports": 95}
    assert "95 that call it" in listed(graph)


def test_room_that_one_side_leaves_is_the_others() -> None:
    graph = around(Symbols("sweep", (), (), (definition(callers=many(100, "call")),)))
    assert sum(node.tie == "calls" for node in graph.nodes) == NODES - 1


def test_a_click_on_code_leads_on_to_its_name_and_on_prose_to_its_lines() -> None:
    method = replace(code("src/a.py", "run"), header="src/a.py > Job > run")
    page = prose("guide.md", "Guide", "sweep()\n\nmore", start=4)
    graph = around(Symbols("sweep", (), (), (definition(callers=(method,)),), documentation=(page,)))
    assert [node.leads_to for node in graph.nodes] == ["doc:src/store.py#L6-8", "doc:guide.md#L4-6", "name:Job.run"]


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_hostile_names_and_paths_stay_text() -> None:
    chunk = replace(code(f"{HOSTILE}.py", HOSTILE), header=f"{HOSTILE}.py > {HOSTILE}")
    graph = around(Symbols(HOSTILE, (chunk,), (), (definition(HOSTILE, callers=(chunk,)),), documentation=(chunk,)))
    for page in (picture(graph), listed(graph)):
        tags = Tags(page)
        assert set(tags.tags) <= set("div svg path g rect text a title h4 ul li i p".split())
        assert all(link.startswith("#open/library/") for link in tags.links)
        assert "\n" not in page
        assert "http://evil" not in page


def test_nodes_stand_apart_within_the_picture() -> None:
    graph = around(Symbols("sweep", (), (), (definition(callers=many(40, "call")),)))
    placed, height = layout(graph)
    right = [each.y for each in placed if not each.left]
    assert all(after - before >= 40 for before, after in pairwise(right))
    assert all(0 <= each.y <= height - 40 for each in placed)


def test_kinds_of_edges_and_of_nodes_differ_without_colour() -> None:
    dashes = set(name_graph._DASHES.values())
    assert len(dashes) == len(name_graph._DASHES) - 1, "defines and calls are drawn through, at different sides"
    nodes = (
        Node("defines", "code", "", "x", "a.py", 1, 2), Node("documents", "prose", "", "x", "a.py", 1, 2),
    )  # fmt: skip
    drawn = picture(name_graph.NameGraph("x", nodes, {}, {}))
    assert re.findall(r'height="40" rx="(\d+)"', drawn) == ["3", "16"]
    assert "{}" in drawn
    assert "¶" in drawn
    assert "defines · a.py&#58;1-2" in drawn


def test_a_name_without_places_is_drawn_alone() -> None:
    graph = around(Symbols("nobody", (), (), near=("somebody",)))
    assert picture(graph).count("<rect") == 1
    assert listed(graph) == '<div class="name-list"></div>'
