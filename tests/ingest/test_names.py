"""How names are written, and which of them a text mentions."""

from __future__ import annotations

import doctest

import pytest

from ingest import names, walk


@pytest.mark.parametrize("module", [names, walk])
def test_the_examples_in_docstrings_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "expected"), [
    ("Call load_settings(path) first.", ["load_settings"]),
    ("the file(s) and SettingsLoader", ["SettingsLoader"]),
    ("`django-admin` and ``--dry-run``", ["--dry-run"]),
    ("see https://example.org/a_b.html now", []),
    ("read ``ingest/walk.py``", ["walk.py", "ingest/walk"]),
    ("in settings.py", ["settings.py"]),
    ("`CLA`_ is a link", []),
    (":ref:`text <some-label>`", ["some-label"]),
    ("a.b.c_d", ["a.b.c_d", "b.c_d", "c_d"]),
])  # fmt: skip
def test_identifiers_are_what_can_be_nothing_else(text: str, expected: list[str]) -> None:
    assert names.identifiers(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    (
        "He met Charles Babbage's wife in the Tower of London.",
        ["charles babbage", "charles", "babbage", "tower of london", "tower", "london"],
    ),
    ("* Explain this.\n\n* Don't. It's Python's way", ["python"]),
    ("Élodie Yung acted", ["elodie yung", "elodie", "yung"]),
])  # fmt: skip
def test_phrases_are_capitalised_no_mere_beginnings_and_come_with_their_words(text: str, expected: list[str]) -> None:
    assert names.phrases(text) == expected


def test_the_longest_defined_name_is_mentioned() -> None:
    text = "The Journal of Mathematical Physics is old"
    assert names.mentioned(names.runs(text), {"journal", "journal of mathematical physics"}) == [
        "journal of mathematical physics"
    ]


def test_a_single_word_is_a_name_only_where_it_is_written_as_one() -> None:
    defined = {"salt", "salt mine", "timestamp", "sel gemme"}
    assert names.mentioned(names.runs("A salt mine, much salt, Salt itself."), defined) == ["salt mine", "salt"]
    assert names.mentioned(names.runs("much salt"), defined) == []
    assert names.mentioned(names.runs("CURRENT_TIMESTAMP"), defined) == []


def test_runs_that_no_name_begins_like_are_left_out_and_single_words_are_not() -> None:
    text = "The journal of mathematical physics in Geneva, a salt mine"
    begun = names.runs(text, lambda pairs: {"journal of"} & set(pairs))
    journal = next(run for run in begun if run and run[-1] == "journal of")
    assert journal in names.runs(text)
    assert [run for run in begun if run and run != journal] == [["geneva"]]


@pytest.mark.parametrize(
    "text", ["a." * 50_000, "A" + " " * 50_000, "`" * 50_000, "Aa" * 50_000, "(" * 50_000, "x_" * 50_000]
)
def test_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    names.identifiers(text)
    names.phrases(text)
    names.prose_name(text)
