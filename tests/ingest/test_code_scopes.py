"""What code calls, imports and inherits, as fully as one file tells."""

from __future__ import annotations

import pytest

from ingest.chunk import chunk
from tests.ingest.conftest import Make


def calls(document: Make, code: str, path: str = "heron/jobs.py") -> set[str]:
    return {name for one in chunk(document(path, code)) for name in one.calls}


@pytest.mark.parametrize(
    ("imported", "call", "name"),
    [
        ("from heron.text import slug", "slug(1)", "heron.text.slug"),
        ("from heron.text import slug as s", "s(1)", "heron.text.slug"),
        ("import heron.text", "heron.text.slug(1)", "heron.text.slug"),
        ("import heron.text as t", "t.slug(1)", "heron.text.slug"),
        ("from . import text", "text.slug(1)", "heron.text.slug"),
        ("from .text import slug", "slug(1)", "heron.text.slug"),
        ("from ..reed.text import slug", "slug(1)", "reed.text.slug"),
        ("from heron.text import *", "slug(1)", "heron.jobs.slug"),
        ("if TYPE_CHECKING:\n    from heron.text import slug", "slug(1)", "heron.text.slug"),
        ("def slug(x): pass", "slug(1)", "heron.jobs.slug"),
        ("class Slug: pass", "Slug()", "heron.jobs.Slug"),
        ("", "thing.save()", ".save"),
        ("", "thing[0].first.save(1)", ".save"),
        ("class Pond: pass", "Pond().fill(1)", "heron.jobs.Pond().fill"),
        ("class Pond: pass", "pond = Pond()\n    pond.fill(1)", "heron.jobs.Pond().fill"),
    ],
)
def test_a_call_is_written_as_fully_as_the_file_tells(document: Make, imported: str, call: str, name: str) -> None:
    assert name in calls(document, f"{imported}\n\n\ndef run(thing):\n    {call}\n")


@pytest.mark.parametrize(
    "body",
    [
        "def run(slug):\n    slug(1)",
        "def run():\n    slug = pick()\n    slug(1)",
        "def run():\n    def slug(x): pass\n    slug(1)",
        "def run():\n    return map(slug, [1])",
        "@slug\ndef run(): pass",
        "def run():\n    return 'slug(1)'  # slug(1)",
    ],
)
def test_what_is_local_passed_on_or_quoted_is_no_call(document: Make, body: str) -> None:
    assert "heron.text.slug" not in calls(document, f"from heron.text import slug\n\n\n{body}\n")


def test_an_import_inside_a_function_is_known_only_there(document: Make) -> None:
    code = "def a():\n    from heron.text import slug\n    slug(1)\n\n\ndef b():\n    slug.cut()\n"
    assert calls(document, code) == {"heron.text.slug", ".cut"}


def test_a_variable_that_is_also_something_else_is_unknown(document: Make) -> None:
    code = "class P: pass\n\n\ndef run(x):\n    p = P()\n    p = x\n    p.fill(1)\n    q = q.next()\n    q.go()\n"
    assert {".fill", ".go"} <= calls(document, code)


def test_a_method_of_the_own_class_and_of_its_bases_is_told_by_the_class(document: Make) -> None:
    code = (
        "class Pond(Water):\n    def fill(self):\n        self.drain()\n        super().fill()\n"
        "        self.pump.start()\n\n    @classmethod\n    def make(cls):\n        return cls()\n"
    )
    assert calls(document, code) == {
        "heron.jobs.Pond.drain",
        "heron.jobs.Pond.super().fill",
        ".start",
        "heron.jobs.Pond",
    }


def test_a_class_carries_its_bases_and_a_variable_its_class(document: Make) -> None:
    code = (
        "from a.b import Base\nimport c\n\nhere = c.Site()\nthere = here\n\n\nclass Pond(Base, c.Mixin):\n    x = 1\n"
    )
    (one,) = chunk(document("heron/pond.py", code))
    assert one.inherits == (
        "heron.pond.Pond(a.b.Base, c.Mixin)",
        "heron.pond.here = c.Site()",
        "heron.pond.there = heron.pond.here",
    )
    assert one.imports == ("a.b.Base", "c")


@pytest.mark.parametrize(
    ("path", "code", "name"),
    [
        ("a/pond.js", "class Pond extends Water {\n  fill() { this.drain(); }\n}\n", "a.pond.Pond.drain"),
        ("a/pond.ts", "function fill(): void {}\nfunction run() { fill(); }\n", "a.pond.fill"),
        ("a/pond.go", "package pond\nfunc Run() {\n\tFill(1)\n}\n", "Fill"),
        ("a/pond.rs", "fn run(p: Pond) {\n    p.fill(1);\n}\n", ".fill"),
        ("a/Pond.java", "class Pond {\n  void run() { this.fill(); }\n}\n", "a.Pond.Pond.fill"),
        ("a/pond.cpp", "int run(Pond *p) {\n  return p->fill(1);\n}\n", ".fill"),
    ],
)
def test_other_languages_tell_their_calls_by_the_same_rule(document: Make, path: str, code: str, name: str) -> None:
    assert name in calls(document, code, path)


@pytest.mark.parametrize(
    ("path", "code", "bases"),
    [
        ("a/p.js", "class Pond extends Water {\n  fill() {}\n}\n", "a.p.Pond(Water)"),
        ("a/p.ts", "class Pond extends Water implements Wet {\n  fill() {}\n}\n", "a.p.Pond(Water, Wet)"),
        ("a/P.java", "class Pond extends Water implements Wet {\n  void fill() {}\n}\n", "a.P.Pond(Water, Wet)"),
        ("a/p.cpp", "class Pond : public Water {\n  int depth;\n};\n", "a.p.Pond(Water)"),
    ],
)
def test_other_languages_tell_their_bases(document: Make, path: str, code: str, bases: str) -> None:
    assert bases in {name for one in chunk(document(path, code)) for name in one.inherits}


@pytest.mark.parametrize(
    ("path", "code", "route"),
    [
        ("urls.py", 'urlpatterns = [path("ponds/<int:id>/", views.pond)]\n', "/ponds/<int:id>/"),
        ("app.py", '@app.get("/ponds")\ndef ponds():\n    return 1\n', "/ponds"),
        ("app.js", "app.get('/ponds', list);\n", "/ponds"),
        ("main.go", 'package main\nfunc main() {\n\trouter.HandleFunc("/ponds", list)\n}\n', "/ponds"),
    ],
)
def test_a_route_is_a_name_of_the_chunk_that_defines_it(document: Make, path: str, code: str, route: str) -> None:
    (one,) = chunk(document(path, code))
    assert route in one.defines


def test_a_key_of_a_dictionary_and_an_address_are_no_routes(document: Make) -> None:
    (one,) = chunk(document("a.py", 'x = settings.get("ponds")\ny = client.get("https://pond.example/a")\n'))
    assert not [name for name in one.defines if name.startswith("/")]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("a.py", 'import os\nos.getenv("HERON_DAYS", "3")\n'),
        ("a.js", "const days = process.env.HERON_DAYS;\n"),
        ("a.rs", 'fn f() { std::env::var("HERON_DAYS"); }\n'),
        ("a.go", 'package a\nfunc f() { os.Getenv("HERON_DAYS") }\n'),
        ("A.java", 'class A { String f() { return System.getenv("HERON_DAYS"); } }\n'),
    ],
)
def test_an_environment_variable_is_mentioned(document: Make, path: str, code: str) -> None:
    assert "HERON_DAYS" in {name for one in chunk(document(path, code)) for name in one.mentions}
