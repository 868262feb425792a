"""What the terminal shows."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contradictions import Contradiction
from agent.plan import make_plan
from agent.reflect import Link, Reflection, Seen
from agent.types import (
    Answer,
    AnswerToken,
    Citation,
    Disagreement,
    Origin,
    Planned,
    Reflected,
    Searched,
    Section,
    Stepped,
    Usage,
)
from agent.units import Unit
from retrieval.types import Hit, Passage
from tests.retrieval.made import prose
from ui import render


@given(st.text())
def test_nothing_that_steers_a_terminal_is_shown(text: str) -> None:
    shown = render.block(text)
    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    assert "\u202e" not in shown


def test_joiners_stay_for_the_scripts_that_are_spelt_with_them() -> None:
    assert render.visible("می\u200cخواهم") == "می\u200cخواهم"


def test_an_excerpt_is_the_lines_with_most_of_the_querys_words() -> None:
    text = "one\ntwo\nthree\nthe heron waits\nfor fish\nsix"
    assert render.excerpt(text, "Which heron eats fish?", lines=2) == "the heron waits\nfor fish"


def test_a_line_too_long_for_the_terminal_shows_that_it_was_cut() -> None:
    assert render.excerpt("a heron waits for fish", "heron", width=9) == "a heron…"


def test_a_place_of_one_line_is_one_number() -> None:
    assert render.place("a\x1b.md", 3, 3) == "a\\x1b.md:3"
    assert render.place("a.md", 3, 5) == "a.md:3-5"
    assert render.place("a.md", 3, 5, 0) == "a.md:3-5"


def test_a_place_with_a_page_is_the_page() -> None:
    assert render.place("report.pdf", 120, 124, 3) == "report.pdf p. 3"
    assert render.place("Deck.PPTX", 9, 9, 4) == "Deck.PPTX slide 4"
    assert "report.pdf p. 3" in click.unstyle(render.citation(Citation("1", "report.pdf", 9, 9, "q", True, page=3)))


def test_a_hit_says_where_else_the_same_stands() -> None:
    first, *others = (prose(f"{n}\x1b.md", "Heron", "It wades.", start=2) for n in range(6))
    shown = click.unstyle(render.hit(1, Hit(first, 1.0, ("bm25",), tuple(others)), "heron"))
    assert "the same in 1\\x1b.md:2-2, 2\\x1b.md:2-2, 3\\x1b.md:2-2 and 2 more\n" in shown
    assert "the same" not in render.hit(1, Hit(first, 1.0, ("bm25",)), "heron")


def test_an_answer_shows_each_citation_and_whether_it_was_verified() -> None:
    cited = (Citation("1", "a.md", 3, 3, "Forty\nfive.", True), Citation("2", "b.md", 1, 2, "Fifty.", False))
    given = Answer("q", "45 [1]\x1b[2J", False, cited, stopped="seconds")
    shown = click.unstyle(render.answer(given))
    assert "45 [1]\\x1b[2J" in shown
    assert "[1] a.md:3  ✓ verified\n    “Forty five.”" in shown
    assert "[2] b.md:1-2  ✗ not verified\n    “Fifty.”" in shown
    assert "Stopped early (seconds)" in shown


def test_a_citation_shows_its_commit_and_that_its_file_changed() -> None:
    at = Origin(None, "1a2b3c4d" * 5, "2026-01-01T00:00:00+00:00")
    clean = Citation("1", "src/app.py", 10, 14, "x", True, source=at)
    dirty = Citation("1", "src/app.py", 10, 14, "x", True, stale=True, source=replace(at, dirty=True))
    assert click.unstyle(render.citation(clean)).startswith("[1] src/app.py:10-14 @ 1a2b3c4  ✓ verified\n")
    changed = "[1] src/app.py:10-14 @ 1a2b3c4*  ✓ verified  changed since it was indexed\n"
    assert click.unstyle(render.citation(dirty)).startswith(changed)


def test_a_citation_says_that_its_quote_moved_and_that_a_model_judged() -> None:
    moved = Citation("1", "a.md", 3, 3, "x", True, stale=True, moved=True, judged=True)
    shown = click.unstyle(render.citation(moved))
    assert "✓ verified  moved and changed since it was indexed, judged by a model\n" in shown
    assert render.remarks(replace(moved, stale=False, moved=False, judged=False)) == ""


def test_an_answer_shows_what_its_sources_disagree_on_and_what_to_ask_next() -> None:
    sides = (Citation("1", "a.md", 3, 3, "42", True), Citation("2", "b\x1b.md", 7, 7, "30", True))
    given = Answer(
        "q", "42 [1]", False, sides[:1],
        sections=(Section("Heron", "42 [1]", ("1",), "Explain Heron\x1b: q"),),
        disagreements=(Disagreement("KEEP\x1b", ("42", "30"), sides),),
    )  # fmt: skip
    shown = click.unstyle(render.answer(given))
    assert "The sources disagree on KEEP\\x1b: 42 [1] a.md:3, 30 [2] b\\x1b.md:7." in shown
    assert "To go on:\n    Explain Heron\\x1b: q" in shown


def test_an_answer_names_the_files_that_changed_also_where_it_abstains() -> None:
    shown = click.unstyle(render.answer(Answer("q", "The sources do not say.", True, stale=tuple("ab\x1bcd"))))
    assert "Changed since it was indexed: a, b, \\x1b and 2 more. Run `hoplite index`" in shown


def test_the_cost_names_the_trace_only_where_there_is_one() -> None:
    traced = Answer("q", "a", False, usage=Usage(1, 20, 0, 3), trace_id="ab" * 16)
    assert render.cost(traced, 2) == "2.0 s · 1 model call, 20 tokens in, 3 out · hoplite trace show abababababab"
    assert render.cost(Answer("q", "a", False, trace_id="0" * 32), 2) == "2.0 s · no model call"


@pytest.mark.parametrize(("dollars", "shown"), [(0.01234, ", $0.0123"), (0.0, ""), (None, ", $ unknown")])
def test_the_cost_names_dollars_where_there_are_any(dollars: float | None, shown: str) -> None:
    assert render.cost(Answer("q", "a", False, usage=Usage(1, 20, 0, 3, dollars)), 2).endswith(f"3 out{shown}")


def test_steps_show_what_was_found_where_and_how() -> None:
    found = Passage("1", "a.md", "a.md > Herons", 3, 5, "text", "text", ("hop: HERON",), 1.0)
    shown = click.unstyle(render.event(Searched("herons", (found,), 0.25)) or "")
    assert shown == "search   herons 0.2 s\n    [1] a.md:3-5  Herons  hop: HERON"
    assert click.unstyle(render.event(Planned("look it up")) or "") == "plan     look it up"


def test_a_step_that_failed_shows_its_code_and_the_error() -> None:
    shown = click.unstyle(render.event(Stepped(2, "read('x')", "", (), "no such file", 0.1)) or "")
    assert shown == "step 2   0.1 s\n    read('x')\n    ! no such file"


def test_a_piece_of_the_draft_is_no_line_of_its_own() -> None:
    assert render.event(AnswerToken("4")) is None


def said(label: str, text: str) -> Unit:
    return Unit(Passage(label, "a.md", "", 1, 1, text, text, (), 1.0), text, 0, 0)


BOTH = (said("1", "KEEP_DAYS = 42"), said("3", "It is 30."))


def reflected() -> Reflected:
    plan = make_plan("When did Ada Quill's father die?")
    seen = Reflection(
        ("Ada Quill",), (), ("die",), (), 0.5,
        parts=(Seen(plan.parts[0], ("2",), "He was\x1b Tom."), Seen(plan.parts[1], (), "")),
        links=(Link("2", ("Ada Quill", "Tom")),),
        contradictions=(Contradiction("KEEP_DAYS", ("42", "30"), BOTH),),
    )  # fmt: skip
    return Reflected("known: Ada Quill", False, seen, "back up")


def test_a_reflection_shows_what_covers_each_part_where_names_meet_and_what_contradicts_what() -> None:
    assert click.unstyle(render.event(reflected()) or "").splitlines() == [
        "reflect  known: Ada Quill; back up",
        "    1. Ada Quill's father: covered by [2]",
        "       fact [2] He was\\x1b Tom.",
        "    2. When did [1] die?: open",
        "    threads meet in [2]: Ada Quill, Tom",
        "    contradiction, KEEP_DAYS: [1] KEEP_DAYS = 42 / [3] It is 30.",
    ]


def test_a_plan_shows_its_parts_and_what_was_changed() -> None:
    shown = click.unstyle(render.event(Planned("look", ("a (a name)",), ("-b\x1b", "+a"))) or "")
    assert shown == "plan     look\n    1. a (a name)\n    -b\\x1b\n    +a"
