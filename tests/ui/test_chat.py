"""A question on the page: events folded into what is shown."""

from __future__ import annotations

from agent.types import (
    Answer,
    Answered,
    AnswerToken,
    Citation,
    Clarify,
    Origin,
    Planned,
    Reflected,
    Searched,
    Stepped,
)
from ingest.types import Document
from retrieval.types import Passage
from ui import chat
from ui.chat import Turn

FOUND = Passage("1", "a<b>.md", "a.md > Herons", 3, 5, "text", "text", ("hop: HERON",), 1.0)
CITED = Citation("1", "a.md", 14, 15, "Kept <b>45</b> days.", True)


def test_the_draft_is_said_to_be_one_until_the_checked_answer_replaces_it() -> None:
    turn = Turn("q").after(AnswerToken("Forty")).after(AnswerToken(" days"))
    assert "Draft, not checked yet" in chat.answer(turn, 1.0)
    assert "Forty days" in chat.answer(turn, 1.0)
    turn = turn.after(Answered(Answer("q", "45 days [1]", False, (CITED,))))
    assert "Forty" not in chat.answer(turn, 1.0)
    assert 'href="#source-1"' in chat.answer(turn, 1.0)


def test_steps_show_plan_search_and_code_with_what_they_found() -> None:
    turn = Turn("q").after(Planned("look <i>"))
    turn = turn.after(Searched("herons", (FOUND,), 0.2)).after(Stepped(1, "search('x')", "", (), "boom", 0.1))
    shown = chat.steps(turn)
    assert "look &lt;i&gt;" in shown
    assert "a&lt;b&gt;.md&#58;3-5" in shown
    assert "boom" in shown
    assert shown.count("<details") == 2
    assert "working" in shown


def test_a_finished_run_has_every_step_closed() -> None:
    turn = Turn("q").after(Searched("herons", (FOUND,), 0.2)).after(Answered(Answer("q", "a", False)))
    assert " open" not in chat.steps(turn)
    assert "working" not in chat.steps(turn)


def test_a_source_shows_the_files_lines_around_the_cited_ones() -> None:
    document = Document("a.md", "\n".join(f"line {n}" for n in range(1, 41)), "prose", "markdown", "00")
    shown = chat.sources(Answer("q", "a", False, (CITED,)), lambda path: document)
    assert shown.count("class=cited") == 2
    assert "line 2<" in shown
    assert "line 1<" not in shown
    assert "Kept &lt;b&gt;45&lt;/b&gt; days." in shown


def test_a_source_shows_its_commit_and_that_its_file_changed() -> None:
    at = Origin("https://h/o/r", "1a2b<b>4d", "2026-01-01T00:00:00+00:00")
    cited = Citation("1", "a.md", 14, 15, "x", True, stale=True, source=at)
    shown = chat.sources(Answer("q", "a", False, (cited,), stale=("a.md",)), lambda path: None)
    assert "a.md&#58;14-15 &#64; 1a2b&lt;b&gt;" in shown
    assert "changed since it was indexed" in shown
    assert "Changed since" in chat.answer(Turn("q").after(Answered(Answer("q", "a", True, stale=("a.md",)))), 1.0)


def test_lines_are_numbered_as_in_the_file_where_loading_dropped_some() -> None:
    document = Document("a.html", "one\ntwo", "prose", "html", "00", source_lines=(7, 9))
    assert chat.numbered(document, 8, 9) == [(9, "two")]


def test_a_source_that_cannot_be_read_any_more_says_so() -> None:
    assert "cannot be read any more" in chat.sources(Answer("q", "a", False, (CITED,)), lambda path: None)


def test_a_plan_its_change_and_a_question_back_are_shown_escaped() -> None:
    turn = Turn("q").after(Clarify("Which <one>?", ("a<b>.py:f",))).after(Planned("look", ("<i> (a name)",), ("-<i>",)))
    shown = chat.steps(turn.after(Reflected("known: <i>", True, then="stop")))
    assert "<i> (a name)" not in shown
    assert "<b>.py" not in shown
    assert "Which &lt;one&gt;?" in shown
    assert "&lt;i&gt; (a name)" in shown
    assert "-&lt;i&gt;" in shown
    assert "&lt;i&gt;; stop" in shown
