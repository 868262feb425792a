"""The static embedder keeps the Embedder protocol's promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ingest.errors import ModelUnavailable
from retrieval import weights
from retrieval.embed_static import StaticEmbedder, in_bytes, table_of
from retrieval.embedders import embedder_named

MODELS = weights.models_folder()
HERE = weights.installed(weights.DISTILLED) is not None


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights that were there before the test got a home of its own."""
    monkeypatch.setenv("HOPLITE_MODELS", str(MODELS))


def test_name_and_size_are_known_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLITE_MODELS", str(tmp_path))
    embedder = StaticEmbedder(weights.DISTILLED)
    assert (embedder.name, embedder.dim) == ("static-all-MiniLM-L6-v2-256", 256)
    with pytest.raises(ModelUnavailable, match="hoplite models pull static-all-MiniLM-L6-v2-256"):
        embedder.embed(["a heron"])


def test_the_default_needs_nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLITE_MODELS", str(tmp_path))
    assert StaticEmbedder().name == "static-hoplite-256"
    assert StaticEmbedder().embed(["a heron"]).any()


def test_a_workspace_from_before_keeps_its_embedder() -> None:
    old, new = embedder_named(weights.DISTILLED), embedder_named(None)
    assert (old.name, new.name) == ("static-all-MiniLM-L6-v2-256", "static-hoplite-256")


def test_vectors_in_bytes_are_read_with_their_scales(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(50, 256)).astype(np.float32) * np.logspace(-3, 1, 50)[:, None]
    save_file(in_bytes(table.astype(np.float32)), tmp_path / "model.safetensors")
    np.testing.assert_allclose(
        table_of(tmp_path) / abs(table).max(1)[:, None], table / abs(table).max(1)[:, None], atol=0.005
    )


def test_importing_it_loads_neither_torch_nor_model2vec() -> None:
    code = "import retrieval.embed_static, sys; print({'torch', 'model2vec', 'transformers'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout == "set()\n"


class TestWithWeights:
    def test_rows_are_unit_vectors_and_an_empty_text_is_a_zero_row(self) -> None:
        vectors = StaticEmbedder().embed(["A heron eats fish.", "", "def load_settings(path): ..."])
        assert (vectors.shape, vectors.dtype) == ((3, 256), np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-6)

    def test_no_texts_give_no_rows(self) -> None:
        assert StaticEmbedder().embed([]).shape == (0, 256)

    def test_a_text_has_one_vector_whatever_it_stands_beside(self) -> None:
        alone = StaticEmbedder().embed(["A heron eats fish."])
        among = StaticEmbedder().embed(["other", "A heron eats fish.", "x " * 900])
        np.testing.assert_array_equal(alone[0], among[1])

    def test_likeness_of_meaning_is_likeness_of_vectors(self) -> None:
        heron, egret, tax = StaticEmbedder().embed(["a heron catches fish", "egrets hunt for fish", "income tax forms"])
        assert heron @ egret > heron @ tax + 0.2

    @pytest.mark.weights
    @pytest.mark.skipif(
        not HERE, reason=f"{weights.DISTILLED} is not in {MODELS}: `hoplite models pull {weights.DISTILLED}`"
    )
    def test_vectors_are_those_of_model2vec(self, models: None) -> None:
        from model2vec import StaticModel

        texts = [
            "def load_settings(path): return os.environ['HERON_RETENTION']  # 4.2%",
            "Crème brûlée à Zürich — 東京 and “quotes”, 20 °C, naïve ½ €5\u200b.",
            "bell\x07inside a\tword, \x7f end; " + "x" * 150,
            "ΑΒΓ Straße İstanbul ŉ ﬁ",
            "a b " * 400,
        ]
        model = StaticModel.from_pretrained(weights.require(weights.DISTILLED))
        expected = model.encode(texts, max_length=None).astype(np.float32)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        # model2vec averages in float16.
        np.testing.assert_allclose(StaticEmbedder(weights.DISTILLED).embed(texts), expected, atol=1e-3)
