"""A part that is taken away is missed where it was needed, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evals.ablation import PARTS, Setup, Without, ablate
from evals.dataset_store import DatasetStore, Indexing, as_document, dataset_store
from evals.datasets import Dataset, Question, Record
from evals.tables import ablation_table
from ingest.chunk import chunk
from retrieval.rerank import Reader
from retrieval.store_edge import EdgeStore
from retrieval.tokens import embedded
from retrieval.types import Scored
from tests.retrieval.made import HashEmbedder

BRIDGE = "The film Silver Heron was shot in winter by Ada Byrne, who had never worked on water before."
ANSWER = "A painter of boats from Cork. Later years were spent abroad."
FILLERS = [
    f"The film number {n} was shot in winter in a town where nothing of note happened to anyone." for n in range(12)
]
DATASET = Dataset(
    "films",
    (
        Record("d0", "Silver Heron", BRIDGE),
        Record("d1", "Ada Byrne", ANSWER),
        *(Record(f"f{n}", f"Town {n}", text) for n, text in enumerate(FILLERS)),
    ),
    (
        Question("q0", "Who shot the film Silver Heron in winter, and from which town?", (), ("d0", "d1"), "bridge"),
        Question("q1", "no gold", (), (), "open"),
    ),
    digest="aa",
)


@pytest.fixture
def indexed(tmp_path: Path) -> Iterator[DatasetStore]:
    parts = Indexing(lambda record: chunk(as_document(record, lambda text: None)), embedded, HashEmbedder(), EdgeStore)
    with dataset_store(DATASET, parts, tmp_path) as opened:
        yield opened


def setup(indexed: DatasetStore) -> Setup:
    return Setup(indexed.store, HashEmbedder(), Reader(HashEmbedder()))


def test_what_only_a_hop_finds_is_lost_without_hops(indexed: DatasetStore) -> None:
    report = ablate(DATASET, indexed, setup(indexed), (Without("hops", {"rounds": 0}), Without("keep", {"keep": 0.05})))
    hops, keep = report.parts
    assert (report.questions, report.last, report.scores["recall@5"]) == (1, "reranked", 1.0)
    assert (hops.scores["recall@5"], hops.lost["recall@5"].mean) == (0.5, 0.5)
    assert keep.lost["recall@5"].mean == 0.0
    assert [row.label for row in report.stages] == ["bm25", "dense", "fused", "hops"]


def test_without_words_or_vectors_their_stage_finds_nothing(indexed: DatasetStore) -> None:
    for part in PARTS:
        found = part.searcher(setup(indexed)).search("film Silver Heron", k=5).stages
        assert (found["bm25"] == ()) == ("BM25" in part.label), part.label
        assert (found["dense"] == ()) == ("vectors" in part.label), part.label


def test_every_part_changes_a_setting_that_there_is_and_has_a_label_of_its_own(indexed: DatasetStore) -> None:
    whole = setup(indexed).settings
    for part in PARTS:
        assert all(getattr(whole, name) != value for name, value in part.settings.items())
    assert len({part.label for part in PARTS}) == len(PARTS)
    with pytest.raises(TypeError, match="wings"):
        Without("wings", {"wings": 0.0}).searcher(setup(indexed))


def test_sorting_keeps_the_candidates_and_drops_the_bridge(indexed: DatasetStore) -> None:
    (sorts,) = (part for part in PARTS if "sorted" in part.label)
    question = DATASET.questions[0].question
    plain = sorts.searcher(setup(indexed)).search(question, k=5).stages
    walked = setup(indexed).searcher().search(question, k=5).stages
    answer = {chunk.id for chunk in indexed.store.in_document("d1")}

    def place(order: Sequence[Scored]) -> int:
        return next(rank for rank, scored in enumerate(order) if scored.id in answer)

    assert {scored.id for scored in plain["sorted"]} == {scored.id for scored in walked["reranked"]}
    assert place(plain["sorted"]) > place(walked["reranked"])


def test_progress_counts_the_questions_of_all_searches(indexed: DatasetStore) -> None:
    told: list[tuple[int, int]] = []
    ablate(DATASET, indexed, setup(indexed), PARTS[:2], lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_table_has_a_line_for_every_stage_and_part(indexed: DatasetStore) -> None:
    report = ablate(DATASET, indexed, setup(indexed), PARTS)
    head, _, whole, *lines = ablation_table(report).split("\n")
    assert head.startswith(f"films: 1 questions, {1 + len(PARTS)} searches, ")
    assert whole.startswith("everything (reranked)")
    assert [line.split("  ")[0] for line in lines] == [
        *(f"ended at {stage}" for stage in ("bm25", "dense", "fused", "hops")),
        *(f"without {part.label}" for part in PARTS),
    ]
    assert "-0.0" not in ablation_table(report)
    assert set(report.as_json()) == {"dataset", "questions", "last", "scores", "stages", "parts", "seconds"}
