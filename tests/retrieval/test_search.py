from __future__ import annotations

from collections.abc import Iterator

import pytest

from retrieval.rerank import Reader
from retrieval.search import Searcher
from retrieval.store_edge import EdgeStore
from retrieval.types import Scope
from tests.retrieval.made import HashEmbedder, prose

CORPUS = [
    prose("films.md", "Hello Love", "Hello Love is a song by Chris Tomlin, from his album of the same name."),
    prose("people.md", "Chris Tomlin", "Chris Tomlin is a singer who grew up in Grand Saline, a town in Texas."),
    prose("places.md", "Grand Saline", "Grand Saline is a town whose salt mine opened in 1845."),
    prose("other.md", "Salt", "Salt is mined in many towns; a mine opens where the salt lies near the surface."),
    prose("noise.md", "Songs", "Many songs are about love, and love is what songs are made of."),
]
QUESTION = "Which towns were sung about where the one behind Hello Love grew up?"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeStore]:
    store = EdgeStore(tmp_path_factory.mktemp("search") / "store", HashEmbedder.dim)
    store.write(CORPUS, HashEmbedder().embed([f"{c.header}\n{c.text}" for c in CORPUS]))
    yield store
    store.close()


def paths(searcher: Searcher, query: str, **options: object) -> list[str]:
    return [hit.chunk.path for hit in searcher.search(query, **options).hits]  # type: ignore[arg-type]


def test_a_hop_finds_the_page_that_the_question_never_names(store: EdgeStore) -> None:
    searcher = Searcher(store, HashEmbedder())
    assert set(paths(searcher, QUESTION, k=2)) == {"films.md", "people.md"}
    assert "people.md" not in paths(searcher, QUESTION, k=2, hops=0)


def test_a_hit_says_the_name_that_led_to_it(store: EdgeStore) -> None:
    hits = Searcher(store, HashEmbedder()).search("Hello Love", k=5).hits
    assert {hit.chunk.path: hit.via for hit in hits}["films.md"][0] == "name: hello love"
    assert {hit.chunk.path: hit.via for hit in hits}["people.md"] == ("hop: chris tomlin",)


def test_stages_stand_in_the_order_they_ran_and_the_last_is_the_order_of_the_hits(store: EdgeStore) -> None:
    result = Searcher(store, HashEmbedder(), Reader(HashEmbedder())).search(QUESTION, k=3)
    assert list(result.stages) == ["bm25", "dense", "fused", "hops", "reranked"]
    assert [s.id for s in result.stages["reranked"][:3]] == [hit.chunk.id for hit in result.hits]
    assert result.timings.keys() == result.stages.keys()


def test_without_rerank_the_hops_are_last(store: EdgeStore) -> None:
    result = Searcher(store, HashEmbedder(), Reader(HashEmbedder())).search(QUESTION, rerank=False)
    assert list(result.stages)[-1] == "hops"


def test_hits_lie_inside_the_scope_even_when_hops_leave_it(store: EdgeStore) -> None:
    searcher = Searcher(store, HashEmbedder())
    assert set(paths(searcher, QUESTION, scope=Scope(path="p*.md"))) <= {"people.md", "places.md"}
    assert paths(searcher, QUESTION, scope=Scope(kind="code")) == []


@pytest.mark.parametrize("query", ["", "  \n\t ", "the of and", "\x00\x07", "?!"])
def test_a_query_without_words_is_answered_and_not_an_error(store: EdgeStore, query: str) -> None:
    assert isinstance(Searcher(store, HashEmbedder()).search(query).hits, tuple)


def test_an_empty_query_finds_nothing(store: EdgeStore) -> None:
    assert Searcher(store, HashEmbedder()).search(" ").hits == ()


def test_a_query_of_a_hundred_thousand_characters_finds_what_its_beginning_asks(store: EdgeStore) -> None:
    assert "films.md" in paths(Searcher(store, HashEmbedder()), "Hello Love " * 10_000, k=2)


def test_the_same_query_gives_the_same_hits(store: EdgeStore) -> None:
    searcher = Searcher(store, HashEmbedder(), Reader(HashEmbedder()))
    assert searcher.search(QUESTION).hits == searcher.search(QUESTION).hits
