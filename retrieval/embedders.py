"""Which embedder a name means."""

from __future__ import annotations

from functools import cache

from retrieval import weights
from retrieval.protocols import Embedder


def embedder_named(name: str | None) -> Embedder:
    """Return the embedder: the default for None, a static model by its name, else any sentence-transformers model.

    Nothing is loaded before it is needed.
    """
    if name is None or name in (weights.STATIC, weights.DISTILLED):
        return _static(name or weights.STATIC)
    from retrieval.embed_transformer import OnnxMiniLM, TransformerEmbedder

    return OnnxMiniLM() if name == weights.TRANSFORMER_INT8 else TransformerEmbedder(name)


@cache
def _static(name: str) -> Embedder:
    """One in a process, because passages and notes are both embedded by it, and its vectors are loaded once."""
    from retrieval.embed_static import StaticEmbedder

    return StaticEmbedder(name)
