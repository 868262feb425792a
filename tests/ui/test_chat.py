"""A question on the page: events folded into what is shown."""

from __future__ import annotations

from dataclasses import replace

from agent.types import (
    Answer,
    Answered,
    AnswerToken,
    Citation,
    Clarify,
    Origin,
    Planned,
    Reflected,
    Rewritten,
    Searched,
    Section,
    Step,
    Stepped,
    Usage,
)
from ingest.types import Document
from retrieval.types import Passage
from ui import chat, sources
from ui.chat import Turn

FOUND = Passage("1", "a<b>.md", "a.md > Herons", 3, 5, "text", "text", ("hop: HERON",), 1.0)
CITED = Citation("1", "a.md", 14, 15, "Kept <b>45</b> days.", True)
ANSWER = Answer("q", "45 days [1]. So it is.", False, (CITED,), passages=(FOUND,))


def test_the_draft_is_said_to_be_one_until_the_checked_answer_replaces_it() -> None:
    turn = Turn("q").after(AnswerToken("Forty")).after(AnswerToken(" days"))
    assert "Draft, not checked yet" in chat.answer(turn, 0)
    assert "Forty days" in chat.answer(turn, 0)
    turn = turn.after(Answered(ANSWER))
    assert "Forty" not in chat.answer(turn, 0)
    assert 'href="#source-0-1"' in chat.answer(turn, 0)


def test_steps_show_plan_search_and_code_with_what_they_found() -> None:
    turn = Turn("q").after(Planned("look <i>"))
    turn = turn.after(Searched("herons", (FOUND,), 0.2)).after(Stepped(1, "search('x')", "", (), "boom", 0.1))
    shown = chat.steps(turn, 0, working="working …")
    assert "look &lt;i&gt;" in shown
    assert "a&lt;b&gt;.md&#58;3-5" in shown
    assert "hop&#58; HERON" in shown
    assert "boom" in shown
    assert shown.count("<details") == 2
    assert shown.count(" open>") == 1
    assert "working" in shown


def test_a_finished_run_has_every_step_closed() -> None:
    turn = Turn("q").after(Searched("herons", (FOUND,), 0.2)).after(Answered(ANSWER))
    assert " open" not in chat.conversation((turn,))


def test_each_turn_of_a_conversation_has_citations_of_its_own_and_only_the_last_can_be_changed() -> None:
    page = chat.conversation((Turn("first <i>", answer=ANSWER), Turn("second", answer=ANSWER)))
    assert "first &lt;i&gt;" in page
    assert page.index("first") < page.index("#source-0-1") < page.index("second") < page.index("#source-1-1")
    assert page.count("#do/again") == page.count("#do/edit") == 1
    assert page.count("#do/rate/0/up") == page.count("#do/rate/1/up") == 1


def test_sentences_are_marked_by_the_worst_of_what_they_cite() -> None:
    judged, wrong = replace(CITED, label="2", judged=True), replace(CITED, label="3", verified=False)
    given = replace(ANSWER, answer="A [1]. B [2]. C [1][3]. D.", citations=(CITED, judged, wrong))
    page = chat.answer(Turn("q", answer=given), 0)
    marks = [part.split('"')[0] for part in page.split('<span class="said ')[1:]]
    assert marks == ["verified", "judged", "unverified", "uncited"]
    assert "✗ marks" in page
    assert "≈ marks" in page
    assert "marks" not in chat.answer(Turn("q", answer=ANSWER), 0)


def test_what_an_answer_took_is_said_below_it() -> None:
    used = Usage(calls=2, input_tokens=1200, output_tokens=30, dollars=None)
    given = replace(
        ANSWER, usage=used, trace_id="ab" * 16, sandbox="strong", steps=(Step("code", "x"),), cached="2026-01-02T03:04"
    )
    said = chat.about(Turn("q", answer=given, seconds=3.21))
    for part in (
        "3.2 s",
        "2 model calls",
        "1,200 tokens in, 30 out",
        "cost unknown",
        "sandbox strong",
        "2026-01-02 03",
    ):
        assert part in said
    assert f'href="#open/traces/{"ab" * 16}"' in said
    assert "no model call" in chat.about(Turn("q", answer=ANSWER))
    assert "open/traces" not in chat.about(Turn("q", answer=ANSWER))


