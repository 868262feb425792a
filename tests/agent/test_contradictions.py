"""Contradictions: told where two documents say the same with another number, and nowhere else."""

from __future__ import annotations

import pytest
from fake_library import passage

from agent.contradictions import contradictions


def told(*texts: str, names: tuple[str, ...] = ("Heron",)) -> list[str]:
    passages = [passage(str(i), text, f"{i}.md") for i, text in enumerate(texts, 1)]
    return [
        f"{found.about}: {' / '.join(unit.text for unit in found.units)}" for found in contradictions(passages, names)
    ]


def test_statements_that_agree_in_all_but_the_number_contradict_each_other() -> None:
    assert told("Heron keeps letters for 42 days.", "Letters are old. Heron keeps letters for 30 days.") == [
        "Heron: Heron keeps letters for 42 days. / Heron keeps letters for 30 days."
    ]


def test_a_constant_that_code_and_its_documentation_give_another_number() -> None:
    found = told("HERON_KEEP = 42", "`HERON_KEEP` defaults to 30.", names=())
    assert found == ["HERON_KEEP: HERON_KEEP = 42 / `HERON_KEEP` defaults to 30."]


@pytest.mark.parametrize(
    "texts",
    [
        ("Heron keeps letters for 42 days.", "Heron keeps letters for 42 days."),
        ("Heron keeps letters for 42 days.", "Heron deletes drafts after 30 days."),
        ("Heron keeps letters for 42 days.", "Egret keeps letters for 30 days."),
        ("Heron keeps letters for 42 days, 7 at least.", "Heron keeps letters for 30 days."),
        ("HERON_KEEP = 42 * 60", "HERON_KEEP = 30"),
        ("HERON_KEEP = 42\nHERON_KEEP = 30", "HERON_KEEP = 30"),
        ("KEEP = 42", "KEEP = 30"),
        ("HERON_KEEP = 42", "HERON_KEEP = 30"),
    ],
)
def test_what_may_well_be_true_together_is_no_contradiction(texts: tuple[str, str]) -> None:
    assert told(*texts) == []


def test_one_document_does_not_contradict_itself() -> None:
    text = "Heron keeps letters for {} days."
    passages = [passage("1", text.format(42), "a.md"), passage("2", text.format(30), "a.md", line=9)]
    assert contradictions(passages, ("Heron",)) == ()
