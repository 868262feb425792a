"""Two sources that disagree are named; two that may both be right never are."""

from __future__ import annotations

import pytest
from fake_library import passage

from agent.contradictions import Contradiction, contradictions
from ingest.types import Kind

NAMES = ("Heron", "KEEP_DAYS", "Marrow", "Ada Quill", "timeout", "TernCache")


def found(
    one: str, other: str, paths: tuple[str, str] = ("a.md", "b.md"), headers: tuple[str, str] = ("", "")
) -> tuple[Contradiction, ...]:
    first, second = (
        passage(label, text, path, f"{path} > {header}")
        for label, text, path, header in zip("12", (one, other), paths, headers, strict=True)
    )
    return contradictions([first, second], NAMES, kind)


def kind(path: str) -> Kind:
    return "code" if path.endswith(".py") else "prose"


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        ("Heron keeps letters for 42 days.", "Heron keeps letters for 30 days.", ("42", "30")),
        ("Heron keeps letters for 42 days in all.", "Letters: none. Heron keeps letters for 30 days.", ("42", "30")),
        ("`KEEP_DAYS` is 42.", "The default of `KEEP_DAYS` is 30.", ("42", "30")),
        ("The mill of Marrow burned in 1804.", "The mill of Marrow burned in 1840.", ("1804", "1840")),
        ("Marrow has 5,000 inhabitants.", "Marrow has 6000 inhabitants.", ("5,000", "6000")),
        ("Ada Quill has three sisters.", "Ada Quill has 4 sisters, who live in Tilbrook.", ("three", "4")),
        ("Ada Quill has three sisters.", "Ada Quill has 4 sisters and a dog.", ("three", "4")),
        ("TernCache is enabled.", "TernCache is disabled.", ("TernCache is enabled", "TernCache is disabled")),
        ("Heron serves the office. It keeps letters for 42 days.", "Heron keeps letters for 30 days.", ("42", "30")),
        ("Heron encrypts letters.", "Heron does not encrypt letters.",
         ("Heron encrypts letters", "Heron does not encrypt letters")),
        ("Heron is written in Go.", "Heron is not written in Go.",
         ("Heron is written in Go", "Heron is not written in Go")),
    ],
)  # fmt: skip
def test_sources_that_say_the_same_but_for_a_value_contradict_each_other(
    one: str, other: str, values: tuple[str, str]
) -> None:
    seen = found(one, other)
    assert [c.values for c in seen] == [values]
    assert all({u.passage.label for u in c.units} == {"1", "2"} for c in seen)


def test_a_page_and_the_code_that_it_describes_can_contradict_each_other() -> None:
    [seen] = found("`KEEP_DAYS` is 30.", "KEEP_DAYS = 42  # how long letters stay", ("a.md", "keep.py"))
    assert (seen.about, seen.values) == ("KEEP_DAYS", ("30", "42"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Heron keeps letters for 42 days.", "Heron keeps letters for 42 days."),
        ("Marrow has 5,000 inhabitants.", "Marrow has 5000 inhabitants."),
        ("Heron keeps letters for 42 days.", "Heron keeps parcels for 30 days."),
        ("Heron keeps letters for 42 days.", "Crane keeps letters for 30 days."),
        ("Heron keeps letters for 42 days.", "On Sundays, Heron keeps letters for 30 days."),
        ("Heron keeps letters for 42 days.", "Heron keeps letters for 30 days if they are small."),
        ("Heron keeps letters for 42 days.", "Heron keeps letters for 30 days (on Linux)."),
        ("Heron keeps letters for 42 days.", "Heron keeps letters for 30 days, on Linux."),
        ("Heron keeps letters for 42 days.", "Heron keeps letters for 30 days on Linux."),
        ("Heron keeps letters for 42 days.", "Heron may keep letters for 30 days."),
        ("Heron keeps letters for 42 days.", "Heron should keep letters for 30 days."),
        ("Heron keeps letters for at most 42 days.", "Heron keeps letters for at least 30 days."),
        ("Heron keeps letters for 42 days.", "Heron keeps letters for over 30 days."),
        ("Heron had 300 members in 1911.", "Heron had 400 members in 1950."),
        ("In 1911 Heron had 300 members.", "In 1950 Heron had 400 members."),
        ("Heron 2.1 needs Go.", "Heron 3.0 needs Go."),
        ("Heron was closed in 1911.", "Heron was opened in 1889."),
        ("Crane serves the office. It keeps letters for 42 days.", "Heron keeps letters for 30 days."),
        ("Heron serves Crane. There it rains. It keeps letters for 42 days.", "Heron keeps letters for 30 days."),
        ("Heron and Crane serve. It keeps letters for 42 days.", "Heron keeps letters for 30 days."),
        ("Marrow has two bridges.", "Marrow has three mills."),
        ("Ada Quill wrote 3 novels.", "Ada Quill wrote 12 poems."),
        ("The timeout is 30 seconds.", "The timeout is 5 seconds."),
        ("The town has 300 inhabitants.", "The town has 400 inhabitants."),
        ("TernCache is enabled in tests.", "TernCache is not enabled."),
        ("TernCache is enabled unless it is small.", "TernCache is disabled."),
        ("TernCache was enabled.", "TernCache is disabled."),
        ("Heron keeps letters for 42 days, but 30 on Sundays.", "Heron keeps letters for 30 days."),
        ("Heron keeps letters for 42 days.", "Heron used to keep letters for 30 days."),
    ],
)
def test_sources_that_may_both_be_right_raise_no_alarm(one: str, other: str) -> None:
    assert found(one, other) == ()


@pytest.mark.parametrize(
    "paths",
    [
        ("a.md", "a.md"),
        ("linux/setup.md", "windows/setup.md"),
        ("a.md", "tests/b.md"),
        ("a.md", "CHANGELOG.md"),
        ("docs/a.md", "docs/v2/b.md"),
        ("a.py", "b.py"),
    ],
)
def test_documents_that_are_meant_for_different_cases_raise_no_alarm(paths: tuple[str, str]) -> None:
    assert found("KEEP_DAYS = 42", "KEEP_DAYS = 30", paths) == ()


@pytest.mark.parametrize("headers", [("Linux", "Setup"), ("Version 2", "Version 3")])
def test_headings_for_different_cases_raise_no_alarm(headers: tuple[str, str]) -> None:
    assert found("`KEEP_DAYS` is 42.", "`KEEP_DAYS` is 30.", headers=headers) == ()


def test_without_a_name_that_was_asked_for_there_is_none() -> None:
    pair = [passage("1", "Heron keeps 42 letters."), passage("2", "Heron keeps 30 letters.", "b.md")]
    assert contradictions(pair, ()) == ()
    assert len(contradictions(pair, ("Heron",))) == 1
