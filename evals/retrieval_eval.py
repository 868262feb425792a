"""Evaluate retrieval over a dataset: each stage's ranking against the gold documents. Needs no workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Protocol

from evals import metrics
from evals.dataset_store import DatasetStore, Progress
from evals.datasets import Dataset, Question
from evals.statistics import bootstrap
from retrieval.protocols import Store
from retrieval.types import Scored, SearchResult

# Chunks asked for a question. A record may be many chunks, and ten documents must come out; MRR is cut here too.
DEPTH = 50


class Searcher(Protocol):
    """What is evaluated: `retrieval.search`'s searcher, or a small one in tests."""

    def search(self, query: str, *, k: int) -> SearchResult:
        """Return up to `k` hits with every stage's ranking."""
        ...


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Scores by stage, in the order in which the stages run; the last is what a search returns.

    `questions` counts those scored, `skipped` those without gold documents. `intervals` are 95 % bootstrap intervals
    of recall@5. `timings` are seconds: "index" (or finding it), "search" (all questions), "query_median", and
    "STAGE_median" for each stage.
    """

    dataset: str
    questions: int
    skipped: int
    stages: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, tuple[float, float]]
    timings: Mapping[str, float]

    def as_json(self) -> dict[str, object]:
        """The object that `hoplite eval retrieval --json` prints."""
        shown = asdict(self)
        del shown["skipped"], shown["intervals"]  # the table has them; the keys of the object are a contract
        return shown


@dataclass(frozen=True, slots=True)
class Measured:
    """What one searcher came to: each stage's scores, and its seconds, a row a question. `seconds["query"]` is the
    whole search."""

    scores: Mapping[str, Sequence[Mapping[str, float]]]
    seconds: Mapping[str, Sequence[float]]


def evaluate_retrieval(
    dataset: Dataset,
    indexed: DatasetStore,
    make_searcher: Callable[[Store], Searcher],
    on_progress: Progress | None = None,
) -> RetrievalReport:
    """Ask every question that has gold documents and score each stage; `on_progress` counts questions.

    Raises ValueError as `measure` does.
    """
    asked = with_gold(dataset)
    started = time.perf_counter()
    found = measure(asked, make_searcher(indexed.store), DocumentsOf(indexed.store), on_progress)
    return RetrievalReport(
        dataset=dataset.name,
        questions=len(asked),
        skipped=len(dataset.questions) - len(asked),
        stages={stage: means(rows) for stage, rows in found.scores.items()},
        intervals={stage: bootstrap([row["recall@5"] for row in rows]) for stage, rows in found.scores.items()},
        timings={"index": indexed.seconds, "search": time.perf_counter() - started}
        | {f"{name}_median": median(values) for name, values in found.seconds.items() if values},
    )


def with_gold(dataset: Dataset) -> list[Question]:
    """Return the questions that can be scored: those whose gold documents are known."""
    return [question for question in dataset.questions if question.supporting]


def measure(
    asked: Sequence[Question], searcher: Searcher, documents: DocumentsOf, on_progress: Progress | None = None
) -> Measured:
    """Ask every question and score each stage; `on_progress` counts questions.

    A document stands where its best chunk stands (Dai and Callan 2019, MaxP). Raises ValueError when a question went
    through other stages than the first one did, since their means could not be compared.
    """
    scores: dict[str, list[dict[str, float]]] = {}
    seconds: dict[str, list[float]] = {"query": []}
    for done, question in enumerate(asked, start=1):
        began = time.perf_counter()
        result = searcher.search(question.question, k=DEPTH)
        seconds["query"].append(time.perf_counter() - began)
        if scores and list(result.stages) != list(scores):
            raise ValueError(f"stages of {question.id} are {list(result.stages)}, of those before {list(scores)}")
        documents.learn(result.stages)
        for stage, chunks in result.stages.items():
            scores.setdefault(stage, []).append(score(documents.ranking(chunks), question.supporting))
            seconds.setdefault(stage, []).append(result.timings.get(stage, 0.0))
        if on_progress:
            on_progress(done, len(asked))
    return Measured(scores, seconds)


class DocumentsOf:
    """Which document each chunk belongs to, looked up once: a stage ranks a thousand, and questions share many."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._paths: dict[int, str] = {}

    def learn(self, stages: Mapping[str, Sequence[Scored]]) -> None:
        """Look up the chunks that are new."""
        unknown = {scored.id for ranking in stages.values() for scored in ranking} - self._paths.keys()
        self._paths |= {chunk.id: chunk.path for chunk in self._store.chunks(list(unknown)).values()}

    def ranking(self, chunks: Sequence[Scored]) -> list[str]:
        """Return the documents of learnt chunks, in the order of their best chunks."""
        return list(dict.fromkeys(self._paths[scored.id] for scored in chunks))


def score(ranking: Sequence[str], gold: Sequence[str]) -> dict[str, float]:
    """Score one ranking of documents, best first, with the metrics of the report."""
    return {
        "recall@2": metrics.recall_at(2, ranking, gold),
        "recall@5": metrics.recall_at(5, ranking, gold),
        "recall@10": metrics.recall_at(10, ranking, gold),
        "all@5": metrics.all_at(5, ranking, gold),
        "mrr": metrics.reciprocal_rank(ranking, gold),
        "ndcg@10": metrics.ndcg_at(10, ranking, gold),
    }


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each metric's mean over the questions."""
    return {name: metrics.mean([row[name] for row in rows]) for name in rows[0]}
