"""The embedders that read a text whole keep the Embedder protocol's promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ingest.errors import ModelUnavailable
from retrieval import weights
from retrieval.embed_transformer import OnnxMiniLM, TransformerEmbedder

MODELS = weights.models_folder()
HERE = weights.installed(weights.TRANSFORMER_INT8) is not None
needs_weights = pytest.mark.skipif(
    not HERE, reason=f"{weights.TRANSFORMER_INT8} is not in {MODELS}: `hoplite models pull`, or set HOPLITE_MODELS"
)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights that were there before the test got a home of its own."""
    monkeypatch.setenv("HOPLITE_MODELS", str(MODELS))


@pytest.mark.parametrize("embedder", [OnnxMiniLM(), TransformerEmbedder("all-MiniLM-L6-v2")])
def test_without_weights_it_names_the_command_that_fetches_them(
    embedder: OnnxMiniLM | TransformerEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPLITE_MODELS", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=f"hoplite models pull {embedder.name}"):
        embedder.embed(["a heron"])


def test_a_folder_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert TransformerEmbedder("model").name == str(tmp_path / "model")
    assert TransformerEmbedder("BAAI/bge-base-en-v1.5").name == "BAAI/bge-base-en-v1.5"


def test_an_unknown_model_offline_is_refused_at_once_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnavailable, match=r"who/knows could not be loaded: HF_HUB_OFFLINE is set\. Name a"):
        TransformerEmbedder("who/knows").embed(["a heron"])


@pytest.mark.weights
@needs_weights
def test_the_reranker_needs_no_torch_and_says_nothing() -> None:
    code = (
        "import sys; from retrieval.embed_transformer import OnnxMiniLM; OnnxMiniLM().embed(['a']);"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    env = os.environ | {"HOPLITE_MODELS": str(MODELS)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert (run.stdout, run.stderr) == ("set()\n", "")


@pytest.mark.weights
@needs_weights
def test_onnx_rows_are_unit_vectors_and_an_empty_text_is_a_zero_row(models: None) -> None:
    vectors = OnnxMiniLM().embed(["A heron eats fish.", " ", "word " * 900])
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-6)


@pytest.mark.weights
@needs_weights
def test_onnx_gives_a_text_one_vector_whatever_it_stands_beside(models: None) -> None:
    embedder = OnnxMiniLM()
    alone = embedder.embed(["A heron eats fish."])
    among = embedder.embed(["other", "A heron eats fish.", "x " * 900])
    np.testing.assert_array_equal(alone[0], among[1])


@pytest.mark.weights
@needs_weights
def test_short_texts_that_are_read_together_are_read_as_they_are_alone(models: None) -> None:
    texts = ["grey", *(f"heron number {n} stands in shallow water" for n in range(20)), "", "A heron. " * 30, "reed"]
    together = list(OnnxMiniLM().states(texts))
    for text, states in zip(texts, together, strict=True):
        (alone,) = OnnxMiniLM().states([text])
        np.testing.assert_allclose(states, alone, atol=1e-3)


@pytest.mark.weights
@needs_weights
def test_the_int8_model_agrees_with_the_one_it_was_made_from(models: None) -> None:
    if weights.installed(weights.TRANSFORMER) is None:
        pytest.skip(f"{weights.TRANSFORMER} is not in {MODELS}: `hoplite models pull`")
    texts = ["A heron eats fish.", "def load_settings(path): return parse(path)", ""]
    full = TransformerEmbedder(weights.TRANSFORMER)
    assert full.dim == 384
    np.testing.assert_allclose((OnnxMiniLM().embed(texts) * full.embed(texts)).sum(axis=1), [1, 1, 0], atol=5e-3)
