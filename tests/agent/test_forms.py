"""A question says in which form it wants its answer; the default is short."""

from __future__ import annotations

import pytest
from fake_library import passage

from agent.forms import MOST_SECTIONS, form_messages, parts, read_form
from agent.guard import Marker
from agent.ledger import Ledger
from agent.plan import make_plan


@pytest.mark.parametrize(
    ("question", "form", "subject"),
    [
        ("Who keeps the letters?", "short", "Who keeps the letters?"),
        ("In one sentence, what is Heron?", "short", "In one sentence, what is Heron?"),
        ("List the stores as a table", "table", "List the stores"),
        ("Compare Heron and Crane in a table.", "table", "Compare Heron and Crane"),
        ("Make a table of the stores", "table", "the stores"),
        ("Write a report on Heron", "report", "Heron"),
        ("Please write a short report about the harbour office", "report", "the harbour office"),
        ("Explain how Heron keeps letters", "paragraph", "how Heron keeps letters"),
        ("How does Heron keep letters? Answer in detail.", "paragraph", "How does Heron keep letters?"),
        ("What is in a table of contents?", "short", "What is in a table of contents?"),
        ("Which table does the store write?", "short", "Which table does the store write?"),
        ("Which report on whales did Heron print?", "short", "Which report on whales did Heron print?"),
        ("Explain", "short", "Explain"),
    ],
)
def test_the_form_is_read_off_the_question(question: str, form: str, subject: str) -> None:
    asked = read_form(question)
    assert (asked.form, asked.subject) == (form, subject)


def test_a_chosen_form_wins() -> None:
    assert read_form("Write a report on Heron", "table").form == "table"
    assert read_form("Who keeps the letters?", "report").form == "report"
    assert read_form("Write a report on Heron", "short").subject == "Write a report on Heron"


def ledger() -> Ledger:
    held = Ledger()
    held.add(
        passage("", f"{name} keeps letters.", f"{name.lower()}.md", f"{name.lower()}.md > {name}")
        for name in ("Heron", "Crane", "Tern", "Gull", "Rook", "Wren")
    )
    return held


def test_a_report_has_a_section_for_each_name_with_the_passages_that_hold_it() -> None:
    subject = "Heron and Crane: how do they differ?"
    found = parts("report", subject, make_plan(subject), ledger(), 2)
    assert [part.title for part in found] == ["Heron", "Crane"]
    assert [[p.path for p in part.passages][:1] for part in found] == [["heron.md"], ["crane.md"]]
    assert read_form(found[0].follow_up).form == "paragraph"


def test_a_report_on_one_thing_is_divided_by_what_was_found() -> None:
    subject = "letters"
    found = parts("report", subject, make_plan(subject), ledger(), 3)
    assert [part.title for part in found] == ["Letters", "Heron", "Crane", "Tern", "Gull"]
    assert len(found) == MOST_SECTIONS


def test_without_passages_there_is_no_section() -> None:
    assert parts("report", "Heron", make_plan("Heron"), Ledger(), 3) == []


@pytest.mark.parametrize("profile", ["compact", "full"])
@pytest.mark.parametrize("form", ["paragraph", "report", "table"])
def test_sources_are_fenced_and_titles_made_visible(form: str, profile: str) -> None:
    part = parts("paragraph", "letters", make_plan("letters"), ledger(), 3)[0]
    marker = Marker("feedbeef")
    _, user = form_messages(form, type(part)("A\u200bB", part.passages), "Who?", marker, profile)  # type: ignore[arg-type]
    assert user["content"].count(marker.closing) == 1
    assert "Section: A<U+200B>B" in user["content"]
