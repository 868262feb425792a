"""HTML as Markdown-like text, each line with the line of the file that it came from."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

_DROPPED = frozenset({"script", "style", "nav", "template", "noscript", "svg", "iframe", "object", "select", "button"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCK_TAGS = """
address article aside blockquote body dd details div dl dt fieldset figcaption figure footer form header hr html
li main ol p pre section summary table tbody tfoot thead title tr ul caption
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_SPACE = re.compile(r"[ \t\f\v\u00a0]+")
_UNFINISHED = 20
"""Tags and comments without an end after which the rest of a page is taken as text. The parser looks to the end of the
page for each of them, which over thousands would take hours."""


def read_html(raw: str) -> tuple[str, tuple[int, ...]]:
    """Return the page's text and, for each of its lines, the 1-based line of `raw` it came from.

    Headings become `#` lines, list items `- ` lines, table cells are set apart by ` | `, `code` keeps its backticks and
    `pre` becomes a fenced block. Scripts, styles, navigation and link targets are left out.
    """
    page = _Page()
    page.feed(raw)
    page.close()
    return page.finished()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.places: list[int] = []
        self.current = ""
        self.place = 1
        self.dropping: list[str] = []
        self.heading = 0
        self.verbatim = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self.dropping.append(tag)
        if self.dropping:
            # A page whose navigation was never closed must not lose its body.
            if tag in ("main", "article", "h1"):
                self.dropping.clear()
            else:
                return
        if tag in _BLOCKS or tag in _HEADINGS:
            self._break(blank=tag not in ("li", "tr", "dd"))
        if tag in _HEADINGS:
            self.heading = _HEADINGS[tag]
        elif tag == "title":
            self.heading = 1
        elif tag == "li":
            self._add("- ")
        elif tag in ("td", "th") and self.current.strip():
            self._add(" | ")
        elif tag == "pre":
            self._line("```")
            self.verbatim = True
        elif tag in ("code", "tt", "kbd", "samp") and not self.verbatim:
            self._add("`")
        elif tag == "br":
            self._break(blank=False)

    def handle_endtag(self, tag: str) -> None:
        if self.dropping:
            if tag in self.dropping:
                del self.dropping[self.dropping.index(tag) :]
            return
        if tag == "pre" and self.verbatim:
            self._break(blank=False)
            self.verbatim = False
            self._line("```")
        elif tag in ("code", "tt", "kbd", "samp") and not self.verbatim:
            self.current += "`"
        if tag in _BLOCKS or tag in _HEADINGS:
            self._break(blank=tag not in ("li", "tr", "dd"))
        if tag in _HEADINGS or tag == "title":
            self.heading = 0

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Take `<![…>` for a comment, as HTML does; the parser would raise AssertionError for one it does not know."""
        return self.parse_bogus_comment(i, False)

    def close(self) -> None:
        """Read what `feed` left because something in it does not end."""
        for _ in range(_UNFINISHED):
            rest, self.rawdata = self.rawdata, ""
            if "<" not in rest:
                self.handle_data(unescape(rest))
                return
            self.handle_data(rest[:1])
            self.feed(rest[1:])
        rest, self.rawdata = self.rawdata, ""
        self.handle_data(rest)

    def handle_data(self, data: str) -> None:
        if self.dropping:
            return
        first = self.getpos()[0]
        for i, part in enumerate(data.split("\n")):
            if i and self.heading:
                self.current += " "
            elif i:
                self._break(blank=False, keep_empty=self.verbatim and self.lines[-1] != "```")
                self.place = first + i
            self._add(part if self.verbatim else _SPACE.sub(" ", part), first + i)

    def _add(self, text: str, place: int | None = None) -> None:
        if not self.current.strip():
            self.place = place or self.getpos()[0]
        self.current += text

    def _line(self, text: str) -> None:
        self.lines.append(text)
        self.places.append(self.getpos()[0])

    def _break(self, *, blank: bool, keep_empty: bool = False) -> None:
        """End the current line, and set what follows apart by an empty one where a block ends."""
        text = self.current.rstrip() if self.verbatim else self.current.strip()
        if text in ("-", "|", "``"):
            text = ""
        if text and self.heading:
            text = "#" * self.heading + " " + " ".join(text.split())
        if text or keep_empty:
            self.lines.append(text)
            self.places.append(self.place)
        if blank and not self.verbatim and self.lines and self.lines[-1]:
            self._line("")
        self.current = ""

    def finished(self) -> tuple[str, tuple[int, ...]]:
        self._break(blank=False)
        if self.verbatim:
            self._line("```")
        while self.lines and not self.lines[-1]:
            self.lines.pop()
            self.places.pop()
        return "\n".join(self.lines), tuple(self.places)
