"""Half of the questions lose their passages, and only what no question that keeps its own needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evals.datasets import load_dataset
from evals.unanswerable import main, split


def test_no_question_that_keeps_its_passages_misses_one() -> None:
    gold = {f"q{n}": frozenset({f"p{n}", f"p{n % 5}"}) for n in range(40)}
    kept, lost = split(gold, 6, seed=1)
    assert len({*kept, *lost}) == 12
    assert not {p for q in kept for p in gold[q]} & {p for q in lost for p in gold[q]}


def test_too_few_questions_are_said() -> None:
    with pytest.raises(ValueError, match="only 2 can keep and 0 lose"):
        split({"a": frozenset({"p"}), "b": frozenset({"p"}), "c": frozenset({"p"})}, 2, seed=0)


def test_the_folder_written_is_a_dataset(tmp_path: Path) -> None:
    source, made = tmp_path / "birds", tmp_path / "made"
    source.mkdir()
    (source / "corpus.jsonl").write_text(
        "".join(json.dumps({"id": f"p{n}", "title": f"T{n}", "text": f"Text {n}."}) + "\n" for n in range(10))
    )
    (source / "questions.jsonl").write_text(
        "".join(
            json.dumps(
                {"id": f"q{n}", "question": f"Q{n}?", "answers": [str(n)], "supporting_ids": [f"p{n}"], "type": ""}
            )
            + "\n"
            for n in range(8)
        )
    )
    done = CliRunner().invoke(main, [str(source), str(made), "--each", "3"])
    assert done.exit_code == 0, done.output
    data = load_dataset(made)
    lost = [question for question in data.questions if question.unanswerable]
    assert (len(data.questions), len(lost), len(data.records)) == (6, 3, 7)
    assert not {f"p{question.id[1:]}" for question in lost} & {record.id for record in data.records}
    assert all(not question.answers and not question.supporting for question in lost)
