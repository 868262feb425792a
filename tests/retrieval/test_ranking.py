"""What names and places of chunks add to their scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.ids import chunk_id
from ingest.types import Chunk, Kind
from retrieval.ranking import Ranking, is_test, kind_of
from retrieval.store_edge import EdgeStore
from tests.retrieval.made import HashEmbedder, prose


def code(path: str, title: str, text: str) -> Chunk:
    return replace(prose(path, title, text, kind="code"), title=title, id=chunk_id(path + title, text, 0))


CORPUS = [
    code("heron/config.py", "Station.load_settings", "def load_settings(self): return self.settings"),
    code("heron/chart.py", "draw", "settings = station.load_settings()"),
    code("heron/middleware/gzip.py", "Responder", "class Responder: pass"),
    code("tests/test_chart.py", "test_draw", "settings = station.load_settings()"),
    code("heron/__init__.py", "__init__.py", "from heron.chart import draw"),
    prose("docs/guide.md", "Guide", "How settings are loaded."),
    prose("CHANGES.rst", "Changes", "Settings are loaded later."),
    prose("1042", "Settings", "A page about something else."),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeStore]:
    store = EdgeStore(tmp_path_factory.mktemp("ranking") / "store", HashEmbedder.dim)
    store.write(CORPUS, HashEmbedder().embed([c.text for c in CORPUS]))
    yield store
    store.close()


def best(store: EdgeStore, query: str) -> str:
    paths = {chunk.id: chunk.path for chunk in CORPUS}
    scores = Ranking(store, query).weighed(dict.fromkeys(paths, 0.5))
    return paths[max(scores, key=lambda chunk: scores[chunk])]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("load settings", "heron/config.py"),
        ("where does the station load its settings", "heron/config.py"),
        ("the gzip middleware", "heron/middleware/gzip.py"),
        ("test of the chart", "tests/test_chart.py"),
        ("what changed in the changelog", "CHANGES.rst"),
    ],
)
def test_a_name_or_a_path_whose_words_the_question_says_comes_first(store: EdgeStore, query: str, path: str) -> None:
    assert best(store, query) == path


def test_words_that_tell_nothing_in_a_tiny_corpus_leave_the_scores(tmp_path: Path) -> None:
    few = [prose("docs/backup.md", "Backup", "Backups are kept."), code("src/cold.py", "ColdStore", "KEEP_DAYS = 30")]
    with closing(EdgeStore(tmp_path / "store", HashEmbedder.dim)) as store:
        store.write(few, HashEmbedder().embed([c.text for c in few]))
        scores = Ranking(store, "backup cold store").weighed({c.id: 0.5 for c in few})
    assert list(scores.values()) == [0.5, 0.5]


def test_tests_and_re_exports_stand_behind_code_that_is_as_good(store: EdgeStore) -> None:
    scores = Ranking(store, "what is drawn").weighed({chunk.id: 0.5 for chunk in CORPUS})
    by_path = {chunk.path: scores[chunk.id] for chunk in CORPUS}
    assert by_path["tests/test_chart.py"] < by_path["heron/__init__.py"] < by_path["heron/chart.py"] == 0.5


def test_prose_outside_a_project_keeps_its_score(store: EdgeStore) -> None:
    page = next(chunk.id for chunk in CORPUS if chunk.path == "1042")
    for query in ("settings", "a test of the documentation's code", "", "?"):
        assert Ranking(store, query).weighed({page: 0.37}) == {page: 0.37}


@pytest.mark.parametrize(
    "path",
    ["tests/x.py", "a/test_x.py", "conftest.py", "x_test.go", "src/FooTest.java", "a.spec.ts", "spec/a_spec.rb"],
)
def test_a_test_is_known_by_its_path(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize("path", ["latest.py", "contest/a.py", "src/testament.py", "attest.go", "a/protest.rb"])
def test_a_word_with_test_in_it_is_none(path: str) -> None:
    assert not is_test(path)


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("examples/a.py", "code", "example"),
        ("vendor/a.go", "code", "copy"),
        ("a/b_pb2.py", "code", "copy"),
        ("a/b.min.js", "code", "copy"),
        ("a/b.d.ts", "code", "stub"),
        ("a/__init__.py", "code", "package"),
        ("a/b.py", "code", "code"),
        ("docs/a.md", "prose", "docs"),
        ("notes/a.md", "prose", ""),
        ("tests/a.md", "prose", ""),
        ("release-notes.md", "prose", "changes"),
        ("history.md", "prose", ""),
    ],
)
def test_a_file_is_of_the_kind_that_its_path_says(path: str, kind: Kind, expected: str) -> None:
    assert kind_of(path, kind) == expected
