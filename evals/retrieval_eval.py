"""Evaluate retrieval over a dataset: each stage's ranking against the gold documents. Needs no workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Protocol

import numpy as np

from evals import metrics
from evals.dataset_store import DatasetStore, Progress
from evals.datasets import Dataset
from retrieval.protocols import Store
from retrieval.types import Scored, SearchResult

# Chunks asked for a question. A record may be many chunks, and ten documents must come out; MRR is cut here too.
DEPTH = 50
RESAMPLES = 2000


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


def evaluate_retrieval(
    dataset: Dataset,
    indexed: DatasetStore,
    make_searcher: Callable[[Store], Searcher],
    on_progress: Progress | None = None,
) -> RetrievalReport:
    """Ask every question that has gold documents and score each stage; `on_progress` counts questions.

    A document stands where its best chunk stands (Dai and Callan 2019, MaxP). Raises ValueError when a question went
    through other stages than the first one did, since their means could not be compared.
    """
    asked = [question for question in dataset.questions if question.supporting]
    searcher = make_searcher(indexed.store)
    scores: dict[str, list[dict[str, float]]] = {}
    seconds: dict[str, list[float]] = {"query": []}
    documents: dict[int, str] = {}
    started = time.perf_counter()
    for done, question in enumerate(asked, start=1):
        query_started = time.perf_counter()
        result = searcher.search(question.question, k=DEPTH)
        seconds["query"].append(time.perf_counter() - query_started)
        if scores and list(result.stages) != list(scores):
            raise ValueError(f"stages of {question.id} are {list(result.stages)}, of those before {list(scores)}")
        _learn(documents, result.stages, indexed.store)
        for stage, chunks in result.stages.items():
            # In the order of their best chunks.
            ranking = list(dict.fromkeys(documents[scored.id] for scored in chunks))
            scores.setdefault(stage, []).append(score(ranking, question.supporting))
            seconds.setdefault(stage, []).append(result.timings.get(stage, 0.0))
        if on_progress:
            on_progress(done, len(asked))
    return RetrievalReport(
        dataset=dataset.name,
        questions=len(asked),
        skipped=len(dataset.questions) - len(asked),
        stages={stage: _means(rows) for stage, rows in scores.items()},
        intervals={stage: bootstrap([row["recall@5"] for row in rows]) for stage, rows in scores.items()},
        timings={"index": indexed.seconds, "search": time.perf_counter() - started}
        | {f"{name}_median": median(values) for name, values in seconds.items() if values},
    )


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


def bootstrap(values: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over resampled questions (Efron and Tibshirani 1993, ch. 13)."""
    sample = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.percentile(sample[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: metrics.mean([row[name] for row in rows]) for name in rows[0]}


def _learn(documents: dict[int, str], stages: Mapping[str, Sequence[Scored]], store: Store) -> None:
    """Add the documents of the chunks that are new; a stage ranks a thousand, and questions share many of them."""
    unknown = {scored.id for ranking in stages.values() for scored in ranking} - documents.keys()
    documents |= {chunk.id: chunk.path for chunk in store.chunks(list(unknown)).values()}
