"""Embedders that read a text whole: any sentence-transformers model, and the small one that reranks at query time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.errors import ModelUnavailable
from retrieval import weights
from retrieval.protocols import Vectors
from retrieval.weights_routes import RouteError, knock_at_hub

_BATCH = 32
_SHORT = 32  # tokens of a text that is read together with others
_TOGETHER = 8


class TransformerEmbedder:
    """Embedder over sentence-transformers: `--embedder NAME`, for full dense indexing.

    `name` is a model of the catalogue, a folder, or a repository on the Hugging Face hub. Code that comes with a model
    is never run. About 50 passages a second on two cores for all-MiniLM-L6-v2. Importing torch costs seconds, so that
    the model is loaded when `dim` or `embed` first needs it.
    """

    def __init__(self, name: str) -> None:
        folder = Path(name).expanduser()
        # A folder's full path, because two folders may share their last part and must not share a workspace.
        self._name = str(folder.resolve()) if folder.is_dir() else name
        self._model: Any = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The catalogue's or the hub's name, or the folder's absolute path."""
        return self._name

    @property
    def dim(self) -> int:
        """Numbers a vector. Raises ModelUnavailable."""
        return int(self._loaded().get_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, dim), L2-normalised rows; an empty text gives a zero row. Raises ModelUnavailable."""
        model = self._loaded()
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        filled = [row for row, text in enumerate(texts) if text.strip()]
        if filled:
            vectors[filled] = model.encode(
                [texts[row] for row in filled],
                batch_size=_BATCH,
                normalize_embeddings=True,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return vectors

    def _loaded(self) -> Any:
        with self._loading:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> Any:
        from_catalogue = any(each.name == self._name for each in weights.CATALOGUE)
        source = str(weights.require(self._name)) if from_catalogue else self._name
        advice = f"a folder that holds one, or {weights.TRANSFORMER}, or do without `--embedder` or `--dense`"
        return _loaded_quietly("SentenceTransformer", source, f"The embedder {self._name}", advice)


def cross_encoder(name: str) -> Any:
    """Return a cross-encoder of sentence-transformers by its name on the hub or its folder. Raises ModelUnavailable."""
    folder = Path(name).expanduser()
    source = str(folder.resolve()) if folder.is_dir() else name
    return _loaded_quietly(
        "CrossEncoder", source, f"The reranker {name}", "a folder that holds one, or drop `--reranker`"
    )


def _loaded_quietly(kind: str, source: str, what: str, advice: str) -> Any:
    """Load a model of that class of sentence-transformers: from a folder or the hub's cache, else from the hub."""
    try:
        try:
            return _made(kind, source, local=True)
        except OSError:
            if Path(source).is_dir():
                raise
        # Not in the hub's cache. Ask first: without a network the library retries for more than a minute.
        knock_at_hub()
        return _made(kind, source, local=False)
    except (OSError, ValueError, RuntimeError, RouteError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise ModelUnavailable(
            f"{what} could not be loaded: {reason}. Name a sentence-transformers model on the Hugging Face hub, "
            f"{advice}."
        ) from error


def _made(kind: str, source: str, *, local: bool) -> Any:
    """Make it without its library's bars and reports on stderr, which would go through our own progress."""
    import sentence_transformers
    import transformers.utils

    logging: Any = transformers.utils.logging
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        return getattr(sentence_transformers, kind)(
            source, trust_remote_code=False, local_files_only=local, token=False
        )
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


class OnnxMiniLM:
    """Embedder over the int8 all-MiniLM-L6-v2 with onnxruntime alone: no torch, 0.3 seconds from nothing to loaded.

    A passage runs by itself: 8 ms for 90 tokens on two cores, as fast as sorted batches of 8 (0.44 against 0.42 seconds
    for 50 of them). Short texts that follow one another run together, 8 at once in 0.4 of the time. A text's vector
    does not depend on which those are.
    """

    name = weights.TRANSFORMER_INT8
    dim = 384

    def __init__(self, *, max_length: int = 128, threads: int = 2) -> None:
        """`max_length` is in tokens, what comes after them is not read; `threads` work on one text."""
        self._max_length = max_length
        self._threads = threads
        self._loaded: tuple[Any, Any] | None = None
        self._loading = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, 384), L2-normalised rows; an empty text gives a zero row. Raises ModelUnavailable."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, states in zip(vectors, self.states(texts), strict=True):
            if len(states):
                mean = states.mean(axis=0)
                row[:] = mean / np.linalg.norm(mean)
        return vectors

    def states(self, texts: Sequence[str]) -> Iterator[Vectors]:
        """Yield what the model makes of each text's tokens, float32 (tokens, 384), the first and the last standing for
        its ends; (0, 384) for an empty text. Raises ModelUnavailable."""
        tokenizer, session = self._load()
        for group in _together([tokenizer.encode(text).ids if text.strip() else [] for text in texts]):
            lengths = np.array([len(ids) for ids in group])
            mask = np.arange(lengths.max()) < lengths[:, None]
            tokens = np.zeros(mask.shape, np.int64)
            tokens[mask] = np.concatenate(group)
            inputs = {
                "input_ids": tokens,
                "attention_mask": mask.astype(np.int64),
                "token_type_ids": np.zeros_like(tokens),
            }
            empty = np.zeros((len(group), 0, self.dim), np.float32)
            found = session.run(["last_hidden_state"], inputs)[0] if tokens.size else empty
            yield from (states[:length] for states, length in zip(found, lengths, strict=True))

    def _load(self) -> tuple[Any, Any]:
        with self._loading:
            if self._loaded is None:
                folder = weights.require(self.name)
                import onnxruntime
                from tokenizers import Tokenizer

                tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
                tokenizer.no_padding()  # The file asks for padding to 128 tokens, which are 10 ms whatever the text.
                tokenizer.enable_truncation(self._max_length)
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self._threads
                options.log_severity_level = 3  # Errors only; warnings go to stderr from native code.
                session = onnxruntime.InferenceSession(
                    str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
                )
                self._loaded = tokenizer, session
            return self._loaded


def _together(encoded: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Group texts, given as their tokens: short ones with those next to them, empty ones and long ones alone."""
    group: list[Sequence[int]] = []
    for ids in encoded:
        alone = not 0 < len(ids) <= _SHORT
        if group and (alone or len(group) == _TOGETHER):
            yield group
            group = []
        if alone:
            yield [ids]
        else:
            group.append(ids)
    if group:
        yield group
