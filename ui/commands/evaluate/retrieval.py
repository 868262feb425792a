"""`hoplite eval retrieval`: each stage of the search over a dataset folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ui.commands.evaluate.shown import shown, told
from ui.commands.options import json_option, reranker_option
from ui.progress import Meter

if TYPE_CHECKING:
    from evals.ablation import AblationReport
    from evals.retrieval_eval import RetrievalReport


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--embedder", metavar="M", help="Any sentence-transformers model, for full dense indexing.")
@click.option("--dense", metavar="M", help="Any sentence-transformers model, whose vectors are searched too.")
@click.option("--ablate", is_flag=True, help="Show what the last stage loses without each part of the search.")
@reranker_option
@json_option
def retrieval(
    dataset: Path, embedder: str | None, dense: str | None, ablate: bool, reranker: str | None, as_json: bool
) -> None:
    """Score each stage of the search over the folder DATASET: recall, all@5, MRR and nDCG. Needs no workspace.

    With --ablate, the last stage is compared with each earlier one, and with the search without each of its parts:
    words, vectors, each kind of edge. Intervals are of the difference, question by question.
    """
    from evals import ablation
    from evals.dataset_store import Indexing, as_document, dataset_cache, dataset_store, fill
    from evals.datasets import load_dataset
    from evals.retrieval_eval import evaluate_retrieval
    from evals.tables import ablation_table, retrieval_table
    from ingest.chunk import chunk
    from ingest.ids import digest
    from ingest.languages.recognise import looks_like_code
    from retrieval import weights
    from retrieval.dense import WHOLE, Behind, Beside, Both, Made
    from retrieval.embedders import embedder_named
    from retrieval.rerank import reader_named
    from retrieval.store_edge import EdgeStore
    from retrieval.tokens import embedded

    data = load_dataset(dataset)
    weights.require(weights.TRANSFORMER_INT8)  # without it the last stage would be another one, and say nothing of it
    first, reader = embedder_named(embedder), reader_named(reranker)
    second = embedder_named(dense) if dense else None

    def open_store(folder: Path, dim: int) -> EdgeStore:
        if second is None:
            return EdgeStore(folder, dim)
        made = Made(second.name, second.dim)
        return Both(folder, dim, Behind(folder / f"dense-{digest(made.model.encode())[:12]}", made))

    parts = Indexing(lambda record: chunk(as_document(record, looks_like_code)), embedded, first, open_store)
    with (
        Meter(unit="records", quiet=as_json) as indexing,
        dataset_store(data, parts, dataset_cache(), shown(indexing, "indexing")) as indexed,
        Meter(unit="chunks", quiet=as_json) as filling,
        Meter(unit="questions", quiet=as_json) as asking,
    ):
        asks = first
        if second is not None and isinstance(indexed.store, Both):
            fill(indexed.store, indexed.store.behind, second, embedded, shown(filling, "embedding"))
            indexed.store.share = WHOLE
            asks = Beside(first, second, WHOLE)
        setup, tell = ablation.Setup(indexed.store, asks, reader), shown(asking, "searching")
        report: RetrievalReport | AblationReport
        if ablate:
            report = ablation.ablate(data, indexed, setup, on_progress=tell)
            lines = ablation_table(report)
        else:
            report = evaluate_retrieval(data, indexed, lambda store: setup.searcher(), tell)
            lines = retrieval_table(report)
    told(report.as_json(), lines, as_json=as_json)
