"""What follows from a passage and what only sounds like it, over pairs written for this."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_library import passage, quotable

from agent.citations import support
from agent.entailment import entailing, follows
from agent.units import Unit

with (Path(__file__).parent / "claims.tsv").open(encoding="utf-8", newline="") as rows:
    PAIRS = [
        (kind, label == "yes", claim, text.replace("\\n", "\n"))
        for kind, label, claim, text in csv.reader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)
    ]


def sources(kind: str, text: str) -> list[Unit]:
    return quotable(passage("1", text, "a.py" if kind == "code" else "a.md"))


def measured(says: Callable[[str, list[Unit]], object]) -> tuple[float, float]:
    """Precision and recall over the pairs."""
    right = accepted = 0
    for kind, supported, claim, text in PAIRS:
        if says(claim, sources(kind, text)):
            accepted += 1
            right += supported
    return right / accepted, right / sum(supported for _, supported, _, _ in PAIRS)


def test_what_is_accepted_is_nearly_always_said() -> None:
    precision, recall = measured(entailing)
    assert precision >= 0.95
    assert recall >= 0.8


def test_shared_words_alone_accept_what_is_not_said() -> None:
    precision, _ = measured(lambda claim, units: support("", claim, units)[0].quotes)
    assert precision < 0.7


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in PAIRS}))
def test_there_are_pairs_of_every_kind(kind: str) -> None:
    assert sum(pair[0] == kind for pair in PAIRS) >= 2


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The cache is not enabled.", "The cache is enabled."),
        ("The cache is enabled.", "The cache is not enabled."),
        ("The cache is enabled.", "The cache is disabled."),
        ("The cache is enabled.", "The cache isn't enabled."),
        ("The cache is enabled.", "The cache may be enabled."),
        ("Every cache is enabled.", "A cache is enabled."),
        ("The cache holds 40 entries.", "The cache holds 400 entries."),
        ("Ada Quill taught Brunel Fox.", "Brunel Fox taught Ada Quill."),
    ],
)
def test_what_differs_in_one_decisive_word_does_not_follow(claim: str, quote: str) -> None:
    assert follows(quote, quote)
    assert not follows(claim, quote)


def test_what_is_quoted_follows_from_itself() -> None:
    said = [unit for kind, _, _, text in PAIRS for unit in sources(kind, text) if unit.start == unit.end]
    assert [unit.text for unit in said if not follows(unit.text, unit.text)] == []


def test_a_name_may_stand_in_the_header_but_a_number_may_not() -> None:
    assert follows("Heron keeps letters.", "Letters are kept, and keeps are cheap.", "heron.md > Heron")
    assert not follows("Heron keeps 42 letters.", "Letters are kept.", "heron.md > Heron 42")


def test_a_sentence_on_two_things_cites_a_unit_for_each() -> None:
    units = quotable(passage("1", "Heron keeps letters."), passage("2", "Crane burns letters.", "b.md"))
    found = entailing("Heron keeps letters, while Crane burns letters.", units)
    assert [unit.passage.label for unit in found] == ["1", "2"]


@pytest.mark.parametrize("claim", ["", "42", "...", "the", "[1]", "not", "Not 42 and not 43"])
def test_a_sentence_that_says_nothing_follows_from_nothing(claim: str) -> None:
    assert entailing(claim, quotable(passage("1", "There are 42 and 43 letters, not 44."))) == ()
