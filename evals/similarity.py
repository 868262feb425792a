"""How alike in meaning two texts are, by the transformer that also orders passages."""

from __future__ import annotations

from collections.abc import Sequence

from evals.scoring import Similar
from retrieval import weights
from retrieval.protocols import Embedder


def similarity() -> tuple[str, Similar | None]:
    """Return the model's name and what compares with it; ("none", None) where its weights are not here."""
    if weights.installed(weights.TRANSFORMER_INT8) is None:
        return "none", None
    from retrieval.embed_transformer import OnnxMiniLM

    return weights.TRANSFORMER_INT8, similar_by(OnnxMiniLM(threads=1))


def similar_by(embedder: Embedder) -> Similar:
    """Return what gives the cosine of an answer and the likest of several, below 0 counting as 0.

    Semantic answer similarity (Risch et al. 2021, arXiv 2108.06130) with a bi-encoder. The model reads the first 128
    tokens of a text. What differs in a number or a "not" is as alike as what says the same.
    """

    def similar(text: str, others: Sequence[str]) -> float:
        vectors = embedder.embed([text, *others])
        return min(1.0, max(0.0, *(float(vectors[0] @ other) for other in vectors[1:])))

    return similar
