"""BEIR's files become a dataset folder; what is wrong in them is named with the file and the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.beir import from_beir
from evals.datasets import Question, Record
from ingest.errors import UserError

CORPUS = [{"_id": "d1", "title": "Reed", "text": "A plant.", "metadata": {}}, {"_id": "d2", "text": "A bird."}]
QUERIES = [{"_id": "q1", "text": "What bends?", "metadata": {}}, {"_id": "q2", "text": "What wades?"}]
JUDGED = "query-id\tcorpus-id\tscore\nq1\td1\t2\r\nq1\td2\t0\nq2\td1\t0\n"


def folder(path: Path, **changed: str) -> Path:
    texts = {"corpus.jsonl": lines(CORPUS), "queries.jsonl": lines(QUERIES), "qrels/test.tsv": JUDGED}
    (path / "qrels").mkdir(parents=True)
    for name, text in (texts | {key.replace("__", "/").replace("_", "."): v for key, v in changed.items()}).items():
        (path / name).write_text(text, encoding="utf-8")
    return path


def lines(values: list[dict[str, object]]) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_gold_is_what_is_judged_above_zero_and_a_question_without_any_is_dropped(tmp_path: Path) -> None:
    converted = from_beir(folder(tmp_path / "set"))
    assert converted.records == (Record("d1", "Reed", "A plant."), Record("d2", "", "A bird."))
    assert converted.questions == (Question("q1", "What bends?", (), ("d1",), ""),)
    assert converted.dropped == ("q2",)


def test_one_of_several_files_of_judgements_has_to_be_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", qrels__dev_tsv="query-id\tcorpus-id\tscore\nq2\td2\t1\n")
    with pytest.raises(UserError, match=r"has dev\.tsv, test\.tsv\. Name one of them"):
        from_beir(path)
    assert [question.id for question in from_beir(path, path / "qrels" / "dev.tsv").questions] == ["q2"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("corpus_jsonl", lines(CORPUS) + "{", r"corpus\.jsonl:3: .*JSON"),
        ("corpus_jsonl", lines([CORPUS[0], CORPUS[0]]), r"corpus\.jsonl:2: id 'd1' was already used at .*jsonl:1"),
        ("corpus_jsonl", lines([{**CORPUS[0], "url": "x"}]), r"corpus\.jsonl:1: url"),
        ("corpus_jsonl", lines(CORPUS[1:]), r"test\.tsv:2: id 'd1' is not in corpus\.jsonl"),
        ("queries_jsonl", lines(QUERIES[1:]), r"test\.tsv:2: id 'q1' is not in queries\.jsonl"),
        ("queries_jsonl", lines([{"_id": "q1", "text": ""}]), r"queries\.jsonl:1: text"),
        ("qrels__test_tsv", "q1\td1\n", r"test\.tsv:1: 2 columns instead of query-id"),
        ("qrels__test_tsv", "q1\td1\thigh\n", r"test\.tsv:1: the score 'high' is no whole number"),
        ("qrels__test_tsv", "q1\td1\t0\n", r"test\.tsv judges nothing relevant"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        from_beir(folder(tmp_path / "set", **{name: text}))
    assert "\n" not in str(error.value)


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "set")
    (path / "corpus.jsonl").unlink()
    with pytest.raises(UserError, match=r"corpus\.jsonl cannot be read"):
        from_beir(path)
    with pytest.raises(UserError, match=r"qrels has no \.tsv file"):
        from_beir(tmp_path)
