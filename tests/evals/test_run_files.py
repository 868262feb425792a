"""A run's folder is read line by line, and what is wrong with it is said with the file and the line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import GeneratorType

import pytest

from evals import run_files
from evals.datasets import Question
from evals.run_files import answers, finished, read_run
from evals.runner import run
from evals.types import Cited, RunAnswer, Shown
from ingest.errors import UserError

QUESTIONS = [Question(f"q{n}", f"Question {n}?", ("a",), ("a.md",), "bridge", ("t",)) for n in range(4)]


def answer(question: Question) -> RunAnswer:
    return RunAnswer(
        f"It is {question.id} \u2028 [1]",
        citations=(Cited("1", "a.md", 1, 2, "quote", True),),
        passages=(Shown("1", "a.md", 1, 9, "text"),),
        usage={"tokens": 3},
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    run(QUESTIONS, answer, tmp_path / "nightly", fingerprint={"model": "scripted"})
    return tmp_path / "nightly"


def appended(folder: Path, line: object) -> None:
    with (folder / "answers.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def raw(folder: Path, number: int) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "answers.jsonl").read_text().split("\n")[number])
    return found


def test_a_run_says_what_it_was_made_with(made: Path) -> None:
    info = read_run(made)
    assert (info.name, info.format, info.fingerprint["model"]) == ("nightly", 1, "scripted")


def test_a_line_comes_back_as_it_was_written(made: Path) -> None:
    first = next(finished(made))
    assert first.answer == "It is q0 \u2028 [1]"
    assert first.citations == (Cited("1", "a.md", 1, 2, "quote", True),)
    assert first.passages == (Shown("1", "a.md", 1, 9, "text"),)
    assert (first.tags, first.supporting, first.usage) == (("t",), ("a.md",), {"tokens": 3})


def test_answers_come_one_by_one_in_the_order_first_asked_and_the_last_line_counts(made: Path) -> None:
    appended(made, raw(made, 1) | {"answer": "again"})
    appended(made, raw(made, 0) | {"repeat": 1})
    lines = finished(made)
    assert isinstance(lines, GeneratorType)
    assert [(line.id, line.repeat) for line in lines] == [("q0", 0), ("q1", 0), ("q2", 0), ("q3", 0), ("q0", 1)]
    assert answers(made)[1].answer == "again"


def test_half_of_a_surrogate_pair_does_not_make_a_line_unreadable(tmp_path: Path) -> None:
    run(QUESTIONS[:1], lambda q: replace(answer(q), answer="a\ud800b"), tmp_path, fingerprint={})
    assert answers(tmp_path)[0].answer == "a?b"


def test_a_torn_last_line_is_left_out(made: Path) -> None:
    path = made / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert [line.id for line in finished(made)] == ["q0", "q1", "q2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 7}, "got 7"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"shown": "a.md"}, "shown"),
        ({"citations": [{"label": "1"}]}, r"citations.0.path"),
    ],
)
def test_a_damaged_line_is_named_with_file_and_number(made: Path, change: dict[str, object], message: str) -> None:
    appended(made, raw(made, 0) | change)
    with pytest.raises(UserError, match=message) as error:
        answers(made)
    assert str(error.value).startswith(f"{made / 'answers.jsonl'}:5 ")
    assert "\n" not in str(error.value)


def test_a_line_that_no_run_wrote_is_not_read_into_memory(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_files, "LONGEST", 5_000)
    appended(made, raw(made, 0) | {"answer": "x" * 6_000})
    with pytest.raises(UserError, match=r"answers\.jsonl:5 is longer than 5,000 bytes"):
        finished(made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"run": "x", "format": 9, "what": {}}', r"run\.json is of run format 9; this version reads 1"),
        ('{"run": "x", "fing', r"run\.json is damaged"),
        ('{"run": "x", "fingerprint": {"a": 1}}', r"run\.json is damaged .*fingerprint\.a"),
        ('{"run": "x", "fingerprint": {}, "seed": 1}', "unknown key 'seed'"),
    ],
)
def test_a_half_written_run_or_one_of_another_format_is_refused(made: Path, text: str, message: str) -> None:
    (made / "run.json").write_text(text)
    for read in (read_run, finished):
        with pytest.raises(UserError, match=message):
            read(made)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run\.json cannot be read"):
        finished(tmp_path)


def test_a_run_from_before_formats_were_numbered_is_read(made: Path) -> None:
    (made / "run.json").write_text('{"run": "old", "fingerprint": {}}')
    assert len(answers(made)) == 4
