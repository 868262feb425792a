"""LlamaIndex's hybrid pipeline as it comes, beside Hoplite: `python -m evals.peer_llamaindex retrieval DATASET...`, and
`... answers DATASET --out DIR`. Needs `pip install 'hoplite[bench]'`.

The pipeline is put together as LlamaIndex's documentation does it, every setting its own default but for how many nodes
are found: SentenceSplitter, VectorStoreIndex, BM25Retriever, and a QueryFusionRetriever that fuses the two by
reciprocal rank and writes no further queries. Its vectors are those of `--embedder`: MiniLM reads every node, which is
more than Hoplite's first stage spends. Records get their title as metadata, which LlamaIndex embeds with the text.

`retrieval` asks both the same questions and prints their recall with the differences, question by question. `answers`
has the pipeline's own query engine ask the same model as Hoplite once, with its own prompt, over as many passages as
Hoplite answers from, and keeps a run that `hoplite eval compare` and `report` read.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from agent.models import ChatModel, make_chat
from evals import ablation
from evals.dataset_store import Indexing, as_document, dataset_cache, dataset_store
from evals.datasets import Dataset, Question, drawn, load_dataset
from evals.estimates import Estimate, estimate
from evals.retrieval_eval import DEPTH, DocumentsOf, measure, score, with_gold
from evals.runner import run
from evals.statistics import Difference, paired
from evals.tables import run_table, table
from evals.types import RunAnswer
from ingest.chunk import chunk
from ingest.errors import UserError
from ingest.languages.recognise import looks_like_code
from retrieval import weights
from retrieval.embedders import embedder_named
from retrieval.protocols import Embedder
from retrieval.rerank import reader_named
from retrieval.store_edge import EdgeStore
from retrieval.tokens import embedded

if TYPE_CHECKING:
    from llama_index.core.llms import LLM
    from llama_index.core.retrievers import BaseRetriever

OURS = "hoplite"
PASSAGES = 5
MAX_TOKENS = 256
"""Tokens of an answer: LlamaIndex's own default."""
METRICS = ("recall@5", "all@5", "mrr")

Scores = dict[str, list[dict[str, float]]]
"""For each system, each question's scores."""


