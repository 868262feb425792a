"""Who calls, imports and inherits what, over several files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval import indexing, library
from retrieval.library import Library
from retrieval.workspace import find
from tests.retrieval.made import HashEmbedder

FILES = {
    "heron/__init__.py": "from .text import *\nfrom heron.pond import Pond, drain as empty\n",
    "heron/text.py": "def slug(value):\n    return value.lower()\n",
    "heron/pond.py": (
        "class Water:\n    def fill(self):\n        self.get()\n\n    def get(self):\n        return 1\n\n\n"
        "class Pond(Water):\n    def fill(self):\n        super().fill()\n        self.get()\n\n\n"
        "class Lake(Pond):\n    def rise(self):\n        self.fill()\n\n\ndef drain(pond):\n    pond.fill()\n\n\n"
        "here = Pond()\n"
    ),
    "heron/other.py": (
        "import json\n\n\nclass Cup:\n    def fill(self):\n        json.get()\n\n\ndef slug(x):\n    return x\n"
    ),
    "app.py": (
        "import heron\nfrom heron import empty, here\nfrom heron.pond import here as this\n\n\n"
        "def run():\n    heron.slug('x')\n    empty(heron.Pond())\n    heron.Pond().get()\n    this.fill()\n"
    ),
    "tests/test_pond.py": "from heron.other import Cup\n\n\ndef test_it():\n    cup = Cup()\n    cup.fill()\n",
    "guide.md": "# Ponds\n\nCall `Pond.fill` and then `slug()`, but not `moor_boat()`.\n",
    "__init__.py": "",
    "lonely.py": "def never_used_here():\n    return 1\n",
}


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    for module in (indexing, library):
        monkeypatch.setattr(module, "embedder_named", lambda name: HashEmbedder())
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    indexing.index([tmp_path])
    with Library(find(tmp_path)) as found:
        yield found


def exact(opened: Library, name: str) -> dict[str, list[str]]:
    return {one.name: sorted({c.path for c in one.callers}) for one in opened.callers(name)}


def possible(opened: Library, name: str) -> dict[str, list[str]]:
    return {one.name: sorted({c.path for c in one.possible}) for one in opened.callers(name)}


def test_a_call_is_followed_through_stars_and_renamed_reexports(opened: Library) -> None:
    assert exact(opened, "heron.text.slug") == {"heron.text.slug": ["app.py"]}
    assert exact(opened, "heron.empty") == {"heron.pond.drain": ["app.py"]}


def test_an_ambiguous_name_keeps_every_candidate(opened: Library) -> None:
    assert exact(opened, "slug") == {"heron.other.slug": [], "heron.text.slug": ["app.py"]}


def test_a_method_is_that_of_the_first_base_that_defines_it(opened: Library) -> None:
    assert exact(opened, "Water.get") == {"heron.pond.Water.get": ["app.py", "heron/pond.py"]}
    assert exact(opened, "Lake.get") == exact(opened, "Water.get")


def test_an_unknown_receiver_is_possible_and_a_known_one_is_exact(opened: Library) -> None:
    assert exact(opened, "fill") == {
        "heron.other.Cup.fill": ["tests/test_pond.py"],
        "heron.pond.Pond.fill": ["app.py", "heron/pond.py"],
        "heron.pond.Water.fill": ["heron/pond.py"],
    }
    assert possible(opened, "Cup.fill") == {"heron.other.Cup.fill": ["heron/pond.py"]}


def test_what_leads_out_of_the_folder_calls_nothing_here(opened: Library) -> None:
    (get,) = opened.callers("heron/pond.py:get")
    assert "heron/other.py" not in {c.path for c in (*get.callers, *get.possible)}


def test_importers_and_subclasses_are_found(opened: Library) -> None:
    (pond,) = opened.callers("heron.Pond")
    assert [c.path for c in pond.importers] == ["heron/__init__.py"]
    assert [c.path for c in pond.subclasses] == ["heron/pond.py"]


@pytest.mark.parametrize("name", ["heron/text.py:slug", "heron.text.slug", "heron.text.slug()", "heron.slug"])
def test_a_definition_has_its_signature_and_line(opened: Library, name: str) -> None:
    (slug,) = opened.callers(name)
    assert (slug.path, slug.line, slug.signature) == ("heron/text.py", 1, "def slug(value):")


def test_symbols_tells_documentation_from_code_and_unresolved_from_unmentioned(opened: Library) -> None:
    assert [c.path for c in opened.symbols("Pond.fill").documentation] == ["guide.md"]
    states = {name: opened.symbols(name).state for name in ("slug", "moor_boat", "never_used_here", "nowhere")}
    assert states == {
        "slug": "found",
        "moor_boat": "unresolved",
        "never_used_here": "unmentioned",
        "nowhere": "unknown",
    }


def test_what_a_name_can_mean_leaves_tests_out_where_there_is_anything_else(opened: Library) -> None:
    assert opened.meanings("fill") == ["heron/other.py:Cup.fill", "heron/pond.py:Pond.fill", "heron/pond.py:Water.fill"]
    assert opened.meanings("quetzal") == []
    assert opened.meanings("test_it") == ["tests/test_pond.py:test_it"]
