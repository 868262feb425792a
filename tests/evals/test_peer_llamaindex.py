"""LlamaIndex's pipeline is asked the same questions, and scored as Hoplite is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.testing import ScriptedModel
from evals.datasets import Dataset, Question, Record
from evals.peer_llamaindex import METRICS, OURS, PASSAGES, Pipeline, answering, rows
from evals.run_files import answers
from evals.runner import run
from tests.retrieval.made import HashEmbedder

pytest.importorskip("llama_index.retrievers.bm25", reason="needs `pip install 'hoplite[bench]'`")

RECORDS = (
    Record("gulf", "Gulf of Heron", "The gulf freezes in January and is open again in April."),
    Record("keeper", "Keeper", "The keeper of the light at Heron was Ida Lind for forty years."),
    Record("mill", "Mill", "The mill grinds barley and oats for the villages around it."),
)
ASKED = (
    Question("q1", "Who was keeper of the light at Heron?", ("Ida Lind",), ("keeper",), "one"),
    Question("q2", "What does the mill grind?", ("barley and oats",), ("mill",), "one"),
)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(Dataset("small", RECORDS, ASKED, "1f"), HashEmbedder())


def test_each_stage_finds_the_record_that_says_it(pipeline: Pipeline) -> None:
    for name, retriever in pipeline.stages(3).items():
        found = [node.node.ref_doc_id for node in retriever.retrieve(ASKED[0].question)]
        assert found[0] == "keeper", name
        assert set(found) <= {record.id for record in RECORDS}


def test_an_answer_is_one_call_of_the_model_over_the_passages_that_were_found(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    model = ScriptedModel([" Ida Lind", "rye"])
    run(ASKED, answering(pipeline, model, brief=False), tmp_path / "run", fingerprint={"agent": "llamaindex"})
    first, second = answers(tmp_path / "run")
    assert (first.scores["em"], second.scores["em"]) == (1.0, 0.0)
    assert (first.usage["calls"], second.usage["calls"]) == (1, 1)
    assert "keeper" in first.shown
    assert len(first.shown) <= PASSAGES
    assert "Ida Lind for forty years" in model.calls[0][-1]["content"]
    assert model.unspoken == 0


def test_being_brief_is_asked_for_only_where_it_is_said(pipeline: Pipeline) -> None:
    model = ScriptedModel(["one", "two"])
    for brief in (False, True):
        answering(pipeline, model, brief=brief)(ASKED[1])
    plain, short = (call[-1]["content"] for call in model.calls)
    assert "few words" not in plain
    assert "few words" in short


def test_how_far_hoplite_is_ahead_is_told_question_by_question() -> None:
    def scores(*values: float) -> list[dict[str, float]]:
        return [dict.fromkeys(METRICS, value) for value in values]

    found = rows({OURS: scores(1.0, 1.0, 0.5, 1.0), "other": scores(1.0, 0.0, 0.5, 0.5)})
    assert (found["other"].metrics["recall@5"].mean, found["other"].metrics["recall@5"].count) == (0.5, 4)
    ahead = found["other"].ahead["recall@5"]
    assert ahead.mean == 0.375
    assert 0.0 <= ahead.low < ahead.mean < ahead.high <= 1.0
    assert json.dumps(found[OURS].ahead["mrr"].mean) == "0.0"
