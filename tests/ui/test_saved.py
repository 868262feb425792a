"""A saved conversation: footnotes that lead to path and lines, and no markup that is not ours."""

from __future__ import annotations

import pytest

from agent.follow_up import Turn
from agent.types import Answer, Citation, Origin
from ui.saved import file_name, markdown


def turn(asked: str, answer: str, *cited: Citation, question: str = "", stopped: str | None = None) -> Turn:
    question = question or asked
    return Turn(asked, question, "plan", Answer(question, answer, False, cited, stopped=stopped))


def test_a_conversation_is_questions_answers_and_footnotes() -> None:
    first = turn("Who keeps letters?", "Heron [1].", Citation("1", "a/heron.md", 2, 3, "Heron keeps them", True))
    second = turn(
        "And when?", "At night [1] [2].",
        Citation("1", "a/x.pdf", 2, 2, "night", True, page=4),
        Citation("1", "a/x.pdf", 9, 9, "dark", True, page=4),
        Citation("2", "b.py", 7, 7, "NIGHT", False, source=Origin("https://h", "ab" * 20, "2026")),
        question="Who keeps letters, and when?", stopped="stop",
    )  # fmt: skip
    assert markdown([first, second]) == (
        "# Who keeps letters?\n\nHeron [^1-1].\n\n[^1-1]: a/heron.md:2-3 “Heron keeps them”\n\n"
        "## And when?\n\nAsked as: Who keeps letters, and when?\n\nAt night [^2-1] [^2-2].\n\n"
        "Stopped early: the best answer so far.\n\n"
        "[^2-1]: a/x.pdf:2, page 4 “night”; a/x.pdf:9, page 4 “dark”\n\n"
        "[^2-2]: b.py:7 @ abababa “NIGHT” (not verified)\n"
    )


def test_a_label_without_a_citation_is_no_footnote() -> None:
    assert "\\[7\\]" in markdown([turn("Who?", "Heron [7].")])


@pytest.mark.parametrize(
    "hostile",
    [
        "<img src=http://h/x>", "![a](http://h/x)", "[a](javascript:x)", "# Head", "```\ncode", "[^1-1]: other",
        "<script>", "| a | b |", "- item", "1. item", "> quote", "---", "===", "&lt;img&gt;", "*a*", "[x]: http://h",
    ],
)  # fmt: skip
def test_text_is_no_markup(hostile: str) -> None:
    cited = Citation("1", hostile, 1, 1, hostile, True)
    for text in (markdown([turn(hostile, hostile, cited)]), markdown([turn("x", f"a\n\n{hostile}", cited)])):
        assert text.startswith("# ")
        bare = text.replace("\\\\", "").split("\\")
        shown = "".join([bare[0], *(part[1:] for part in bare[1:])])  # without what is escaped
        for mark in "<>!`|*&~":
            assert mark not in shown
        assert "](" not in shown
        for line in text.splitlines()[1:]:
            assert not line.startswith(("- ", "1. ", "---", "===", "[x]:", "[^1-1]: other", "# ", "    "))


def test_what_could_fool_a_terminal_is_written_out() -> None:
    text = markdown([turn("a\x1b[31m\u202e", "b\x9b", Citation("1", "c\x07", 1, 1, "d\u200b", True))])
    assert text.isprintable() is False  # its own line ends
    assert not set(text) & set("\x1b\u202e\x9b\x07\u200b")


def test_the_file_is_named_after_the_first_question() -> None:
    assert file_name([turn("Who keeps `../etc/passwd`?", "x")]) == "who-keeps-etc-passwd.md"
    assert file_name([turn("?!", "x")]) == "conversation.md"
    assert len(file_name([turn("word " * 100, "x")])) <= 63
