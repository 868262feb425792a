"""What workers do ahead is what the writer would have done."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.reading import FileRead
from ingest.types import Chunk
from retrieval import weights
from retrieval.embed_static import StaticEmbedder
from retrieval.index import Indexer
from retrieval.manifest import Manifest
from retrieval.prepare import Preparation, Prepared
from retrieval.store_edge import EdgeStore
from retrieval.tokens import embedded, searchable, tokens
from retrieval.types import Scope
from tests.retrieval.made import HashEmbedder, prose

MODELS = weights.models_folder()
HERE = weights.installed(weights.STATIC) is not None
CHUNKS = (
    prose("birds/heron.md", "Herons", "The GreyHeron of v4.0 calls load_settings(path); twice."),
    prose("birds/heron.md", "Crème brûlée", "Ein Fischreiher, 20 °C, in Zürich — 4.2 %."),
    prose("birds/heron.md", "Empty", ""),
    prose("birds/heron.md", "Bell", "a\x07b c\x7fd"),
)


def made_by_a_worker(preparation: Preparation, chunks: tuple[Chunk, ...]) -> Prepared:
    prepared: Prepared = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(preparation))(chunks)))
    return prepared


def test_terms_are_those_of_the_searchable_text() -> None:
    prepared = made_by_a_worker(Preparation(static=None), CHUNKS)
    assert [[prepared.words[i] for i in row] for row in prepared.terms] == [tokens(searchable(c)) for c in CHUNKS]
    assert prepared.cut is None


@pytest.mark.weights
@pytest.mark.skipif(not HERE, reason=f"{weights.STATIC} is not in {MODELS}: `hoplite models pull`")
def test_tokens_are_those_of_the_embedded_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLITE_MODELS", str(MODELS))
    embedder = StaticEmbedder()
    prepared = made_by_a_worker(Preparation.for_embedder(embedder), CHUNKS)
    assert prepared.cut is not None
    np.testing.assert_array_equal(
        embedder.embed_cut(list(prepared.cut)), embedder.embed([embedded(chunk) for chunk in CHUNKS])
    )


def test_an_index_is_the_same_whoever_found_the_terms(tmp_path: Path) -> None:
    result = FileRead("birds/heron.md", "/birds/heron.md", "ab", 9, 1, "prose", "markdown", CHUNKS)
    ahead = replace(result, prepared=Preparation(static=None)(CHUNKS))
    found = []
    for name, results in (("writer", [result]), ("worker", [ahead])):
        (tmp_path / name).mkdir()
        store, manifest = EdgeStore(tmp_path / name / "store", HashEmbedder.dim), Manifest(tmp_path / name / "m.sqlite")
        Indexer(store, manifest, HashEmbedder()).apply(results)
        found.append((store.lexical(["heron", "load", "4.0"], limit=9, scope=Scope()), store.idf(["heron", "zurich"])))
        store.close()
        manifest.close()
    assert found[0] == found[1]
    assert found[0][0]