def test_what_was_written_before_a_stop_is_not_thrown_away() -> None:
    stopped = replace(ANSWER, stopped="stop")
    page = chat.answer(Turn("q", draft="Forty <i>", answer=stopped), 0)
    assert "Stopped early (stop)" in page
    assert "Forty &lt;i&gt;" in page
    assert "Written before" not in chat.answer(Turn("q", draft="Forty", answer=ANSWER), 0)


def test_a_rating_is_shown_and_sections_are_asked_each_by_itself() -> None:
    given = replace(ANSWER, sections=(Section("Herons", "x", (), "Explain Herons: birds"),))
    page = chat.conversation((Turn("q", answer=given, rating=0),))
    assert 'class="does chosen" href="#do/rate/0/down"' in page
    assert "Explain Herons&#58; birds" in page
    assert chat.suggestions(Turn("q", answer=given), ())[0] == "Explain Herons: birds"


def test_a_follow_up_says_as_what_it_was_asked_and_a_conversation_goes_on_from_it() -> None:
    turn = Turn("Who calls it?").after(Rewritten("Who calls it?", "Who calls sweep?", "rules")).after(Planned("look"))
    assert "asked as: Who calls sweep?" in chat.question(turn)
    assert turn.told is None
    told = turn.after(Answered(ANSWER)).told
    assert told is not None
    assert (told.asked, told.question, told.plan) == ("Who calls it?", "Who calls sweep?", "look")


def test_a_source_shows_the_files_lines_around_the_cited_ones_and_what_found_it() -> None:
    document = Document("a.md", "\n".join(f"line {n}" for n in range(1, 41)), "prose", "markdown", "00")
    shown = sources.sources(ANSWER, 3, lambda path: document, opened="1")
    assert shown.count("class=cited") == 2
    assert "line 2<" in shown
    assert "line 1<" not in shown
    assert "Kept &lt;b&gt;45&lt;/b&gt; days." in shown
    assert "hop&#58; HERON" in shown
    assert 'class="source source-3-1" open' in shown
    assert "What an answer cites" in sources.sources(None, 0, lambda path: None)


def test_a_source_shows_its_commit_and_that_its_file_changed() -> None:
    at = Origin("https://h/o/r", "1a2b<b>4d", "2026-01-01T00:00:00+00:00")
    cited = Citation("1", "a.md", 14, 15, "x", True, stale=True, source=at)
    shown = sources.sources(Answer("q", "a", False, (cited,), stale=("a.md",)), 0, lambda path: None)
    assert "a.md&#58;14-15 &#64; 1a2b&lt;b&gt;" in shown
    assert "changed since it was indexed" in shown
    assert "Changed since" in chat.answer(Turn("q").after(Answered(Answer("q", "a", True, stale=("a.md",)))), 0)


def test_lines_are_numbered_as_in_the_file_where_loading_dropped_some() -> None:
    document = Document("a.html", "one\ntwo", "prose", "html", "00", source_lines=(7, 9))
    assert sources.numbered(document, 8, 9) == [(9, "two")]


def test_a_source_that_cannot_be_read_any_more_says_so() -> None:
    assert "cannot be read any more" in sources.sources(ANSWER, 0, lambda path: None)


def test_a_plan_its_change_and_a_question_back_are_shown_escaped() -> None:
    turn = Turn("q").after(Clarify("Which <one>?", ("a<b>.py:f",))).after(Planned("look", ("<i> (a name)",), ("-<i>",)))
    shown = chat.steps(turn.after(Reflected("known: <i>", True, then="stop")), 0)
    assert "<i> (a name)" not in shown
    assert "<b>.py" not in shown
    assert "Which &lt;one&gt;?" in shown
    assert "&lt;i&gt; (a name)" in shown
    assert "-&lt;i&gt;" in shown
    assert "&lt;i&gt;; stop" in shown
