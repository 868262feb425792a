"""A saved answer is Markdown of ours alone: nothing of a document or a model becomes markup, a link or an image."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agent.types import Answer, Citation, Disagreement, Origin
from ui.markdown import as_markdown, literal, span

PIECES = ["![x](http://evil/p.png)", "[x]: http://evil/p", "<img src=x onerror=y>", "](", "`", "``", "```", "**", "_a_",
          "[1]", "[2]", "[^1]", "[^1]: x", "\n", "\n\n", "- ", "+ ", "1. ", "2) ", "&lt;", "<http://evil>",
          "www.evil.com", "https://evil.com", "a@b.com", "\x1b[31m", "\u202e", "a", " ", "|", "\\|", "\\", "$x$",
          "# ", "> ", "---", "===",
          "| a | b |\n| --- | --- |\n| ![x](y) | `|` |", ":tada:", "~~x~~", "\t", "    x"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join)
CITED = Citation("1", "docs/heron.md", 3, 3, "Heron keeps letters for 42 days.", verified=True)
READER = MarkdownIt("gfm-like", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
OURS = {"paragraph", "heading", "inline", "text", "bullet_list", "list_item", "code_inline", "softbreak",
        "table", "thead", "tbody", "tr", "th", "td", "text_special"}  # fmt: skip


def answer(text: str, **more: object) -> Answer:
    return replace(Answer("Why?", text, False, (CITED,)), **more)  # type: ignore[arg-type]


def kinds(page: str) -> set[str]:
    """What a Markdown reader sees in a page."""
    tokens = READER.parse(page)
    inner = [child for token in tokens for child in token.children or ()]
    return {token.type.removesuffix("_open").removesuffix("_close") for token in [*tokens, *inner]}


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_that_is_not_ours_becomes_markup(text: str, quote: str, path: str) -> None:
    cited = Citation("1", path, 1, 2, quote, verified=False, source=Origin(path, path or None, "now"))
    differ = Disagreement(text, (quote, text), (cited, replace(cited, label="2")))
    page = as_markdown(replace(answer(text), question=quote, citations=(cited,), disagreements=(differ,)))
    assert kinds(page) <= OURS


@given(TEXTS)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    from ui.render import visible

    said = visible(" ".join(text.split()))
    shown = READER.parse(literal(text))
    read = "".join(child.content for token in shown for child in token.children or ())
    assert read == said
    spans = [child for token in READER.parse(f"x{span(text)}x") for child in token.children or ()]
    assert not said or [child.content for child in spans if child.type == "code_inline"] == [said]


@pytest.mark.parametrize("address", ["https://evil.com", "www.evil.com", "WWW.evil.com", "a@b.com"])
def test_no_address_stays_for_a_reader_to_make_a_link_of(address: str) -> None:
    page = as_markdown(answer(f"See {address} or [x]({address})."))
    assert address not in page


def test_labels_become_footnotes_with_place_commit_and_quote() -> None:
    cited = replace(CITED, source=Origin("https://host/repo", "1a2b3c4d", "now"), stale=True)
    page = as_markdown(answer("Heron keeps letters for 42 days [1], not [7].", citations=(cited,)))
    assert page == (
        "# Why?\n\nHeron keeps letters for 42 days [^1], not \\[7\\].\n\n"
        "[^1]: `docs/heron.md:3` at `1a2b3c4d` of `https://host/repo` “Heron keeps letters for 42 days.” "
        "(changed since it was indexed)\n"
    )


def test_two_quotes_of_one_passage_are_one_footnote() -> None:
    page = as_markdown(
        answer("A [1]. B [1].", citations=(CITED, replace(CITED, quote="Other.", start_line=9, end_line=9)))
    )
    assert page.count("\n[^1]: ") == 1
    assert "“Heron keeps letters for 42 days.”; `docs/heron.md:9` “Other.”" in page


def test_tables_lists_and_sections_stay_what_they_are() -> None:
    page = as_markdown(answer("## One\n\n- a [1]\n- b\n\n| S | D |\n| --- | --- |\n| `a\\|b` | 4\\|2 [1] |"))
    assert {"heading", "bullet_list", "table"} <= kinds(page)
    cells = [token.content for token in READER.parse(page) if token.type == "inline"][-3:-1]
    assert "| `a\\|b` | 4\\|2 [^1] |" in page
    assert cells == ["`a|b`", "4|2 [^1]"]


def test_a_disagreement_cites_both_sides() -> None:
    other = replace(CITED, label="2", path="b.md", quote="30")
    page = as_markdown(answer("42 [1]", disagreements=(Disagreement("KEEP", ("42", "30"), (CITED, other)),)))
    assert "The sources disagree on `KEEP`: 42[^1], 30[^2]." in page
    assert "\n[^2]: `b.md:3` “30”" in page
