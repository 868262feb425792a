"""Hoplite's static model in the form that semble reads, so that both are measured with the same one."""

from __future__ import annotations

from pathlib import Path

from retrieval import weights
from retrieval.embed_static import table_of


def written(target: Path) -> Path:
    """Write the static model to `target` as model2vec keeps one, and return that. Raises ModelUnavailable."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    folder = weights.require(weights.STATIC)
    StaticModel(table_of(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))).save_pretrained(target)
    return target
