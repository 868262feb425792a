"""What a question says outright is found, and shown as the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.chunk import chunk
from ingest.load import load
from retrieval.question import Place, Question, read
from retrieval.said import said, sided
from retrieval.search import Searcher
from retrieval.store_edge import EdgeStore
from retrieval.tokens import tokens
from retrieval.types import Scope
from tests.retrieval.made import HashEmbedder

FILES = {
    "heron/forms.py": 'def parse(data):\n    """Read a form."""\n    return data\n\n\ndef close(form):\n'
    '    raise ValueError(f"The form {form} was closed while it was read")\n',
    "other/forms.py": "def parse(data):\n    return [data]\n",
    "heron/tide.py": "def ebb(level):\n    return level - 1\n",
    "docs/flow.md": "# Flow\n\nThe flow of water since 2.13 is measured each hour.\n",
    "docs/ebb.md": "# Ebb tide\n\nThe ebb tide is measured twice a day.\n",
    "docs/noise.md": "# Noise\n\nWhat was measured each day is read by the hour, while water was closed.\n",
}
TRACE = """What does this mean?
Traceback (most recent call last):
  File "/usr/lib/heron/forms.py", line 7, in close
    raise ValueError(text)
ValueError: The form 17 was closed while it was read
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeStore]:
    folder = tmp_path_factory.mktemp("said")
    chunks = []
    for path, text in FILES.items():
        file: Path = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        chunks += chunk(load(str(file), path))
    store = EdgeStore(folder / "store", HashEmbedder.dim)
    store.write(chunks, HashEmbedder().embed([each.text for each in chunks]))
    yield store
    store.close()


def found(store: EdgeStore, question: Question) -> dict[str, str]:
    chunks = said(store, question)
    held = store.chunks(list(chunks))
    return {held[i].path: reason for i, (_, reason) in chunks.items()}


def test_a_frame_leads_to_its_file_where_most_of_the_path_agrees_and_to_its_function(store: EdgeStore) -> None:
    places = said(store, Question("x", places=(Place("/usr/lib/heron/forms.py", 7, "close"),)))
    (hit,) = store.chunks(list(places)).values()
    assert hit.path == "heron/forms.py"
    assert "was closed" in hit.text
    assert [reason for _, reason in places.values()] == ["path: /usr/lib/heron/forms.py:7"]


def test_a_file_of_which_there_are_two_is_both(store: EdgeStore) -> None:
    assert found(store, read("what is in forms.py")).keys() == {"heron/forms.py", "other/forms.py"}


def test_a_frame_of_a_file_that_is_not_indexed_leads_nowhere(store: EdgeStore) -> None:
    assert found(store, Question("x", places=(Place("/usr/lib/click/core.py", 7, "main"),))) == {}


def test_a_quotation_is_found_whatever_its_case_and_spaces(store: EdgeStore) -> None:
    asked = read('who says "the FLOW  of water"?')
    assert found(store, asked) == {"docs/flow.md": "quoted: the FLOW of water"}
    assert found(store, read("what is measured since 2.13")) == {"docs/flow.md": "quoted: 2.13"}


def test_what_is_quoted_but_a_name_is_left_to_names(store: EdgeStore) -> None:
    assert found(store, read('what is the "Ebb tide"?')) == {}


def test_a_pasted_trace_finds_the_code_that_raised_and_says_why(store: EdgeStore) -> None:
    noise = '  File "/srv/noise.py", line 1, in wrapper\n    return call()\n' * 2_000
    for query in (TRACE, noise + TRACE):
        hit = Searcher(store, HashEmbedder()).search(query).hits[0]
        assert hit.chunk.path == "heron/forms.py"
        assert "was closed" in hit.chunk.text
        assert hit.via[0] == "path: /usr/lib/heron/forms.py:7"


def test_a_line_is_worth_more_than_a_file_and_an_inner_frame_more_than_an_outer_one(store: EdgeStore) -> None:
    trace = (Place("heron/forms.py", 7, "close"), Place("heron/tide.py", 2, "ebb"))
    inner, outer = (gain for gain, _ in said(store, Question("x", places=trace)).values())
    (file,) = (gain for gain, _ in said(store, Question("x", places=(Place("heron/tide.py"),))).values())
    assert inner > outer > file


def test_a_path_is_the_reason_of_its_hit_without_hops_too(store: EdgeStore) -> None:
    hit = Searcher(store, HashEmbedder()).search("what is in heron/tide.py", hops=0).hits[0]
    assert (hit.chunk.path, hit.via[0]) == ("heron/tide.py", "path: heron/tide.py")


def test_both_sides_of_a_comparison_are_among_the_first_two(store: EdgeStore) -> None:
    hits = Searcher(store, HashEmbedder()).search("Which is measured each hour, the ebb tide or the flow?", k=2).hits
    assert {hit.chunk.path for hit in hits} == {"docs/ebb.md", "docs/flow.md"}


def test_a_chunk_with_both_sides_belongs_to_neither(store: EdgeStore) -> None:
    chunks = store.chunks(sorted(store.ids()))
    sides = sided(chunks, [tokens("measured"), tokens("ebb tide")])
    assert {chunks[i].path for i in sides[0]} == {"docs/flow.md", "docs/noise.md"}
    assert {chunks[i].path for i in sides[1]} == {"heron/tide.py"}


def test_what_is_said_lies_inside_the_scope(store: EdgeStore) -> None:
    search = Searcher(store, HashEmbedder()).search
    assert search(TRACE, scope=Scope(path="nothing/*")).hits == ()
    assert {hit.chunk.path for hit in search(TRACE, scope=Scope(kind="prose")).hits} <= {
        p for p in FILES if "docs" in p
    }
