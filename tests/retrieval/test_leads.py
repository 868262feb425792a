from __future__ import annotations

from collections.abc import Iterator

import pytest

from retrieval.search import Searcher
from retrieval.store_edge import EdgeStore
from retrieval.types import Scope
from tests.retrieval.made import HashEmbedder, prose

CORPUS = [
    prose("release.md", "Release 4", "Release 4 adds the command `squash_all`."),
    prose("squash.md", "squash_all", "The command squash_all. Written by Ada Byrne.", start=1),
    prose("squash.md", "Output", "It prints nothing to do when there is nothing to squash.", start=5),
    prose("squash.md", "Options", "Two options change what it looks at.", start=9),
    prose("ada.md", "Ada Byrne", "Ada Byrne lives in Cork."),
]
QUESTION = "What does the command that release 4 adds print when there is nothing to do?"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    store = EdgeStore(tmp_path_factory.mktemp("leads") / "store", HashEmbedder.dim)
    store.write(CORPUS, HashEmbedder().embed([f"{c.header}\n{c.text}" for c in CORPUS]))
    yield Searcher(store, HashEmbedder())
    store.close()


def test_a_lead_is_the_part_of_the_named_document_that_answers(searcher: Searcher) -> None:
    hits = [hit for hit in searcher.search(QUESTION).hits if hit.chunk.path == "release.md"]
    (lead,) = searcher.leads(QUESTION, hits).hits
    assert (lead.chunk.path, lead.chunk.title) == ("squash.md", "Output")
    assert lead.via == ("hop: squash_all",)


def test_leads_are_one_a_document_and_none_of_them_where_they_start(searcher: Searcher) -> None:
    hits = [hit for hit in searcher.search(QUESTION).hits if hit.chunk.title == "squash_all"]
    paths = [hit.chunk.path for hit in searcher.leads(QUESTION, hits).hits]
    assert sorted(paths) == ["ada.md", "release.md"]


def test_leads_stay_in_the_scope(searcher: Searcher) -> None:
    hits = [hit for hit in searcher.search(QUESTION).hits if hit.chunk.title == "squash_all"]
    inside = searcher.leads(QUESTION, hits, scope=Scope(within=("a*.md",))).hits
    assert [hit.chunk.path for hit in inside] == ["ada.md"]


def test_nothing_found_leads_nowhere(searcher: Searcher) -> None:
    assert searcher.leads(QUESTION, []).hits == ()
