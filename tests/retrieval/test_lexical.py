from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from retrieval import lexical
from retrieval.database import Database
from retrieval.lexical import LARGEST, Lexical, due
from retrieval.terms import Vocabulary, numbered
from retrieval.types import Scored

Documents = dict[int, list[str]]


class Index:
    """The index in a database of its own, beside the documents it should hold."""

    def __init__(self, path: Path | str) -> None:
        self.database = Database(Path(path), lexical.SCHEMA, 1)
        self.lexical = Lexical()
        self.held: Documents = {}

    def add(self, documents: Documents) -> None:
        with self.database.writing() as connection:
            vocabulary = Vocabulary()
            numbers = {i: numbered(vocabulary, terms) for i, terms in documents.items()}
            self.lexical.add(connection, vocabulary, numbers)
        self.held |= documents

    def remove(self, ids: Sequence[int]) -> None:
        with self.database.writing() as connection:
            self.lexical.remove(connection, {i: self.held.pop(i) for i in ids})

    def merge(self) -> None:
        with self.database.writing() as connection:
            self.lexical.merge(connection, everything=True)

    def search(self, terms: list[str], limit: int = 1000) -> list[Scored]:
        with self.database.reading() as connection:
            return self.lexical.search(connection, terms, limit=limit)

    def segments(self) -> int:
        with self.database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM segments").fetchone()[0])


def reference(documents: Documents, terms: list[str]) -> dict[int, float]:
    """Every score above 0 by rank_bm25."""
    if not any(documents.values()):
        return {}
    scores = BM25Okapi(list(documents.values())).get_scores(terms)
    return {i: s for i, s in zip(documents, scores.tolist(), strict=True) if s > 0}


def agree(index: Index, terms: list[str]) -> None:
    got, want = {s.id: s.score for s in index.search(terms)}, reference(index.held, terms)
    assert got.keys() == want.keys()
    assert all(got[i] == pytest.approx(want[i], rel=1e-9) for i in want)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path / "lexical.sqlite")
    yield made
    made.database.close()


def corpus(n: int, seed: int, words: int = 60) -> Documents:
    chance = random.Random(seed)
    return {
        chance.getrandbits(62): [f"w{int(chance.paretovariate(0.7)) % words}" for _ in range(chance.randint(0, 40))]
        for _ in range(n)
    }


def test_scores_are_rank_bm25s(index: Index) -> None:
    index.add(corpus(300, seed=1))
    for terms in (["w1"], ["w1", "w2", "w7", "w7"], ["w50", "unknown"], []):
        agree(index, terms)


def test_scores_are_rank_bm25s_after_many_writes_removals_and_merges(index: Index) -> None:
    for seed in range(6):
        index.add(corpus(50, seed))
    index.remove(sorted(index.held)[::3])
    agree(index, ["w1", "w2", "w5", "w30"])
    again = {i: [*terms[::-1], "w5"] for i, terms in list(index.held.items())[:20]}
    index.remove(list(again))
    index.add(again)
    agree(index, ["w1", "w2", "w5", "w30"])
    index.merge()
    assert index.segments() == 1
    agree(index, ["w1", "w2", "w5", "w30"])


def test_a_term_in_most_chunks_gets_the_references_floor(index: Index) -> None:
    index.add({i: ["common", f"rare{i}"] for i in range(1, 9)})
    with index.database.reading() as connection:
        weight = index.lexical.idf(connection, ["common"])["common"]
    assert weight == pytest.approx(BM25Okapi(list(index.held.values())).idf["common"])
    assert weight > 0
    agree(index, ["common", "rare3"])


# A handful of documents over four words: negative weights, empty documents and total ties are the rule here.
small = st.dictionaries(st.integers(0, 30), st.lists(st.sampled_from("abcd"), max_size=6), max_size=8)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(small, max_size=5), doomed=st.sets(st.integers(0, 30)), query=st.lists(st.sampled_from("abcde")))
def test_any_history_scores_as_a_fresh_index(steps: list[Documents], doomed: set[int], query: list[str]) -> None:
    index = Index(":memory:")
    for documents in steps:
        index.remove([i for i in documents if i in index.held])
        index.add(documents)
    index.remove([i for i in doomed if i in index.held])
    agree(index, query)
    index.merge()
    agree(index, query)
    index.database.close()


def test_scores_do_not_depend_on_how_the_chunks_came(index: Index, tmp_path: Path) -> None:
    documents = corpus(80, seed=3)
    index.add(documents)
    other = Index(tmp_path / "other.sqlite")
    for i in sorted(documents):
        other.add({i: documents[i]})
    assert other.search(["w1", "w3", "w9"]) == index.search(["w1", "w3", "w9"])
    other.database.close()


def test_only_those_among_are_returned_with_the_whole_indexs_weights(index: Index) -> None:
    index.add(corpus(50, seed=4))
    everything = index.search(["w3", "w4"])
    among = np.asarray([s.id for s in everything][::2], np.int64)
    with index.database.reading() as connection:
        got = index.lexical.search(connection, ["w3", "w4"], limit=100, among=among)
    assert got == everything[::2]


def test_a_write_that_is_rolled_back_leaves_no_trace(index: Index) -> None:
    index.add(corpus(20, seed=5))
    before = index.search(["w1"])
    with pytest.raises(TypeError), index.database.writing() as connection:
        index.lexical.add(connection, {7: ["w1"], 8: [1]})  # type: ignore[list-item]
    assert index.search(["w1"]) == before


def test_many_small_writes_are_merged(index: Index) -> None:
    for i in range(100):
        index.add({i: [f"w{i}"]})
        with index.database.writing() as connection:
            index.lexical.merge(connection)
    assert index.segments() < 2 * lexical.FAN
    agree(index, ["w3", "w99"])


def test_a_first_run_of_a_large_repository_merges_nothing() -> None:
    assert due(dict.fromkeys(range(23), (2_000, 2_000))) == []


def test_a_segment_more_than_half_struck_out_is_rewritten() -> None:
    assert due({1: (40, 100), 2: (60, 100)}) == [[1]]


def test_a_merged_segment_stays_within_its_bound() -> None:
    sizes = dict.fromkeys(range(41), (30_000, 30_000))
    groups = due(sizes)
    assert groups
    assert all(sum(sizes[s][0] for s in group) <= LARGEST for group in groups)
    assert all(len(group) > 1 for group in groups)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kept", [0, 4_000_000])
def test_the_best_of_any_corpus_are_the_references_whatever_was_asked_before(
    index: Index, monkeypatch: pytest.MonkeyPatch, seed: int, kept: int
) -> None:
    monkeypatch.setattr(lexical, "KEPT", kept)
    chance = random.Random(seed)
    for part in range(3):
        index.add(corpus(100, seed=10 * seed + part))
    index.remove(chance.sample(sorted(index.held), 40))
    for _ in range(10):
        terms = [f"w{chance.randint(0, 60)}" for _ in range(chance.randint(1, 5))]
        terms += chance.choices(terms, k=2)  # a term asked for twice counts twice
        want = reference(index.held, terms)
        order = sorted(want, key=lambda i: (-round(want[i], 9), i))[:20]
        got = index.search(terms, limit=20)
        assert [s.score for s in got] == pytest.approx([want[i] for i in order], abs=1e-6)
        assert all(s.score == pytest.approx(want[s.id], abs=1e-6) for s in got)
