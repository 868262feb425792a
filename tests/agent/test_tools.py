"""The tools: they only read, show nothing twice, and answer mistakes in words that the model can act on."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fake_library import FakeLibrary

from agent.guard import Marker
from agent.ledger import Ledger
from agent.memory import Recollection
from agent.tools import Toolbox
from agent.types import Citation, Fact, Note, Past
from ingest.errors import ToolError
from retrieval.types import SearchResult

TOOLS = ["search", "read", "grep", "symbols", "callers", "list_files", "recall"]
FILES = {
    "heron.md": "# Heron\nHeron keeps letters in `ReedStore`.\n",
    "reed.py": "class ReedStore:\n    KEEP = 42\n\ndef use_it():\n    return ReedStore()\n",
}


@pytest.fixture
def box() -> Toolbox:
    return Toolbox(FakeLibrary(FILES), Ledger(), Marker("feedbeef"))


def test_every_tool_only_reads(box: Toolbox) -> None:
    assert [spec.name for spec in box.specs] == TOOLS
    assert {spec.effects for spec in box.specs} == {"read"}


def test_what_is_found_is_labelled_and_fenced(box: Toolbox) -> None:
    told = box.search("Heron letters", k=1)
    assert told.startswith("<sources feedbeef>\n[1] heron.md > Heron\n# Heron\nHeron keeps letters")
    assert told.endswith("</sources feedbeef>")


def test_what_was_shown_is_not_shown_again(box: Toolbox) -> None:
    box.search("Heron letters", k=1)
    assert box.read("heron.md", 1, 2) == "Nothing new: [1] already shown."


@pytest.mark.parametrize("again", ["Heron letters", "letters, HERON"])
def test_a_repeated_search_is_answered_as_such(box: Toolbox, again: str) -> None:
    box.search("Heron letters", k=1)
    assert box.search(again) == "search: already done; see [1]. Ask for something else, or finish."


def test_a_search_of_the_system_counts_as_done(box: Toolbox) -> None:
    box.note_search("Who keeps letters?", ["1", "2"])
    assert "already done; see [1] [2]" in box.search("Who keeps letters?")
    assert box.queries == ("Who keeps letters?",)


def test_symbols_shows_the_definition_and_lists_the_mentions(box: Toolbox) -> None:
    told = box.symbols("ReedStore")
    assert "[1] reed.py > ReedStore\nclass ReedStore:\n    KEEP = 42" in told
    assert "mentioned in reed.py:4 use_it" in told


def test_grep_lists_lines_and_makes_the_first_ones_passages(box: Toolbox) -> None:
    told = box.grep("KEEP", path="*.py")
    assert "reed.py:2: KEEP = 42" in told
    assert "[1] reed.py" in told


def test_read_gives_at_most_sixty_lines() -> None:
    box = Toolbox(FakeLibrary({"long.md": "\n".join(map(str, range(500)))}), ledger := Ledger(), Marker())
    box.read("long.md", 1, 400)
    assert next(iter(ledger)).end_line == 60


def test_nothing_found_is_said(box: Toolbox) -> None:
    assert box.search("quetzal") == "Nothing found."


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda b: b.search(""), "search(query) needs some text; got ''"),
        (lambda b: b.search(17), "search(query) needs some text; got 17"),
        (lambda b: b.search("x" * 501), "at most 500 characters; got 501"),
        (lambda b: b.search("x", k=0), "a number from 1 on; got 0"),
        (lambda b: b.search("x", k="3"), "needs a whole number; got '3'"),
        (lambda b: b.read("heron.md", 2, 1), "a number from 2 on; got 1"),
        (lambda b: b.read("heron.md", True), "needs a whole number; got True"),
        (lambda b: b.read("../../etc/passwd"), "../../etc/passwd"),
        (lambda b: b.grep("("), "bad pattern '('"),
        (lambda b: b.search(["x", 3]), "needs some text; got 3"),
        (lambda b: b.search([]), "takes 1 to 4 queries; got 0"),
        (lambda b: b.search(list("abcde")), "takes 1 to 4 queries; got 5"),
        (lambda b: b.callers(""), "callers(name) needs some text; got ''"),
        (lambda b: b.list_files(3), "list_files(glob) needs some text; got 3"),
        (lambda b: b.recall(None), "recall(question) needs some text; got None"),
        (lambda b: b.symbols(["x"]), "symbols(name) needs some text; got ['x']"),
    ],
)
def test_a_wrong_call_is_an_error_the_model_can_correct(box: Toolbox, call: object, told: str) -> None:
    with pytest.raises(ToolError) as error:
        call(box)  # type: ignore[operator]
    assert told in str(error.value)


def test_hidden_characters_of_a_source_are_shown(box: Toolbox) -> None:
    box = Toolbox(FakeLibrary({"x.md": "Heron\u200b rests."}), Ledger(), Marker())
    assert "Heron<U+200B> rests." in box.search("rests")


def test_several_searches_run_at_the_same_time_and_are_told_in_order() -> None:
    both = threading.Barrier(2)

    class Meeting(FakeLibrary):
        def search(self, query: str, **options: Any) -> SearchResult:
            both.wait(5)  # fails unless the other search is under way too
            return super().search(query, **options)

    told = Toolbox(Meeting(FILES), Ledger(), Marker()).search(["class ReedStore KEEP", "Heron"], k=1)
    assert told.index("[1] reed.py") < told.index("[2] heron.md")


def test_one_of_several_searches_that_was_done_is_answered_as_such(box: Toolbox) -> None:
    box.search("Heron letters", k=1)
    told = box.search(["letters Heron", "ReedStore KEEP", "ReedStore KEEP"])
    assert told.count("already done") == 2
    assert "[2] reed.py" in told


def test_callers_lists_who_calls_and_makes_the_first_ones_passages(box: Toolbox) -> None:
    told = box.callers("ReedStore")
    assert "ReedStore in reed.py:1 is called by 1\n  reed.py:4 use_it" in told
    assert "[1] reed.py > use_it" in told
    assert box.callers("quetzal") == "Nothing found."


def test_files_are_listed_by_a_pattern_and_never_all_of_many() -> None:
    box = Toolbox(FakeLibrary({f"src/{i:02}.py": "x = 1" for i in range(50)} | FILES), Ledger(), Marker("feedbeef"))
    assert box.list_files("*.md") == "<sources feedbeef>\nheron.md\n</sources feedbeef>"
    assert "… 10 more; give a narrower pattern" in box.list_files("src/*")


def test_a_note_is_recalled_as_a_place_with_its_quote_and_is_no_evidence() -> None:
    cited = Citation("1", "heron.md", 1, 1, "Heron\u200b keeps letters.", True)
    facts = (Fact("Whatever a model said.", (cited,)),)
    stands = Note(1, "Who keeps letters?", facts, (), {}, 0.0, 0.0)
    stale = Note(2, "Who does?", (), (), {}, 0.0, 0.0, history=(Past(facts[0], 0.0, 1.0, "it changed"),))
    ledger = Ledger()
    box = Toolbox(FakeLibrary(FILES), ledger, Marker(), lambda question: Recollection((stands, stale)))
    told = box.recall("Who keeps letters?")
    assert (
        "unchecked note: heron.md:1 “Heron<U+200B> keeps letters.”\nunchecked note: heron.md:1 (changed since)" in told
    )
    assert ("Whatever" in told, len(ledger)) == (False, 0)
    assert Toolbox(FakeLibrary(FILES), ledger, Marker()).recall("What is a barn owl?") == "Nothing found."
