"""Outsiders' question files are checked line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.datasets import Question, Record, lines_of, load_dataset, load_questions
from ingest.errors import UserError

CORPUS = [{"id": "d1", "title": "Heron", "text": "A bird.\u2028It wades."}]
ASKED = {"id": "q1", "question": "What?", "answers": ["bird"], "supporting_ids": ["d1", "d1"], "type": "bridge"}


def lines(path: Path, *values: object) -> Path:
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), encoding="utf-8")
    return path


def folder(path: Path, *questions: object) -> Path:
    lines(path / "corpus.jsonl", *CORPUS)
    lines(path / "questions.jsonl", *questions)
    return path


def test_a_dataset_folder_becomes_records_and_questions(tmp_path: Path) -> None:
    dataset = load_dataset(folder(tmp_path, ASKED))
    assert dataset.name == tmp_path.name
    assert dataset.records == (Record("d1", "Heron", "A bird.\u2028It wades."),)
    assert dataset.questions == (Question("q1", "What?", ("bird",), ("d1",), "bridge"),)


def test_a_question_file_needs_only_id_and_question(tmp_path: Path) -> None:
    path = lines(tmp_path / "q.jsonl", {"id": "a", "question": "Why?"})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert load_questions(path) == (Question("a", "Why?", (), (), ""),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "b", "question": "?", "suporting": []}', "unknown key 'suporting'"),
        ('{"id": "b"}', "key 'question' is missing"),
        ('{"id": "b", "question": 7}', r"question: .* \(got 7\)"),
        ('{"id": "b", "question": "?"', "JSON"),
        ('{"id": "a", "question": "?"}', "already used at .*:1"),
        ('{"id": "b", "question": "?", "answers": ["x"], "unanswerable": true}', "unanswerable and has answers"),
        ('{"id": "b", "question": "?", "supporting": ["a.py:20-10"]}', "'a.py:20-10' are no lines"),
        ('{"id": "b", "question": "?", "supporting": ["a.py:0"]}', "'a.py:0' are no lines"),
    ],
)
def test_a_wrong_line_is_named_with_file_and_number(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": "a", "question": "?"}\n\n' + line + "\n")
    with pytest.raises(UserError, match=message) as error:
        load_questions(path)
    assert str(error.value).startswith(f"{path}:3: ")
    assert "\n" not in str(error.value)


def test_a_supporting_id_that_the_corpus_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"questions\.jsonl:1: supporting id 'd9'"):
        load_dataset(folder(tmp_path, {**ASKED, "supporting_ids": ["d1", "d9"]}))


def test_a_dataset_s_unanswerable_question_has_no_answers(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"questions\.jsonl:1: 'q1' is unanswerable and has answers"):
        load_dataset(folder(tmp_path, {**ASKED, "unanswerable": True}))
    assert load_dataset(folder(tmp_path, {**ASKED, "unanswerable": True, "answers": []})).questions[0].unanswerable


def test_a_missing_or_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_dataset(tmp_path)
    (tmp_path / "q.jsonl").touch()
    with pytest.raises(UserError, match="no lines"):
        load_questions(tmp_path / "q.jsonl")


def test_the_digest_changes_with_the_corpus_only(tmp_path: Path) -> None:
    first = load_dataset(folder(tmp_path, ASKED)).digest
    assert load_dataset(folder(tmp_path, {**ASKED, "type": "other"})).digest == first
    lines(tmp_path / "corpus.jsonl", *CORPUS, {"id": "d2", "title": "", "text": ""})
    assert load_dataset(tmp_path).digest != first


def test_supporting_lines_are_kept_beside_their_document(tmp_path: Path) -> None:
    places = ["a.py:10-20", "a.py:40", "b.md", "odd:name.md"]
    path = lines(tmp_path / "q.jsonl", {"id": "a", "question": "Why?", "supporting": places})
    (question,) = load_questions(path)
    assert question.supporting == ("a.py", "b.md", "odd:name.md")
    assert question.places == tuple(places)
    found = [("a.py", 10, 20), ("a.py", 40, 40), None, None]
    assert [lines_of(place) for place in question.places] == found
