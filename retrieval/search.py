"""Search: words and vectors, fused; hops over names; and the same hops again with a transformer's eyes."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace

from ingest import spans
from ingest.names import unique
from ingest.types import Chunk
from retrieval.duplicates import Distinct
from retrieval.fusion import close_weight, cosines_of, fused, in_turn, ranked, scaled
from retrieval.graph import NameGraph
from retrieval.hops import Ahead, HopSettings, follow
from retrieval.leads import leads
from retrieval.protocols import AsksAtOnce, Embedder, Store, Vectors
from retrieval.question import Question, read
from retrieval.ranking import Known, Ranking
from retrieval.rerank import Reader
from retrieval.said import said, sided
from retrieval.tokens import tokens
from retrieval.types import Hit, Scope, Scored, SearchResult

FIRST_STAGE = 200
"""Chunks that the vectors contribute to the first stage."""

LEXICAL_STAGE = 1000
"""Chunks that BM25 contributes; deeper, because candidates found by hops keep their share of it."""

CANDIDATES = 40
"""Chunks that the transformer reads: about 0.6 s of code on two cores. More gain nothing on three multi-hop sets and
little on CoSQA: MRR 53.1 with 60 and 53.4 with 100, instead of 52.9."""

NAMES_AHEAD = 2
"""Names for which the transformer reads what is still asked at an origin, the strongest edges' first. Recall@5 on two
multi-hop sets was 81.5 and 96.5 with none, 82.3 and 97.5 with two, 82.0 and 97.0 with four and with twelve."""

SIDE = 5
"""Chunks that the words of one side of a comparison contribute to the first stage."""

TRACED = 30
"""Hits of which a search's span says where they stand."""

_KINDS = {
    "bm25": "RETRIEVER",
    "dense": "RETRIEVER",
    "fused": "CHAIN",
    "hops": "RETRIEVER",
    "reranked": "RERANKER",
    "leads": "RETRIEVER",
}
_tracer = trace.get_tracer("hoplite.retrieval")


