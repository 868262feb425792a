"""Whatever a document or a model says, only tags of ours come out, on one line."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import markup

ALLOWED = {
    "a": {"class", "href"}, "code": set(), "li": set(), "p": set(), "pre": set(), "strong": set(), "ul": set(),
    "h3": set(), "table": {"class"}, "tbody": set(), "tr": set(), "td": set(),
}  # fmt: skip
PIECES = ["![x](http://evil/p.png)", "[x]: http://evil/p", "<img src=x onerror=y>", "](", "`", "``", "```", "**", "[1]",
          "[2]", "\n", "\n\n", "- ", "1. ", "&lt;", "&#60;img&#62;", "<http://evil>", "www.evil.com", "javascript:",
          "\u2028", "\x1b[31m", "\u202e", "a", " ", "|", "$x$", "{{x}}", "${x}", "#", "\\", "\t", "~~~",
          "## ", "\n| a | b |\n| --- | --- |\n"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join)


class Tags(HTMLParser):
    """Collects tags with their attributes, and the text between."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(TEXTS)
def test_prose_yields_only_tags_of_ours_and_no_address_but_a_citations(text: str) -> None:
    for tag, attributes in Tags(markup.prose(text, {"1"})).tags:
        assert set(attributes) <= ALLOWED[tag]
        assert attributes.get("href", "#source-1") == "#source-1"


@given(TEXTS)
def test_prose_is_one_line_without_anything_that_markdown_reads(text: str) -> None:
    page = markup.prose(text, {"1"})
    assert len(page.splitlines()) <= 1
    assert not set("`*_[]!$~|\\@") & set(page)
    assert "://" not in page
    assert "www." not in page


@given(TEXTS)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    from ui.render import visible

    shown = Tags(markup.escaped(text))
    assert shown.tags == []
    assert shown.text == visible(text.expandtabs(4), keep="\n")


def test_an_answer_keeps_its_code_lists_and_known_labels() -> None:
    page = markup.prose("Kept **45** days [1], not [9].\n\n- `sweep()` [1]\n```py\nx = 1\n\ny = 2\n```", ["1"])
    assert page == (
        '<p>Kept <strong>45</strong> days <a class="cite" href="#source-1">1</a>, not &#91;9&#93;.</p>'
        '<ul><li><code>sweep()</code> <a class="cite" href="#source-1">1</a></li></ul>'
        "<pre>x = 1&#10;&#10;y = 2</pre>"
    )


@pytest.mark.parametrize(("number", "marked"), [(4, False), (5, True), (6, True), (7, False)])
def test_cited_lines_stand_out(number: int, marked: bool) -> None:
    page = markup.lines([(number, "<b>")], range(5, 7))
    assert ("class=cited" in page) is marked
    assert "&lt;b&gt;" in page
