"""Files of drafts: a person's decisions are on disk at once, and nothing else in the files is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.datasets import Question, load_questions
from evals.drafts import Review, evidence_file, load, write
from evals.make_types import Draft, Evidence
from ingest.errors import UserError


def draft(id: str, answer: str = "45") -> Draft:
    question = Question(id, f"What of {id}?", (answer,), ("a.md", "b.py"), "doc-to-code", ("draft",))
    return Draft(question, ("LIMIT",), (Evidence("a.md", 1, 2, "`LIMIT`"), Evidence("b.py", 3, 3, "LIMIT = 45")))


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    write(tmp_path / "drafts.jsonl", [draft("one"), draft("two"), draft("three")])
    return tmp_path / "drafts.jsonl"


def test_a_file_of_drafts_is_a_question_file_and_its_passages_are_beside_it(drafts: Path) -> None:
    assert [question.id for question in load_questions(drafts)] == ["one", "two", "three"]
    assert load(drafts) == [draft("one"), draft("two"), draft("three")]
    assert evidence_file(drafts).name == "drafts.evidence.jsonl"
    assert {file.stat().st_mode & 0o777 for file in (drafts, evidence_file(drafts))} == {0o600}


def test_a_kept_question_moves_without_its_tag_and_a_dropped_one_goes(drafts: Path, tmp_path: Path) -> None:
    review = Review(drafts, tmp_path / "mine.jsonl")
    review.keep(review.left[0])
    review.drop(review.left[0])
    assert [each.question.id for each in load(drafts)] == ["three"]
    (kept,) = load_questions(tmp_path / "mine.jsonl")
    assert (kept.id, kept.tags, kept.supporting) == ("one", (), ("a.md", "b.py"))
    assert (review.kept, review.dropped) == (1, 1)


def test_an_edited_question_is_kept_as_edited(drafts: Path, tmp_path: Path) -> None:
    review = Review(drafts, tmp_path / "mine.jsonl")
    review.keep(review.left[1], "For how long?", ("45", "45 days"))
    (kept,) = load_questions(tmp_path / "mine.jsonl")
    assert (kept.id, kept.question, kept.answers) == ("two", "For how long?", ("45", "45 days"))


def test_kept_questions_are_added_to_a_file_that_is_there(drafts: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"id": "old", "question": "Old?"}')  # its last line does not end
    Review(drafts, mine).keep(draft("one"))
    assert [question.id for question in load_questions(mine)] == ["old", "one"]


def test_what_was_kept_before_a_kill_is_not_asked_about_again(drafts: Path, tmp_path: Path) -> None:
    before = drafts.read_bytes()
    review = Review(drafts, tmp_path / "mine.jsonl")
    review.keep(review.left[0])
    drafts.write_bytes(before)  # as if killed between the two writes
    again = Review(drafts, tmp_path / "mine.jsonl")
    assert [each.question.id for each in again.left] == ["two", "three"]
    assert len(load_questions(tmp_path / "mine.jsonl")) == 1


def test_a_line_without_the_tag_is_nobodys_draft_and_stays(drafts: Path, tmp_path: Path) -> None:
    own = {"id": "own", "question": "Mine?", "tags": ["kept"], "unanswerable": True}
    drafts.write_bytes(drafts.read_bytes() + json.dumps(own).encode() + b"\n")
    review = Review(drafts, tmp_path / "mine.jsonl")
    for each in review.left:
        review.drop(each)
    assert [json.loads(line) for line in drafts.read_bytes().splitlines()] == [own]
    assert not evidence_file(drafts).exists()


def test_a_file_that_is_reviewed_to_its_end_is_gone(drafts: Path, tmp_path: Path) -> None:
    review = Review(drafts, tmp_path / "mine.jsonl")
    for each in review.left:
        review.keep(each)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jsonl"]


def test_without_the_passages_a_draft_is_reviewed_alone(drafts: Path) -> None:
    evidence_file(drafts).unlink()
    assert [each.passages for each in load(drafts)] == [(), (), ()]


def test_damaged_passages_are_named_with_their_line(drafts: Path) -> None:
    file = evidence_file(drafts)
    file.write_bytes(file.read_bytes() + b'{"id": "four", "names": [], "passages": [{"path": "a"}]}\n')
    with pytest.raises(UserError, match=r"drafts\.evidence\.jsonl:4: passages\.0\.start_line: Field required"):
        load(drafts)


def test_drafts_do_not_take_the_place_of_a_file(drafts: Path) -> None:
    with pytest.raises(UserError, match="there already"):
        write(drafts, [draft("four")])
    assert len(load(drafts)) == 3


def test_kept_questions_do_not_go_to_the_drafts_themselves(drafts: Path) -> None:
    with pytest.raises(UserError, match="Name another with --out"):
        Review(drafts, drafts.parent / "." / "drafts.jsonl")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "nowhere" / "drafts.jsonl", [draft("one")])
