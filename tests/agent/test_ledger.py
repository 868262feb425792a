"""The ledger: one label a passage, nothing shown twice, and the best of each round."""

from __future__ import annotations

from dataclasses import replace

from fake_library import passage

from agent.ledger import Ledger


def test_labels_count_on_whatever_labels_came_in() -> None:
    ledger = Ledger()
    added = ledger.add([passage("9", "One.", "a.md"), passage("9", "Two.", "b.md")])
    assert [a.label for a in added] == ["1", "2"]
    assert [p.label for p in ledger] == ["1", "2"]


def test_a_passage_inside_another_adds_only_what_its_excerpt_has_new() -> None:
    ledger = Ledger()
    ledger.add([passage("", "One here. Two there.\nThree.", excerpt="One here. …")])
    [added] = ledger.add([passage("", "One here. Two there.", excerpt="One here. Two there.")])
    assert (added.label, added.fresh) == ("1", "Two there.")
    assert ledger.get("1").excerpt == "One here. …\nTwo there."  # type: ignore[union-attr]


def test_the_answer_is_written_from_the_first_search_and_the_best_of_later_rounds() -> None:
    ledger = Ledger()
    for names in ("abcde", "fg", "a", "hi"):
        ledger.add([passage("", name, f"{name}.md") for name in names])
    assert [p.text for p in ledger.best(3)] == ["a", "b", "c", "f", "h"]


def test_an_empty_ledger_has_nothing_best() -> None:
    assert Ledger().best(3) == []


def test_a_passage_with_a_rare_wanted_name_is_answered_from_before_better_ranked_ones() -> None:
    ledger = Ledger()
    texts = ["Lite one", "Lite two", "Lite three", "max_params = 9"]
    ledger.add([passage("", text, f"{n}.md") for n, text in enumerate(texts)])
    assert [p.text for p in ledger.best(2, ["Lite", "max_params"])] == ["Lite one", "max_params = 9"]


def test_a_second_draft_is_written_from_what_the_first_was_not_the_newest_first() -> None:
    ledger = Ledger()
    ledger.add([passage("", name, f"{name}.md") for name in "abcd"])
    ledger.add([passage("", name, f"{name}.md") for name in "xy"])
    assert [p.text for p in ledger.others(3, {"1", "2"})] == ["c", "x", "y"]


def test_rounds_that_were_asked_for_each_give_their_best_new_passage() -> None:
    ledger = Ledger()
    for path in "abcde":
        ledger.add([passage("", path, f"{path}.md"), passage("", path, f"{path}{path}.md")])
    assert [p.path for p in ledger.best(1, asked=2)] == ["a.md", "b.md", "c.md", "d.md", "e.md"]
    assert [p.path for p in ledger.best(1)] == ["a.md", "d.md", "e.md"]


OLD = passage("1", "a\nb\nc")
OTHER = passage("2", "x", path="b.md")


def test_what_was_entered_before_gets_its_label_again_in_whatever_order_it_comes() -> None:
    ledger = Ledger({"1": OLD, "2": OTHER})
    assert ledger.next_label == 1
    assert [added.label for added in ledger.add([replace(OTHER, label="9")])] == ["2"]
    assert [added.label for added in ledger.add([passage("", "new", path="c.md")])] == ["3"]
    assert [added.label for added in ledger.add([replace(OLD, label="")])] == ["1"]
    assert ledger.next_label == 4


def test_what_nothing_brings_again_is_restored_under_its_label() -> None:
    ledger = Ledger({"1": OLD, "2": OTHER})
    ledger.add([OLD])
    ledger.restore()
    ledger.restore()
    assert [(p.label, p.path) for p in ledger] == [("1", "a.md"), ("2", "b.md")]
    assert [p.label for p in ledger.best(5)] == ["1", "2"]


def test_the_label_of_what_does_not_stand_is_taken_and_stands_for_nothing() -> None:
    ledger = Ledger({"1": OLD, "2": OTHER}, stands=lambda p: p.path != "a.md")
    assert ledger.add([OLD]) == []
    ledger.restore()
    assert (ledger.get("1"), list(ledger.withdrawn), ledger.next_label) == (None, ["1"], 3)
    assert [added.label for added in ledger.add([passage("", "new", path="c.md")])] == ["3"]


def test_a_part_that_still_stands_of_what_was_withdrawn_has_its_label() -> None:
    ledger = Ledger({"1": OLD}, stands=lambda p: "c" not in p.text)
    ledger.add([OLD])
    assert [added.label for added in ledger.add([passage("", "a\nb")])] == ["1"]
    assert (ledger.get("1").text, ledger.withdrawn) == ("a\nb", {})  # type: ignore[union-attr]
    other = Ledger({"1": OLD}, stands=lambda p: "c" not in p.text)
    other.add([OLD])
    assert [added.label for added in other.add([passage("", "d\ne")])] == ["2"], "other lines of that place are others"


def test_each_new_label_is_noted_once() -> None:
    noted: list[str] = []
    ledger = Ledger({"1": OLD}, noted=lambda p: noted.append(p.label))
    ledger.add([OLD, passage("", "new", path="c.md"), passage("", "new", path="c.md")])
    assert noted == ["2"]
