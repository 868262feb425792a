"""Stages are scored as documents by their best chunk, over a store that is made once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals import dataset_store as cached
from evals.dataset_store import Indexing, as_document, dataset_cache, dataset_store
from evals.datasets import Dataset, Question, Record
from evals.retrieval_eval import evaluate_retrieval
from evals.run_report import RunReport
from evals.tables import retrieval_table, run_table
from ingest.errors import WorkspaceBusy
from ingest.ids import chunk_id
from ingest.types import Chunk
from retrieval.protocols import Vectors
from retrieval.types import Counts, Scored, SearchResult

RECORDS = tuple(Record(f"d{n}", f"Title {n}", f"one {n}\ntwo {n}") for n in range(4))
DATASET = Dataset(
    "herons",
    RECORDS,
    (
        Question("q0", "zero", (), ("d0", "d1"), "bridge"),
        Question("q1", "one", (), ("d3",), "bridge"),
        Question("q2", "no gold", (), (), "open"),
    ),
    digest="aa",
)


class FolderStore:
    """A store that is one JSON file of ids and paths."""

    def __init__(self, folder: Path, dim: int) -> None:
        self.file = folder / "chunks.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.paths: dict[str, str] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def write(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        assert vectors.shape == (len(chunks), 2)
        self.paths |= {str(chunk.id): chunk.path for chunk in chunks}
        self.file.write_text(json.dumps(self.paths))

    def counts(self) -> Counts:
        return Counts(len(self.paths), len(self.paths))

    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        return {i: replace(to_chunks(RECORDS[0])[0], id=i, path=self.paths[str(i)]) for i in ids}

    def optimize(self) -> None: ...

    def close(self) -> None: ...


class Lengths:
    """An embedder of two numbers that counts what it embeds."""

    name, dim = "lengths", 2

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += len(texts)
        return np.ones((len(texts), 2), dtype=np.float32)


def to_chunks(record: Record) -> list[Chunk]:
    """A chunk a line."""
    return [
        Chunk(chunk_id(record.id, line, 0), record.id, "prose", "text", record.title, record.id, line, n, n, (), ())
        for n, line in enumerate(record.text.split("\n"), start=1)
    ]


def indexing(embedder: Lengths) -> Indexing:
    return Indexing(to_chunks, lambda chunk: chunk.text, embedder, FolderStore)  # type: ignore[arg-type]


class Searches:
    """Answers every query with the same two stages."""

    def __init__(self, *rankings: Sequence[str]) -> None:
        lines = {line: chunk.id for record in RECORDS for chunk in to_chunks(record) for line in [chunk.text]}
        self.stages = {
            name: tuple(Scored(lines[line], -rank) for rank, line in enumerate(ranking))
            for name, ranking in zip(("bm25", "hops"), rankings, strict=False)
        }

    def search(self, query: str, *, k: int) -> SearchResult:
        return SearchResult(query, (), self.stages, {"bm25": 0.5, "hops": 0.25})


def test_each_stage_is_scored_over_documents_by_their_best_chunk(tmp_path: Path) -> None:
    searches = Searches(["one 2", "two 0", "one 0", "one 1"], ["one 0", "two 1", "one 3"])
    with dataset_store(DATASET, indexing(Lengths()), tmp_path) as indexed:
        report = evaluate_retrieval(DATASET, indexed, lambda store: searches)
    assert (report.questions, report.skipped, list(report.stages)) == (2, 1, ["bm25", "hops"])
    assert set(report.as_json()) == {"dataset", "questions", "stages", "timings"}
    # bm25 ranks d2 d0 d1: q0's gold at 2 and 3, q1's nowhere. hops ranks d0 d1 d3: at 1 and 2, and at 3.
    assert report.stages["bm25"] == {
        "recall@2": 0.25,
        "recall@5": 0.5,
        "recall@10": 0.5,
        "all@5": 0.5,
        "mrr": 0.25,
        "ndcg@10": pytest.approx((1 / np.log2(3) + 0.5) / (1 + 1 / np.log2(3)) / 2),
    }
    assert (report.stages["hops"]["recall@2"], report.stages["hops"]["mrr"]) == (0.5, pytest.approx((1 + 1 / 3) / 2))
    assert report.timings["bm25_median"] == 0.5


def test_stages_that_change_between_questions_are_a_bug(tmp_path: Path) -> None:
    searches = iter([Searches(["one 0"]), Searches(["one 0"], ["one 0"])])

    class Changing(Searches):
        def search(self, query: str, *, k: int) -> SearchResult:
            return next(searches).search(query, k=k)

    with dataset_store(DATASET, indexing(Lengths()), tmp_path) as indexed, pytest.raises(ValueError, match="q1"):
        evaluate_retrieval(DATASET, indexed, lambda store: Changing())


def test_an_unchanged_dataset_is_indexed_once(tmp_path: Path) -> None:
    embedder = Lengths()
    for _ in range(2):
        with dataset_store(DATASET, indexing(embedder), tmp_path) as indexed:
            assert indexed.store.counts() == Counts(8, 8)
    assert embedder.embedded == 8


@pytest.mark.parametrize("change", ["code", "mark", "chunks"])
def test_other_code_an_unfinished_index_or_lost_chunks_index_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    embedder = Lengths()
    with dataset_store(DATASET, indexing(embedder), tmp_path):
        pass
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    if change == "code":
        monkeypatch.setattr(cached, "code_version", lambda: "other")
    elif change == "mark":
        (folder / "complete.json").unlink()
    else:
        (folder / "store" / "chunks.json").write_text("{}")
    with dataset_store(DATASET, indexing(embedder), tmp_path) as indexed:
        assert indexed.store.counts() == Counts(8, 8)
    assert embedder.embedded == 16
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [folder]


def test_another_corpus_gets_a_store_of_its_own(tmp_path: Path) -> None:
    for dataset in (DATASET, replace(DATASET, digest="bb")):
        with dataset_store(dataset, indexing(Lengths()), tmp_path):
            pass
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_a_store_in_use_is_refused(tmp_path: Path) -> None:
    with dataset_store(DATASET, indexing(Lengths()), tmp_path), pytest.raises(WorkspaceBusy, match="herons"):
        dataset_store(DATASET, indexing(Lengths()), tmp_path).__enter__()


def test_progress_counts_records_and_questions(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        seen.append((done, total))

    with dataset_store(DATASET, indexing(Lengths()), tmp_path, note) as indexed:
        evaluate_retrieval(DATASET, indexed, lambda store: Searches(["one 0"]), note)
    assert seen == [(4, 4), (1, 2), (2, 2)]


def test_a_record_becomes_code_as_it_is_or_prose_under_its_title() -> None:
    record = Record("d7", "Grey\nheron", "It wades.\r\nSlowly.")
    prose = as_document(record, lambda text: None)
    assert (prose.path, prose.kind, prose.text) == ("d7", "prose", "# Grey heron\n\nIt wades.\nSlowly.")
    code = as_document(replace(record, text="def wade(): ..."), lambda text: "python")
    assert (code.kind, code.language, code.text) == ("code", "python", "def wade(): ...")


def test_the_cache_is_the_users(private_home: Path) -> None:
    assert dataset_cache() == private_home / ".cache" / "hoplite" / "datasets"


def test_the_code_version_is_stable_and_not_empty() -> None:
    assert cached.code_version.__wrapped__() == cached.code_version()
    assert len(cached.code_version()) == 64


def test_tables_show_every_stage_and_metric(tmp_path: Path) -> None:
    with dataset_store(DATASET, indexing(Lengths()), tmp_path) as indexed:
        report = evaluate_retrieval(DATASET, indexed, lambda store: Searches(["one 0"], ["one 0", "one 1"]))
    head, columns, bm25, hops, _ = retrieval_table(report).split("\n")
    assert head == "herons: 2 questions, 1 without gold skipped"
    assert len({len(line) for line in (columns, bm25, hops)}) == 1
    assert hops.split()[:3] == ["hops", "50.0", "50.0"]
    table = run_table(RunReport("r", 3, 1, {"f1": 0.5}, {"tokens": 1200}, {"answers": 2.0}, {"f1": 2}))
    assert "1 failed" in table
    assert "f1      50.0  2" in table
