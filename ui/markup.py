"""What the page shows, as HTML made from text that nobody vouches for.

Everything is escaped first and only then are tags of our own put round it, none with an attribute that comes from the
text but a citation's number. So no image, no link and no script can come out of a document or a model. Each piece is
one line, because the page hands it through Markdown, where a blank line would end it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from ui.render import visible

_FENCE = re.compile(r"^\s*(```|~~~)")
_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"-{3,}")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+")
_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[(\d{1,3})\]")
_MARKDOWN = "\n\\`*_[]!$:@~|"
"""Beyond HTML's own: what Markdown could still take for markup of its own inside a tag's text."""

_TRAILING = re.compile(r"[\s.,;:!?)\]\"”’]*")
_WORST = ("unverified", "judged", "verified")
_PLACE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_SIGNS = {"unverified": " ✗", "judged": " ≈"}


def escaped(text: str) -> str:
    """Return text as one line of HTML without any tag; line ends stay as character references."""
    shown = html.escape(visible(text.expandtabs(4), keep="\n"))
    for char in _MARKDOWN:
        shown = shown.replace(char, f"&#{ord(char)};")
    return shown.replace("www.", "www&#46;")


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that a text's citations have. `marks` maps them to what is known of them: "verified", "judged" or
    "unverified"; where it is empty, sentences are not marked. `name` begins the address of a source."""

    known: Collection[str] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    name: str = "source"


def prose(text: str, labels: Collection[str] | Labels = ()) -> str:
    """Return an answer as HTML: paragraphs, lists, tables, sections, fenced code, `code`, **bold**, and its known
    labels as citations. Where these are marked, so is every sentence, by the worst of what it cites."""
    labels = labels if isinstance(labels, Labels) else Labels(labels)
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


def does(action: str, title: str, kind: str = "") -> str:
    """Return a link that does something in the chat, such as "rate/2/up"; `title` is text, the rest is our own."""
    return f'<a class="does{" " + kind if kind else ""}" href="#do/{quote(action, safe="/")}">{escaped(title)}</a>'


def cite(label: str, name: str) -> str:
    """Return the link to one source, as in an answer; `label` is a number, `name` begins the source's address."""
    return _link(label, Labels(name=name))


def _inline(text: str, labels: Labels) -> str:
    """A line with its code spans, bold words and labels. They are found first; each piece is escaped alone."""
    if not labels.marks:
        return "".join(_link(piece, labels) if cited else piece for piece, cited in _pieces(text, labels))
    return "".join(_sentence(said, cites, labels) for said, cites in _cited(_pieces(text, labels)))


def _pieces(text: str, labels: Labels) -> Iterator[tuple[str, bool]]:
    """The line's pieces in order: HTML, or a known label."""
    at = 0
    for span in _SPAN.finditer(text):
        code_text, bold, label = span.groups()
        yield escaped(text[at : span.start()]), False
        if code_text is not None:
            yield f"<code>{escaped(code_text)}</code>", False
        elif bold is not None:
            yield f"<strong>{_inline(bold, Labels(labels.known, name=labels.name))}</strong>", False
        elif label in labels.known:
            yield label, True
        else:
            yield escaped(span[0]), False
        at = span.end()
    yield escaped(text[at:]), False


def _cited(pieces: Iterator[tuple[str, bool]]) -> Iterator[tuple[list[tuple[str, bool]], list[str]]]:
    """The pieces in groups that end with labels, each with these; the last may have none."""
    group: list[tuple[str, bool]] = []
    cites: list[str] = []
    for piece, cited in pieces:
        if cited:
            cites.append(piece)
        elif cites and (ends := _TRAILING.match(piece)) and ends.end() < len(piece):
            yield [*group, (piece[: ends.end()], False)], cites
            group, cites, piece = [], [], piece[ends.end() :]
        group.append((piece, cited))
    yield group, cites


def _sentence(said: list[tuple[str, bool]], cites: list[str], labels: Labels) -> str:
    inside = "".join(_link(piece, labels) if cited else piece for piece, cited in said)
    if not re.search(r"\w", "".join(piece for piece, cited in said if not cited)):
        return inside
    states = {labels.marks.get(label, "unverified") for label in cites}
    worst = next((state for state in _WORST if state in states), "uncited")
    return f'<span class="said {worst}">{inside}</span>'


def _link(label: str, labels: Labels) -> str:
    mark = labels.marks.get(label, "")
    kind = f"cite {mark}" if mark else "cite"
    return f'<a class="{kind}" href="#{labels.name}-{int(label)}">{int(label)}{_SIGNS.get(mark, "")}</a>'


def of_report(made: str) -> str:
    """Return HTML of a report (`evals.report_html`, `evals.charts`), whose text is escaped already, as it can stand on
    the page: in one line, nothing in it for Markdown to see, and charts of a size of their own, because the page's
    sanitizer takes their view boxes away."""
    made = _PLACE.sub(r'width="\1" height="\2"', made)
    for char in _MARKDOWN:
        made = made.replace(char, f"&#{ord(char)};")
    return made.replace("www.", "www&#46;")
