"""Leads: the documents that found passages name, read closely for what the question still lacks.

A walk (`retrieval.hops`) ends at the chunk that defines a name. What a question asks often stands elsewhere in that
chunk's document: the page names a command, and the command's file, not its first lines, holds the answer. So the best
documents at the other ends of the edges are opened, and their chunks are ranked against the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.types import Chunk
from retrieval.duplicates import distinct
from retrieval.fusion import cosines_of, fused, ranked
from retrieval.graph import NameGraph
from retrieval.hops import HopSettings, gains
from retrieval.protocols import Store, Vectors
from retrieval.rerank import Reader
from retrieval.types import Hit, Scope

DOCUMENTS = 24
"""Documents that are opened."""

CHUNKS = 150
"""Chunks of one document that are looked at, its first ones."""

READ = 40
"""Chunks that the transformer reads."""

EDGE = 0.3
"""What the edge that led to a document is worth beside the likeness of its chunk."""

FADE = 0.95
"""What an origin is worth beside the one ranked before it."""


def leads(
    store: Store,
    graph: NameGraph,
    origins: Sequence[int],
    *,
    question: Vectors,
    lexical: Mapping[int, float],
    reader: Reader | None,
    query: str,
    k: int,
    settings: HopSettings,
    scope: Scope,
) -> tuple[Hit, ...]:
    """Return the best chunk of each of the `k` best documents that the origins lead to within `scope`, none of the
    origins' own.

    `origins` are chunk ids, best first; `question` is the query's unit vector (d,) by the embedder of the store;
    `lexical` is BM25 scaled to 1. Without a reader the store's own vectors decide.
    """
    found = _documents(store, graph, origins, question, settings, scope)
    chunks = {chunk.id: chunk for path in found for chunk in store.in_document(path)[:CHUNKS] if scope.holds(chunk)}
    if not chunks:
        return ()
    near = _fused(question, store.vectors(list(chunks)), lexical)
    best = {scored.id: chunks[scored.id] for scored in ranked(near)[:READ]}
    close = _fused(reader.question(query), reader.vectors(best), lexical) if reader else {c: near[c] for c in best}
    scores = {chunk: score + EDGE * found[best[chunk].path][0] for chunk, score in close.items()}
    hits: dict[str, Hit] = {}
    for scored in ranked(scores):
        chunk = best[scored.id]
        hits.setdefault(chunk.path, Hit(chunk, scored.score, (f"hop: {found[chunk.path][1]}",)))
    return distinct(hits.values())[:k]


def _documents(
    store: Store, graph: NameGraph, origins: Sequence[int], question: Vectors, settings: HopSettings, scope: Scope
) -> dict[str, tuple[float, str]]:
    """The best documents that the origins' edges lead to, with what the best edge into each is worth and its name."""
    edges = graph.edges(origins)
    known = store.vectors(sorted({*origins, *(edge.target for leaving in edges.values() for edge in leaving)}))
    best: dict[int, tuple[float, str]] = {}
    for rank, origin in enumerate(origins):
        for edge, gain in gains(origin, edges.get(origin, ()), graph, question, known, settings):
            worth = gain * FADE**rank
            if worth > best.get(edge.target, (0.0, ""))[0]:
                best[edge.target] = (worth, edge.name)
    chunks: dict[int, Chunk] = store.chunks([*best, *origins])
    shown = {chunks[origin].path for origin in origins if origin in chunks}
    documents: dict[str, tuple[float, str]] = {}
    for target in sorted(best, key=lambda t: (-best[t][0], t)):
        if target in chunks and scope.holds(chunks[target]) and chunks[target].path not in shown:
            documents.setdefault(chunks[target].path, best[target])
    return dict(list(documents.items())[:DOCUMENTS])


def _fused(question: Vectors, vectors: Mapping[int, Vectors], lexical: Mapping[int, float]) -> dict[int, float]:
    cosines = cosines_of(question, vectors)
    return fused({chunk: lexical[chunk] for chunk in cosines if chunk in lexical}, cosines)
