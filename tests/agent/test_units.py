"""What can be quoted: sentences and lines of code, each with its place."""

from __future__ import annotations

from fake_library import passage
from hypothesis import given
from hypothesis import strategies as st

from agent.units import LONGEST_QUOTE, squeeze, units
from ingest.sentences import sentences


def test_initials_and_titles_end_no_sentence() -> None:
    assert sentences("Dr. J. K. Quill came. She left.") == ["Dr. J. K. Quill came.", "She left."]


def test_a_heading_and_list_items_are_quoted_alone() -> None:
    found = units(passage("1", "# Heron\nHeron is old.\n- One thing\n- another"), "prose")
    assert [(u.text, u.start) for u in found] == [
        ("# Heron", 0),
        ("Heron is old.", 1),
        ("- One thing", 2),
        ("- another", 3),
    ]


def test_a_sentence_knows_the_lines_it_stands_on() -> None:
    found = units(passage("1", "One is\nhere. Two\nis there."), "prose")
    assert [(u.text, u.start, u.end) for u in found] == [("One is here.", 0, 1), ("Two is there.", 1, 2)]


def test_code_is_quoted_by_up_to_three_lines() -> None:
    found = units(passage("1", "a = 1\n\nb = 2\nc = 3\nd = 4", "a.py"), "code")
    assert ("a = 1 b = 2 c = 3", 0, 3) in [(u.text, u.start, u.end) for u in found]
    assert max(u.text.count("=") for u in found) == 3


@given(st.text(max_size=600))
def test_every_unit_of_prose_stands_in_its_passage_and_is_short(text: str) -> None:
    for unit in units(passage("1", text), "prose"):
        assert unit.text in squeeze(text)
        assert len(unit.text) <= LONGEST_QUOTE
        lines = text.splitlines()[unit.start : unit.end + 1]
        assert unit.text in squeeze(" ".join(lines))
