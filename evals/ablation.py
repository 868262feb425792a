"""What each part of the search brings: the search without that part, compared question by question."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import numpy as np

from evals.dataset_store import DatasetStore, Progress
from evals.datasets import Dataset
from evals.retrieval_eval import DocumentsOf, Measured, means, measure, with_gold
from evals.retrieval_eval import Searcher as Searches
from evals.statistics import Difference, paired
from retrieval.fusion import cosines_of, fused, ranked, scaled
from retrieval.hops import HopSettings
from retrieval.protocols import Embedder, Store, Vectors
from retrieval.rerank import Reader
from retrieval.search import CANDIDATES, Searcher
from retrieval.types import Scope, Scored, SearchResult


@dataclass(frozen=True, slots=True)
class Setup:
    """What a search is made of."""

    store: Store
    embedder: Embedder
    reader: Reader
    settings: HopSettings = field(default_factory=HopSettings)

    def searcher(self) -> Searches:
        """Return the search with every part in it."""
        return Searcher(self.store, self.embedder, self.reader, self.settings)


@dataclass(frozen=True, slots=True)
class Without:
    """The search with one part taken away or replaced.

    `settings` are the walk's, as they are then, a weight of 0 as a rule. `store` is what the search sees of the store.
    `made` makes the searcher where the part is neither.
    """

    label: str
    settings: Mapping[str, float] = field(default_factory=dict)
    store: Callable[[Store], Store] = lambda store: store
    made: Callable[[Setup], Searches] = Setup.searcher

    def searcher(self, setup: Setup) -> Searches:
        """Return what searches without the part. Raises TypeError for a setting that the walk does not have."""
        changed: dict[str, Any] = dict(self.settings)
        return self.made(replace(setup, store=self.store(setup.store), settings=replace(setup.settings, **changed)))


class _NoVectors:
    """A store as it would be without its vectors: nothing is near anything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def dense(self, vector: Vectors, *, limit: int, scope: Scope) -> list[Scored]:
        return []

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        return {chunk: np.zeros_like(vector) for chunk, vector in self._store.vectors(ids).items()}


class _NoWords:
    """A store as it would be without BM25: no word finds anything. Words still say how rare a name is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def lexical(self, terms: Sequence[str], *, limit: int, scope: Scope) -> list[Scored]:
        return []


class _Sorts:
    """The first walk, and then its candidates sorted by their own likeness to the question, as rerankers do."""

    def __init__(self, setup: Setup) -> None:
        self._first = Searcher(setup.store, setup.embedder, None, setup.settings)
        self._store, self._reader = setup.store, setup.reader

    def search(self, query: str, *, k: int) -> SearchResult:
        found = self._first.search(query, k=k)
        order = list(found.stages.values())[-1]
        read = self._reader.vectors(self._store.chunks([scored.id for scored in order[:CANDIDATES]]))
        lexical = scaled(found.stages["bm25"])
        close = fused(
            {chunk: lexical[chunk] for chunk in read if chunk in lexical},
            cosines_of(self._reader.question(query), read),
        )
        rest = [scored for scored in order if scored.id not in read]
        return replace(found, stages={**found.stages, "sorted": (*ranked(close), *rest)})


def _no_vectors(store: Store) -> Store:
    return cast(Store, _NoVectors(store))


def _no_words(store: Store) -> Store:
    return cast(Store, _NoWords(store))


def _unread(setup: Setup) -> Searches:
    return Searcher(setup.store, setup.embedder, None, setup.settings)


PARTS = (
    Without("BM25, open words too", store=_no_words),
    Without("static vectors", store=_no_vectors),
    Without("vectors of either kind", store=_no_vectors, made=_unread),
    Without("names in the question", {"named": 0.0}),
    Without("edges to defined names", {"defined": 0.0}),
    Without("edges by shared phrases", {"shared": 0.0}),
    Without("open words", {"lacking": 0.0}),
    Without("likeness of pairs", {"pair": 0.0}),
    Without("hops of either walk", {"rounds": 0}),
    Without("second walk, sorted instead", made=_Sorts),
)
"""A part of the search is one row here. The second walk has none: without it the search ends at the stage before."""


@dataclass(frozen=True, slots=True)
class Row:
    """One search with less in it: what its last stage scores, and how much less that is than with everything."""

    label: str
    scores: Mapping[str, float]
    lost: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class AblationReport:
    """The whole search's scores at its last stage, and those of the search with less in it, by metric.

    `stages` are the earlier stages of the whole search, as if it had ended there; `parts` the searches without a part.
    """

    dataset: str
    questions: int
    last: str
    scores: Mapping[str, float]
    stages: tuple[Row, ...]
    parts: tuple[Row, ...]
    seconds: float

    def as_json(self) -> dict[str, object]:
        """The object that `hoplite eval retrieval --ablate --json` prints."""
        return asdict(self)


def ablate(
    dataset: Dataset,
    indexed: DatasetStore,
    setup: Setup,
    parts: Sequence[Without] = PARTS,
    on_progress: Progress | None = None,
) -> AblationReport:
    """Ask every question that has gold documents of the whole search, and of the search without each part.

    `on_progress` counts questions over all of these searches. Each is a run of its own; a transformer's vectors are
    kept by the reader, so that a chunk is read once for all of them. Raises ValueError as `measure` does.
    """
    asked = with_gold(dataset)
    documents = DocumentsOf(indexed.store)
    began = time.perf_counter()

    def measured(number: int, searcher: Searches) -> Measured:
        def tell(done: int, total: int) -> None:
            if on_progress:
                on_progress(number * total + done, (1 + len(parts)) * total)

        return measure(asked, searcher, documents, tell)

    whole = measured(0, setup.searcher()).scores
    last = list(whole)[-1]
    rows = [
        _row(part.label, _last(measured(number, part.searcher(setup)).scores), whole[last])
        for number, part in enumerate(parts, start=1)
    ]
    return AblationReport(
        dataset=dataset.name,
        questions=len(asked),
        last=last,
        scores=means(whole[last]),
        stages=tuple(_row(stage, scores, whole[last]) for stage, scores in whole.items() if stage != last),
        parts=tuple(rows),
        seconds=time.perf_counter() - began,
    )


def _last(scores: Mapping[str, Sequence[Mapping[str, float]]]) -> Sequence[Mapping[str, float]]:
    return list(scores.values())[-1]


def _row(label: str, less: Sequence[Mapping[str, float]], whole: Sequence[Mapping[str, float]]) -> Row:
    lost = {name: paired([row[name] for row in whole], [row[name] for row in less]) for name in whole[0]}
    return Row(label, means(less), lost)