class Searcher:
    """Answers queries over one store, which is not written to meanwhile."""

    def __init__(
        self, store: Store, embedder: Embedder, reader: Reader | None = None, settings: HopSettings | None = None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._reader = reader
        self._settings = settings or HopSettings()
        self._chunks = store.counts().chunks
        self._specific: dict[str, float] = {}
        self._known: dict[int, Known] = {}

    def search(
        self, query: str, *, k: int = 10, hops: int | None = None, scope: Scope | None = None, rerank: bool = True
    ) -> SearchResult:
        """Return the best `k` chunks for a query, no two saying the same, with every stage's own ranking beside them.

        `hops` is the number of rounds, 0 for none. Hops may pass through chunks outside `scope`, hits lie inside.
        `rerank=False` leaves the transformer out. An empty query finds nothing.
        """
        asked = read(query)
        query = asked.text
        scope = scope or Scope()
        settings = self._settings if hops is None else self._settings.with_rounds(hops)
        run = _Run()
        with _searching(query, k) as span:
            if not query:
                return SearchResult(query, ())
            order, via = self._stages(asked, settings, scope, rerank and self._reader is not None, run)
            hits = self._hits(order, via, k, scope)
            _told(span, hits)
        return SearchResult(query, hits, run.stages, run.timings)

    def leads(self, query: str, hits: Sequence[Hit], *, k: int = 6, scope: Scope | None = None) -> SearchResult:
        """Return what the names in these hits lead to within `scope`, read closely: see `retrieval.leads`. None of it
        is in a hit's document, and no two are in one."""
        query = read(query).text
        run = _Run()
        with _searching(query, k) as span:
            graph = NameGraph(self._store, query, self._settings, chunks=self._chunks, specific=self._specific)
            with run.stage("leads"):
                found = leads(
                    self._store,
                    graph,
                    [hit.chunk.id for hit in hits],
                    question=self._embedder.embed([query])[0],
                    lexical=scaled(self._store.lexical(graph.query_terms, limit=LEXICAL_STAGE, scope=Scope())),
                    reader=self._reader,
                    query=query,
                    k=k,
                    settings=self._settings,
                    scope=scope or Scope(),
                )
                run.stages["leads"] = tuple(Scored(hit.chunk.id, hit.score) for hit in found)
            _told(span, found)
        return SearchResult(query, found, run.stages, run.timings)

    def _stages(
        self, asked: Question, settings: HopSettings, scope: Scope, rerank: bool, run: _Run
    ) -> tuple[tuple[Scored, ...], dict[int, tuple[str, ...]]]:
        query = asked.text
        graph = NameGraph(self._store, query, settings, chunks=self._chunks, specific=self._specific)
        ranking = Ranking(self._store, query, self._known)
        pointed = said(self._store, asked)
        sides = [tokens(side) for side in asked.sides]
        nearest: list[Scored] | None = None
        with run.stage("bm25"):
            if isinstance(self._store, AsksAtOnce):  # one way to the server instead of two
                question = self._embedder.embed([query])[0]
                found, nearest = self._store.at_once(
                    graph.query_terms, question, lexical=LEXICAL_STAGE, dense=FIRST_STAGE, scope=scope
                )
            else:
                found = self._store.lexical(graph.query_terms, limit=LEXICAL_STAGE, scope=scope)
            run.stages["bm25"] = tuple(found)
            lexical = scaled(found)
        with run.stage("dense"):
            if nearest is None:
                question = self._embedder.embed([query])[0]
                nearest = self._store.dense(question, limit=FIRST_STAGE, scope=scope)
            run.stages["dense"] = tuple(nearest)
        with run.stage("fused"):
            cosines = {hit.id: hit.score for hit in nearest}
            also = [hit for words in sides for hit in self._store.lexical(words, limit=SIDE, scope=scope)]
            unseen = [hit.id for hit in (*found[:FIRST_STAGE], *also) if hit.id not in cosines]
            cosines |= cosines_of(question, self._store.vectors(unseen))
            both = fused({chunk: lexical[chunk] for chunk in lexical if chunk in cosines}, cosines)
            start = _with_names(ranking.weighed(both), pointed, settings)
            run.stages["fused"] = order = self._in_turn(ranked(start), sides)
        via = _found_by(start, run.stages)
        named: dict[int, tuple[float, str]] = {}
        if settings.rounds > 0:
            with run.stage("hops"):
                named = {chunk: (gain, f"name: {name}") for chunk, (gain, name) in graph.named(query).items()}
                walked, carried = follow(
                    _with_names(start, named, settings), graph, question, self._store.vectors, settings
                )
                run.stages["hops"] = order = self._in_turn(ranked(walked), sides)
            via = _named(named, via) | {chunk: (f"hop: {name}",) for chunk, name in carried.items()}
        if rerank and self._reader is not None:
            with run.stage("reranked"):
                chunks = self._store.chunks([hit.id for hit in order[:CANDIDATES]])
                read = self._reader.vectors(chunks)
                question = self._reader.question(query)
                words = {chunk: lexical[chunk] for chunk in lexical if chunk in read}
                code = sum(chunk.kind == "code" for chunk in chunks.values()) / max(1, len(chunks))
                near = fused(words, self._reader.likeness(query, chunks), close_weight(code))
                close = _with_names(ranking.weighed(near), {c: pointed[c] for c in pointed if c in read}, settings)
                walked, carried = follow(
                    _with_names(close, {c: named[c] for c in named if c in read}, settings),
                    graph,
                    question,
                    lambda wanted: {chunk: read[chunk] for chunk in wanted if chunk in read},
                    settings.closer(),
                    within=read.keys(),
                    ahead=self._ahead(graph),
                )
                best = self._in_turn(ranked(walked), sides)
                rest = [hit for hit in order if hit.id not in walked]
                run.stages["reranked"] = order = (*best, *rest)
            via |= {chunk: (f"hop: {name}",) for chunk, name in carried.items()}
        return order, _named(pointed, via)

    def _in_turn(self, order: tuple[Scored, ...], sides: Sequence[Sequence[str]]) -> tuple[Scored, ...]:
        """Let the chunks of each side of a comparison, given by its terms, take turns among the candidates."""
        if not sides:
            return order
        first = order[:CANDIDATES]
        return (*in_turn(first, sided(self._store.chunks([hit.id for hit in first]), sides)), *order[CANDIDATES:])

    def _ahead(self, graph: NameGraph) -> Ahead:
        """What the transformer makes of the question at each origin; a text is read once a search."""
        known: dict[str, Vectors] = {}

        def ahead(origins: Mapping[int, Sequence[str]]) -> dict[int, dict[str, Vectors]]:
            assert self._reader is not None
            texts = {
                origin: {name: graph.still_asked(origin, name) for name in ("", *unique(names)[:NAMES_AHEAD])}
                for origin, names in origins.items()
            }
            new = sorted({text for by_name in texts.values() for text in by_name.values()} - known.keys(), key=len)
            if new:
                known.update(zip(new, self._reader.questions(new), strict=True))
            return {origin: {name: known[text] for name, text in by_name.items()} for origin, by_name in texts.items()}

        return ahead

    def _hits(
        self, order: tuple[Scored, ...], via: Mapping[int, tuple[str, ...]], k: int, scope: Scope
    ) -> tuple[Hit, ...]:
        hits = Distinct(limit=k)
        step = k if scope == Scope() else max(k, 20)
        for at in range(0, len(order), step):
            chunks = self._store.chunks([scored.id for scored in order[at : at + step]])
            for scored in order[at : at + step]:
                chunk = chunks.get(scored.id)
                if chunk is not None and scope.holds(chunk):
                    hits.add(Hit(chunk, scored.score, via.get(scored.id, ())))
            if hits.full:
                break
        return hits.hits


def _searching(query: str, k: int) -> AbstractContextManager[trace.Span]:
    """The span of one search, as GenAI's conventions have it."""
    attributes: dict[str, str | int] = {
        spans.KIND: "RETRIEVER",
        spans.OPERATION: "retrieval",
        spans.QUERY: query,
        "hoplite.k": k,
    }
    return _tracer.start_as_current_span("retrieval", attributes=attributes)


def _told(span: trace.Span, hits: Sequence[Hit]) -> None:
    """Note where the first hits stand and their scores, not their text, which the passages have."""
    span.set_attribute("hoplite.hits", len(hits))
    if span.is_recording():
        found = [{"id": _place(hit.chunk), "score": round(float(hit.score), 4)} for hit in hits[:TRACED]]
        span.set_attribute("gen_ai.retrieval.documents", json.dumps(found))


def _place(chunk: Chunk) -> str:
    return f"{chunk.path}:{chunk.start_line}-{chunk.end_line}"


class _Run:
    """Collects one search's stages and seconds, a span each."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[Scored, ...]] = {}
        self.timings: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        with _tracer.start_as_current_span(f"search.{name}", attributes={spans.KIND: _KINDS[name]}) as span:
            yield
            span.set_attribute("hoplite.found", len(self.stages.get(name, ())))
        self.timings[name] = time.perf_counter() - began


def _with_names(
    start: Mapping[int, float], named: Mapping[int, tuple[float, str]], settings: HopSettings
) -> dict[int, float]:
    """The names in the question are the first hop: add to the chunks that define them."""
    return {
        chunk: start.get(chunk, 0.0) + settings.named * named.get(chunk, (0.0, ""))[0]
        for chunk in start.keys() | named.keys()
    }


def _found_by(start: Collection[int], stages: Mapping[str, tuple[Scored, ...]]) -> dict[int, tuple[str, ...]]:
    lists = {name: {hit.id for hit in stages[name]} for name in ("bm25", "dense")}
    return {chunk: tuple(name for name, ids in lists.items() if chunk in ids) for chunk in start}


def _named(named: Mapping[int, tuple[float, str]], via: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    return {**via, **{chunk: (reason, *via.get(chunk, ())) for chunk, (_, reason) in named.items()}}
