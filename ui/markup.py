"""What the page shows, as HTML made from text that nobody vouches for.

Everything is escaped first and only then are tags of our own put round it, none with an attribute that comes from the
text but a citation's number. So no image, no link and no script can come out of a document or a model. Each piece is
one line, because the page hands it through Markdown, where a blank line would end it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from urllib.parse import quote

from ui.render import visible

_FENCE = re.compile(r"^\s*(```|~~~)")
_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"-{3,}")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+")
_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[(\d{1,3})\]")


def escaped(text: str) -> str:
    """Return text as one line of HTML without any tag; line ends stay as character references."""
    shown = html.escape(visible(text.expandtabs(4), keep="\n"))
    # Beyond HTML's own: what Markdown could still take for markup of its own inside a tag's text.
    for char in "\n\\`*_[]!$:@~|":
        shown = shown.replace(char, f"&#{ord(char)};")
    return shown.replace("www.", "www&#46;")


def prose(text: str, labels: Collection[str] = ()) -> str:
    """Return an answer as HTML: paragraphs, lists, tables, sections, fenced code, `code`, **bold**, and its known
    labels as citations."""
    parts: list[str] = []
    lines = iter(visible(text, keep="\n\t").splitlines())
    for line in lines:
        if _FENCE.match(line):
            code = []
            for inner in lines:
                if _FENCE.match(inner):
                    break
                code.append(inner)
            parts.append(f"<pre>{escaped(chr(10).join(code))}</pre>")
        elif _ITEM.match(line):
            parts.append(f"<li>{_inline(_ITEM.sub('', line), labels)}</li>")
        elif line.startswith("|"):
            parts.append(f"<tr>{''.join(f'<td>{_inline(cell, labels)}</td>' for cell in _cells(line))}</tr>")
        elif line.startswith("## "):
            parts.append(f"<h3>{_inline(line.removeprefix('## '), labels)}</h3>")
        elif line.strip():
            parts.append(f"<p>{_inline(line.strip().lstrip('#').strip(), labels)}</p>")
    lists = re.sub(r"((?:<li>.*?</li>)+)", r"<ul>\1</ul>", "".join(parts))
    return re.sub(r"((?:<tr>.*?</tr>)+)", _as_table, lists)


def _cells(line: str) -> list[str]:
    """The cells of a line of a table, none for the rule under its head."""
    cells = [cell.replace("\\|", "|").strip() for cell in _BAR.split(line.strip().removeprefix("|").removesuffix("|"))]
    return [] if all(_RULE.fullmatch(cell) for cell in cells) else cells


def _as_table(rows: re.Match[str]) -> str:
    return f"<table class=cells><tbody>{rows[1].replace('<tr></tr>', '')}</tbody></table>"


def code(text: str) -> str:
    """Return code or an observation as a block."""
    return f"<pre>{escaped(text.strip())}</pre>"


def lines(numbered: Sequence[tuple[int, str]], cited: range) -> str:
    """Return a source's lines with their numbers; those in `cited` stand out."""
    rows = (
        f"<tr{' class=cited' if number in cited else ''}><td class=number>{number}</td>"
        f"<td>{escaped(text) or '&nbsp;'}</td></tr>"
        for number, text in numbered
    )
    return f"<table class=lines><tbody>{''.join(rows)}</tbody></table>"


def folded(title: str, body: str, *, name: str = "", opened: bool = False) -> str:
    """Return a part that opens and closes. `title`, `body` and the class `name` are HTML already."""
    return f'<details class="{name}"{" open" if opened else ""}><summary>{title}</summary>{body}</details>'


def opens(view: str, what: str, title: str) -> str:
    """Return a link that shows another view of the page with something open in it, such as a trace; `title` is text."""
    return f'<a class="opens" href="#open/{view}/{quote(what, safe="")}">{escaped(title)}</a>'


def _inline(text: str, labels: Collection[str]) -> str:
    """A line with its code spans, bold words and labels. They are found first; each piece is escaped alone."""
    parts: list[str] = []
    at = 0
    for span in _SPAN.finditer(text):
        parts += [escaped(text[at : span.start()]), _span(span, labels)]
        at = span.end()
    return "".join([*parts, escaped(text[at:])])


def _span(span: re.Match[str], labels: Collection[str]) -> str:
    code_text, bold, label = span.groups()
    if code_text is not None:
        return f"<code>{escaped(code_text)}</code>"
    if bold is not None:
        return f"<strong>{_inline(bold, labels)}</strong>"
    if label in labels:
        return f'<a class="cite" href="#source-{int(label)}">{int(label)}</a>'
    return escaped(span[0])
