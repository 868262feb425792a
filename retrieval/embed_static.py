"""The default embedder: a static model, one vector a token.

Two models have this form: the default, trained on pairs from code and documentation (`retrieval.training`), and the one
it began as, distilled from a transformer. A text's vector is the mean of its tokens' vectors, as
`model2vec.StaticModel.encode` has it, computed another way: a word is cut into tokens once and remembered. Over
Django's 39,000 chunks that takes 3 s of one core, model2vec 12.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from retrieval import weights
from retrieval.protocols import Vectors
from retrieval.tokens import parts

DIM = 256

Tokens = NDArray[np.int32]

# Words whose tokens are kept. Django's chunks hold 41,000 different ones; an entry takes about 150 bytes.
KEPT = 1 << 19

# How BERT's tokenizer takes a text apart, once it is normal, before it cuts words into tokens: at spaces and marks. In
# ASCII, `tokens.parts` cuts at fewer places, and the tokenizer takes each part further apart.
_WORD = regex.compile(r"[^\s\p{P}$+<=>^`|~]+|[\p{P}$+<=>^`|~]")
# The tokenizer leaves out control characters but these, so words on either side of one are a single word.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def is_plain(text: str) -> bool:
    """True for a text that `tokens.parts` takes apart at places where the tokenizer does, too."""
    return text.isascii() and not _CONTROL.search(text)


class StaticEmbedder:
    """Embedder over a static model. Loaded at the first `embed`, in 0.4 seconds."""

    dim = DIM

    def __init__(self, name: str = weights.STATIC) -> None:
        """`name` is `weights.STATIC` or `weights.DISTILLED`."""
        self.name = name
        self._words: _Words | None = None
        self._vectors: Vectors | None = None
        self._loading = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, 256), L2-normalised rows; a text without a known token gives a zero row.

        Raises ModelUnavailable where the weights are not fetched.
        """
        return self.embed_cut(self.cut([self.words(text) for text in texts]))

    def words(self, text: str) -> list[str]:
        """Return the words of a text; for one that `is_plain`, they are `tokens.parts`. Raises as `embed` does."""
        with self._loading:
            return self._loaded().of(text)

    def cut(self, texts: Sequence[Sequence[str]]) -> list[Tokens]:
        """Return each text's tokens, int32 (tokens,), of texts given as their words: the part of embedding that takes
        long. Raises as `embed` does."""
        with self._loading:
            return self._loaded().cut(texts)

    def tokens_of(self, words: Collection[str]) -> list[tuple[int, ...]]:
        """Return the tokens of each word, for those that count the words of many texts themselves. Raises as `embed`
        does."""
        with self._loading:
            return self._loaded().tokens_of(words)

    def _loaded(self) -> _Words:
        if self._words is None:
            self._words = _Words(weights.require(self.name))
        return self._words

    def embed_cut(self, tokens: Sequence[Tokens]) -> Vectors:
        """Return the vectors of texts that were cut, as `embed` does."""
        with self._loading:
            if self._vectors is None:
                self._vectors = table_of(weights.require(self.name))
            vectors = self._vectors
        sums = _sums(tokens, vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        np.divide(sums, lengths, out=sums, where=lengths > 0)
        return sums


def table_of(folder: Path) -> Vectors:
    """Return a static model's vectors, float32 (tokens, 256). Where they are kept in bytes, each has a scale."""
    from safetensors.numpy import load_file

    held = load_file(folder / "model.safetensors")
    table = held["embeddings"].astype(np.float32)
    if "scales" in held:
        table *= held["scales"][:, None]
    return table


def in_bytes(table: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Return the table as int8 (tokens, dim) and the scale of each of its rows, float32 (tokens,)."""
    scales = np.maximum(np.abs(table).max(axis=1), 1e-9) / 127
    return {"embeddings": np.round(table / scales[:, None]).astype(np.int8), "scales": scales.astype(np.float32)}


def _sums(tokens: Sequence[Tokens], vectors: Vectors) -> Vectors:
    """Return each text's sum of its tokens' vectors, float32 (n, dim)."""
    sums = np.zeros((len(tokens), DIM), dtype=np.float32)
    for row, found in zip(sums, tokens, strict=True):
        vectors.take(found, axis=0).sum(axis=0, out=row)
    return sums


class _Words:
    """The tokenizer, and the tokens of each word met so far."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._unknown = self._tokenizer.token_to_id("[UNK]")
        self._tokens: dict[str, tuple[int, ...]] = {}

    def cut(self, texts: Sequence[Sequence[str]]) -> list[Tokens]:
        """Return the tokens of texts, given as their words."""
        words = {*chain.from_iterable(texts)}
        known = dict(zip(words, self.tokens_of(words), strict=True)).__getitem__
        cut = [list(chain.from_iterable(map(known, words))) for words in texts]
        return [np.array(tokens, np.int32) for tokens in cut]

    def tokens_of(self, words: Collection[str]) -> list[tuple[int, ...]]:
        """Return the tokens of each word."""
        self._learn(words)
        return [*map(self._tokens.__getitem__, words)]

    def of(self, text: str) -> list[str]:
        """Return the words of a text."""
        if is_plain(text):
            return parts(text)
        normal: Any = self._tokenizer.normalizer
        found: list[str] = _WORD.findall(normal.normalize_str(text))
        return found

    def _learn(self, words: Collection[str]) -> None:
        if len(self._tokens) > KEPT:
            self._tokens = {}
        new = [word for word in words if word not in self._tokens]
        for word, cut in zip(new, self._tokenizer.encode_batch_fast(new, add_special_tokens=False), strict=True):
            self._tokens[word] = tuple(token for token in cut.ids if token != self._unknown)


def distill(source: Path, target: Path) -> None:
    """Write to `target` the static model of the transformer in `source`.

    Every token of its vocabulary is embedded alone, reduced to 256 numbers by PCA and weighted by its rank, which
    stands in for its frequency (model2vec's defaults). Nothing is sampled: the same weights give the same model.
    """
    from model2vec.distill import distill as distilled

    distilled(model_name=str(source), pca_dims=DIM).save_pretrained(target)


if __name__ == "__main__":
    distill(Path(sys.argv[1]), Path(sys.argv[2]))
