"""What a person says of a run's answers is kept at once, counted over what was read, and becomes a question set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from evals.coding import LONGEST_MODE, MODES, NOTES, Coding, mode_name
from evals.datasets import load_questions
from evals.failure_groups import groups
from evals.judge import Verdict
from evals.metrics import wilson
from evals.sampling import picked
from evals.types import Finished
from ingest.errors import UserError
from retrieval.embedders import embedder_named
from tests.evals.made_run import finished, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    lines = [finished(f"q{n}", tags=("hard",), type="bridge") for n in range(10)]
    return write_run(tmp_path / "run", [*lines, finished("q0", repeat=1)])


def again(coding: Coding) -> Coding:
    """The same reading, from its files."""
    return Coding(coding.folder)


def ids(lines: Sequence[Finished]) -> list[str]:
    return [line.id for line in lines]


def test_notes_and_labels_are_there_for_whoever_opens_the_run_next(run: Path) -> None:
    coding = Coding(run)
    coding.note(coding.line("q1"), "  Names the wrong person.\n", pick="worst")
    coding.note(coding.line("q2"), "", pick="worst")
    coding.label(coding.line("q1"), ["correct", "grounded"], passes=False, blind=True)
    for each in (coding, again(coding)):
        assert each.note_of(each.line("q1")) == "Names the wrong person."
        assert each.note_of(each.line("q3")) is None
        assert ids(each.read) == ["q1", "q2"]
        assert [(line.id, text) for line, text in each.notes] == [("q1", "Names the wrong person.")]
        assert {r: label.label for r, label in each.labels_of(each.line("q1")).items()} == {
            "correct": "fail",
            "grounded": "fail",
        }


def test_the_last_note_of_an_answer_counts_and_its_first_pick(run: Path) -> None:
    coding = Coding(run)
    coding.note(coding.line("q1"), "one", pick="random")
    coding.note(coding.line("q1"), "two", pick="worst")
    assert again(coding).note_of(coding.line("q1")) == "two"
    assert again(coding).chosen == 0
    assert len((run / NOTES).read_text().splitlines()) == 2


def test_a_repeat_is_an_answer_of_its_own(run: Path) -> None:
    coding = Coding(run)
    coding.note(coding.line("q0#1"), "the second time")
    assert coding.note_of(coding.line("q0")) is None
    with pytest.raises(UserError, match="no answer 'q0#2'"):
        coding.line("q0#2")


def test_modes_are_counted_over_what_was_read(run: Path) -> None:
    coding = Coding(run)
    for number in range(8):
        coding.note(coding.line(f"q{number}"), "", pick="random")
    coding.assign([coding.line("q1"), coding.line("q2")], "wrong person")
    coding.assign([coding.line("q2")], "no citation")
    coding.assign([coding.line("q1")], "no citation")
    coding.assign([coding.line("q1")], "no citation", has=False)
    for each in (coding, again(coding)):
        assert [(c.mode, c.count, c.read, c.interval) for c in each.counts()] == [
            ("wrong person", 2, 8, wilson(2, 8)),
            ("no citation", 1, 8, wilson(1, 8)),
        ]
        assert each.chosen == 0
        assert each.modes_of(each.line("q2")) == ["wrong person", "no citation"]


def test_an_answer_that_was_given_a_mode_was_read_but_not_drawn(run: Path) -> None:
    coding = Coding(run)
    coding.assign([coding.line("q1")], "wrong person")
    assert (ids(coding.read), coding.chosen) == (["q1"], 1)


def test_a_mode_renamed_to_one_that_is_there_becomes_one_with_it(run: Path) -> None:
    coding = Coding(run)
    coding.assign([coding.line("q1"), coding.line("q2")], "wrong name")
    coding.assign([coding.line("q2"), coding.line("q3")], "wrong person")
    coding.rename("wrong name", "wrong person")
    for each in (coding, again(coding)):
        assert each.modes == ["wrong person"]
        assert ids(each.having("wrong person")) == ["q1", "q2", "q3"]
    with pytest.raises(UserError, match="There are: wrong person"):
        coding.rename("wrong name", "x")


def test_a_mode_renamed_to_itself_stays(run: Path) -> None:
    coding = Coding(run)
    coding.assign([coding.line("q1")], "wrong name")
    coding.rename("wrong name", " wrong  name ")
    assert again(coding).modes == ["wrong name"]


@pytest.mark.parametrize("name", ["", "  ", "a=b", "x" * (LONGEST_MODE + 1)])
def test_a_name_that_no_mode_can_have_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="cannot be called"):
        mode_name(name)


def test_a_mode_becomes_a_question_file_that_can_be_asked(run: Path, tmp_path: Path) -> None:
    coding = Coding(run)
    coding.assign([coding.line(name) for name in ("q0", "q0#1", "q4")], "wrong person")
    out = tmp_path / "mode.jsonl"
    assert coding.export("wrong person", out) == 2
    questions = load_questions(out)
    assert [question.id for question in questions] == ["q0", "q4"]
    assert (questions[1].question, questions[1].answers, questions[1].supporting) == (
        "Who is q4?",
        ("Ada",),
        ("a.md",),
    )
    assert (questions[1].type, questions[1].tags) == ("bridge", ("hard", "wrong person"))
    with pytest.raises(UserError, match="is there already"):
        coding.export("wrong person", out)


def test_a_torn_note_is_forgotten_and_a_damaged_one_is_named(run: Path) -> None:
    coding = Coding(run)
    for name in ("q1", "q2"):
        coding.note(coding.line(name), "noted")
    path = run / NOTES
    path.write_bytes(path.read_bytes()[:-5])
    assert ids(again(coding).read) == ["q1"]
    again(coding).note(coding.line("q3"), "noted")
    assert ids(again(coding).read) == ["q1", "q3"]
    (run / MODES).write_text('{"id": "q1", "mode": "", "has": true}\n')
    with pytest.raises(UserError, match=r"modes\.jsonl:1 is damaged: mode: "):
        Coding(run)


def test_half_a_surrogate_pair_is_not_written(run: Path) -> None:
    coding = Coding(run)
    coding.note(coding.line("q1"), "bad byte: \udc80")
    assert again(coding).note_of(coding.line("q1")) == "bad byte: ?"


def test_random_answers_are_drawn_by_the_seed_from_those_that_did_not_fail() -> None:
    lines = [finished(f"q{n}", error="x" if n == 3 else None) for n in range(20)]
    assert ids(picked(lines, "random", 5, seed=1)) == ids(picked(lines, "random", 5, seed=1))
    assert ids(picked(lines, "random", 5, seed=1)) != ids(picked(lines, "random", 5, seed=2))
    assert "q3" not in ids(picked(lines, "random", 20))
    assert len(picked(lines, "random", 50)) == 19
    assert ids(picked(lines, "errors", 5)) == ["q3"]


def test_the_worst_are_least_right_by_words_or_by_the_judge() -> None:
    lines = [
        finished("good"),
        finished("long", scores={"f1": 0.1, "contains": 1.0}),
        finished("half", scores={"f1": 0.5, "contains": 0.0}),
        finished("open", scores={}),
        finished("unknown", scores={}),
    ]
    said = {"correct": [Verdict(id="open", rubric="correct", verdict="fail", reason="", judge="j", prompt="p")]}
    assert ids(picked(lines, "worst", 3, verdicts=said)) == ["open", "half", "good"]  # type: ignore[arg-type]


def test_disagreeing_are_words_against_the_judge_and_one_repeat_against_another() -> None:
    lines = [
        finished("agreed"),
        finished("judge", scores={"f1": 0.0, "contains": 0.0}),
        finished("twice", scores={"f1": 1.0}),
        finished("twice", scores={"f1": 0.25}, repeat=1),
    ]
    said = [
        Verdict(id=id_, rubric="correct", verdict="pass", reason="", judge="j", prompt="p")
        for id_ in ("agreed", "judge")
    ]
    found = picked(lines, "disagreeing", 9, verdicts={"correct": said})
    assert [(line.id, line.repeat) for line in found] == [("judge", 0), ("twice", 0), ("twice", 1)]


def test_thumbs_down_are_those_whose_trace_was_disliked() -> None:
    lines = [finished("a", trace_id="1f"), finished("b", trace_id="2e"), finished("c")]
    assert ids(picked(lines, "thumbs-down", 9, disliked={"2e"})) == ["b"]


# Notes as a reader of answers writes them, in the groups that a person makes of them.
NOTED = (
    (
        "names the wrong person",
        "gives the name of another person",
        "the wrong person is named",
        "confuses father and son",
        "mixes up two people with the same surname",
    ),
    (
        "cites no passage at all",
        "no citation for the date",
        "citation is missing",
        "the cited passage does not say it",
        "citation points to the wrong file",
    ),
    (
        "wrong year",
        "date is off by one",
        "gives the year of birth instead of death",
        "the date comes from another event",
    ),
    (
        "says the sources do not say although they do",
        "declined, but the passage was shown",
        "abstains without need",
    ),
    (
        "answers only the first half of the question",
        "second part of the question is not answered",
        "only one of the two sides is compared",
    ),
    (
        "the gold document was not found",
        "search missed the file that defines the function",
        "retrieval brought only the tests",
        "right passage never shown",
    ),
    (
        "claims the function raises ValueError, it returns None",
        "makes up an argument that the function does not have",
        "invents a setting",
    ),
)


def test_notes_are_grouped_much_as_a_person_groups_them_by_the_shipped_model() -> None:
    by_person = [number for number, group in enumerate(NOTED) for _ in group]
    notes = [(finished(f"{n}"), text) for n, text in enumerate(text for group in NOTED for text in group)]
    found = groups(notes, embedder_named(None).embed)
    placed = {line.id: number for number, group in enumerate(found) for line, _ in group.lines}
    by_model = [placed[line.id] for line, _ in notes]
    assert round(float(adjusted_rand_score(by_person, by_model)), 2) == 0.62
    assert groups(notes, embedder_named(None).embed) == found
    assert found[placed["0"]].name == "person mixes people"


@pytest.mark.parametrize("count", [0, 1])
def test_few_notes_need_no_grouping(count: int) -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        raise AssertionError("nothing to compare")

    found = groups([(finished("q"), "wrong person")] * count, embed)
    assert [group.name for group in found] == ["person wrong"] * count


def test_notes_without_a_known_word_are_groups_of_their_own() -> None:
    found = groups([(finished("a"), "?"), (finished("b"), "!")], lambda texts: np.zeros((len(texts), 4), np.float32))
    assert [(group.name, len(group.lines)) for group in found] == [("unnamed", 1), ("unnamed", 1)]
