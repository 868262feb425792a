"""All that an index holds of the files, to compare one with another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from retrieval.manifest import Manifest
from retrieval.store_edge import EdgeStore
from retrieval.types import Scope
from retrieval.workspace import Workspace
from tests.retrieval.made import HashEmbedder


def contents(workspace: Workspace, terms: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Return the manifest's rows without times, the chunks, the vectors, the scores of `terms` and who has `names`."""
    with (
        closing(Manifest(workspace.manifest)) as manifest,
        closing(EdgeStore(workspace.store, HashEmbedder.dim)) as store,
    ):
        ids = sorted(store.ids())
        entries = [entry for path in sorted(manifest.paths()) if (entry := manifest.entry(path))]
        return {
            "documents": {e.path: (e.source, e.digest, e.size, e.kind, e.language, e.chunks) for e in entries},
            "failures": manifest.failures(),
            "counts": store.counts(),
            "chunks": store.chunks(ids),
            "vectors": {number: vector.tolist() for number, vector in store.vectors(ids).items()},
            "scores": {term: store.lexical([term], limit=1_000, scope=Scope()) for term in terms},
            "defined": store.definers(names, common=1_000),
            "mentioned": store.mentioners(names, common=1_000),
        }