@dataclass(frozen=True, slots=True)
class Row:
    """One system: its metrics, and how far Hoplite's lie above them on the same questions, with 95 % intervals."""

    metrics: Mapping[str, Estimate]
    ahead: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Hoplite and the pipeline over one dataset. `seconds` are each system's: to index all, and a query's median."""

    dataset: str
    questions: int
    date: str
    systems: Mapping[str, Row]
    seconds: Mapping[str, Mapping[str, float]]
    versions: Mapping[str, str]


class Pipeline:
    """The corpus of a dataset in LlamaIndex, with the stock retrievers over it."""

    def __init__(self, data: Dataset, embedder: Embedder) -> None:
        from llama_index.core import Document, VectorStoreIndex
        from llama_index.core.node_parser import SentenceSplitter

        self._words = _bm25()
        documents = [Document(text=r.text, doc_id=r.id, metadata={"title": r.title}) for r in data.records]
        self._nodes = SentenceSplitter().get_nodes_from_documents(documents)
        self._index = VectorStoreIndex(self._nodes, embed_model=_embedding(embedder))

    def stages(self, k: int) -> dict[str, BaseRetriever]:
        """Return what finds `k` nodes by words, by vectors, and by both."""
        from llama_index.core.llms import MockLLM
        from llama_index.core.retrievers import QueryFusionRetriever

        words = self._words.from_defaults(nodes=self._nodes, similarity_top_k=k)
        vectors = self._index.as_retriever(similarity_top_k=k)
        both = QueryFusionRetriever(
            [vectors, words],
            llm=MockLLM(),  # asked for nothing where no queries are written; without one it looks for a remote model
            similarity_top_k=k,
            num_queries=1,
            mode="reciprocal_rerank",
            use_async=False,
        )
        return {"llamaindex, bm25": words, "llamaindex, vectors": vectors, "llamaindex, hybrid": both}


def side_by_side(data: Dataset, embedder: Embedder, tell: Callable[[str], None]) -> SideBySide:
    """Ask Hoplite's stages and LlamaIndex's every question that has gold documents."""
    asked = with_gold(data)
    tell(f"{data.name}: indexing with LlamaIndex")
    began = time.perf_counter()
    pipeline = Pipeline(data, embedder)
    seconds: dict[str, dict[str, float]] = {"llamaindex, hybrid": {"index": time.perf_counter() - began}}
    scores: Scores = {}
    for name, retriever in pipeline.stages(DEPTH).items():
        tell(f"{data.name}: {name}")
        taken = []
        for question in asked:
            began = time.perf_counter()
            found = retriever.retrieve(question.question)
            taken.append(time.perf_counter() - began)
            ranking = list(dict.fromkeys(node.node.ref_doc_id for node in found))
            scores.setdefault(name, []).append(score(ranking, question.supporting))
        seconds.setdefault(name, {})["query_median"] = median(taken)
    tell(f"{data.name}: hoplite")
    ours, seconds[OURS] = _ours(data, asked)
    return SideBySide(
        dataset=data.name,
        questions=len(asked),
        date=time.strftime("%Y-%m-%d"),
        systems=rows({**ours, **scores}),
        seconds=seconds,
        versions={name: version(name) for name in ("llama-index-core", "llama-index-retrievers-bm25")}
        | {"embedder of LlamaIndex": embedder.name},
    )


def rows(scores: Scores) -> dict[str, Row]:
    """Sum up each system's scores, question by question beside those of `OURS`."""
    return {
        name: Row(
            {metric: estimate([each[metric] for each in found]) for metric in found[0]},
            {
                metric: paired([each[metric] for each in scores[OURS]], [each[metric] for each in found])
                for metric in METRICS
            },
        )
        for name, found in scores.items()
    }


def _ours(data: Dataset, asked: Sequence[Question]) -> tuple[Scores, dict[str, float]]:
    """The scores of Hoplite's stages, the last of which is what a search returns, and its seconds."""
    weights.require(weights.TRANSFORMER_INT8)
    first = embedder_named(None)
    parts = Indexing(lambda record: chunk(as_document(record, looks_like_code)), embedded, first, EdgeStore)
    with dataset_store(data, parts, dataset_cache()) as indexed:
        setup = ablation.Setup(indexed.store, first, reader_named(None))
        found = measure(asked, setup.searcher(), DocumentsOf(indexed.store))
    *earlier, last = found.scores
    named = {OURS: last} | {f"hoplite, {stage}": stage for stage in earlier}
    return (
        {name: [dict(each) for each in found.scores[stage]] for name, stage in named.items()},
        {"index": indexed.seconds, "query_median": median(found.seconds["query"])},
    )


def answering(pipeline: Pipeline, chat: ChatModel, *, brief: bool) -> Callable[[Question], RunAnswer]:
    """Return what has LlamaIndex's query engine answer a question. `brief` asks for a few words, which its prompt does
    not."""
    from llama_index.core.query_engine import RetrieverQueryEngine

    usage: Counter[str] = Counter()
    engine = RetrieverQueryEngine.from_args(pipeline.stages(PASSAGES)["llamaindex, hybrid"], llm=_llm(chat, usage))

    def answer(question: Question) -> RunAnswer:
        usage.clear()
        words = " Answer with a few words, without a sentence." if brief else ""
        said = engine.query(question.question + words)
        return RunAnswer(
            answer=str(said),
            shown=tuple(dict.fromkeys(node.node.ref_doc_id for node in said.source_nodes)),
            usage=dict(usage),
        )

    return answer


def _bm25() -> Any:
    try:
        from llama_index.retrievers.bm25 import BM25Retriever
    except ImportError as error:
        raise UserError(
            f"LlamaIndex's BM25 retriever is not here ({error}). Install it: `pip install 'hoplite[bench]'`."
        ) from error
    return BM25Retriever


def _embedding(embedder: Embedder) -> Any:
    """An embedder of ours as LlamaIndex takes one."""
    from llama_index.core.embeddings import BaseEmbedding

    class Embedding(BaseEmbedding):  # type: ignore[misc]  # LlamaIndex is not type-checked here
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return [row.tolist() for row in embedder.embed(texts)]

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

    return Embedding(model_name=embedder.name)


def _llm(chat: ChatModel, usage: Counter[str]) -> LLM:
    """A model of ours as LlamaIndex takes one: each prompt is one message. What calls take is added to `usage`."""
    from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

    class Model(CustomLLM):  # type: ignore[misc]  # LlamaIndex is not type-checked here
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(num_output=MAX_TOKENS, model_name=chat.name)

        def complete(self, prompt: str, formatted: bool = False, **kwargs: object) -> CompletionResponse:
            said = chat.complete([{"role": "user", "content": prompt}], max_tokens=MAX_TOKENS)
            usage.update(calls=1, input_tokens=said.input_tokens, output_tokens=said.output_tokens)
            return CompletionResponse(text=said.text)

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: object) -> Any:
            yield self.complete(prompt)

    return Model()


def _shown(report: SideBySide) -> str:
    lines = [[f"{report.dataset}, {report.questions} questions", *(c for m in METRICS for c in (m, "ahead by"))]]
    for name, row in report.systems.items():
        cells = []
        for metric in METRICS:
            ahead = row.ahead[metric]
            apart = f"{100 * ahead.mean:+.1f} [{100 * ahead.low:+.1f}, {100 * ahead.high:+.1f}]"
            cells += [f"{100 * row.metrics[metric].mean:.1f}", "" if name == OURS else apart]
        lines.append([name, *cells])
    return "\n".join(table(lines))


embedder_option = click.option(
    "--embedder", default=weights.TRANSFORMER_INT8, show_default=True, help="What embeds LlamaIndex's nodes."
)
dataset_type = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """LlamaIndex's stock hybrid pipeline beside Hoplite."""


@main.command()
@click.argument("datasets", nargs=-1, required=True, type=dataset_type)
@embedder_option
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to keep NAME.json for each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def retrieval(datasets: Sequence[Path], embedder: str, out: Path | None, as_json: bool) -> None:
    """Score both over the folders DATASETS."""
    reports = []
    for folder in datasets:
        found = side_by_side(load_dataset(folder), embedder_named(embedder), lambda line: click.echo(line, err=True))
        reports.append(found)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{found.dataset}.json").write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    if as_json:
        click.echo(json.dumps({"reports": [asdict(report) for report in reports]}, indent=1))
    else:
        click.echo("\n\n".join(_shown(report) for report in reports))


@main.command()
@click.argument("dataset", type=dataset_type)
@embedder_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where to keep the answers.")
@click.option("--sample", type=click.IntRange(1), default=50, show_default=True, help="Questions drawn by the seed.")
@click.option("--seed", default=0, show_default=True)
@click.option("--model", default="local", show_default=True)
@click.option("--brief", is_flag=True, help="Ask for a few words, which LlamaIndex's own prompt does not.")
def answers(dataset: Path, embedder: str, out: Path, sample: int, seed: int, model: str, brief: bool) -> None:
    """Ask questions of DATASET once each, and score the answers."""
    data = load_dataset(dataset)
    pipeline = Pipeline(data, embedder_named(embedder))
    report = run(
        drawn(data.questions, sample, seed),
        answering(pipeline, make_chat(model), brief=brief),
        out,
        fingerprint={
            "model": model,
            "agent": f"llama-index-core {version('llama-index-core')}" + (", asked to be brief" if brief else ""),
            "embedder": embedder,
            "corpus": data.digest,
        },
        resume=True,
    )
    click.echo(run_table(report))


if __name__ == "__main__":
    main()
