"""The sources of an answer beside the chat: each with its lines as the file has them now. Reads the cited files."""

from __future__ import annotations

from collections.abc import Callable

from agent.types import Answer, Citation
from ingest.types import Document
from retrieval.types import Passage
from ui import markup
from ui.chat import checked, found_by, label_of, where

AROUND = 12
"""Lines of a source that are shown before and after what is cited."""

_LONGEST_QUOTE = 160

Resolve = Callable[[str], Document | None]
"""Gives an indexed file as it is now, None where it cannot be read."""


def sources(given: Answer | None, number: int, resolve: Resolve, *, opened: str = "") -> str:
    """Return every citation of turn `number` with the lines it points at, closed but for the label `opened`."""
    if given is None or not given.citations:
        return '<div class="sources"><p class=note>What an answer cites is shown here, line by line.</p></div>'
    shown = "".join(_source(each, number, resolve(each.path), given.passages, opened) for each in given.citations)
    return f'<div class="sources">{shown}</div>'


def numbered(document: Document, first: int, last: int) -> list[tuple[int, str]]:
    """Return the lines of the file from `first` to `last` with their numbers, as far as they were loaded."""
    lines = document.text.split("\n")
    numbers = document.source_lines or range(1, len(lines) + 1)
    return [(number, line) for number, line in zip(numbers, lines, strict=False) if first <= number <= last]


def _source(each: Citation, number: int, document: Document | None, passages: tuple[Passage, ...], opened: str) -> str:
    label = label_of(each)
    quote = f"<q>{markup.escaped(_short(each.quote))}</q>"
    title = (
        f"<b class=label>{label}</b> <code>{where(each)}</code><br>{checked(each)}{found_by(each, passages)}<br>{quote}"
    )
    if document is None:
        body = "<p class=note>The file cannot be read any more. Index its folder again to see what became of it.</p>"
    else:
        around = numbered(document, each.start_line - AROUND, each.end_line + AROUND)
        body = markup.lines(around, range(each.start_line, each.end_line + 1))
    return markup.folded(title, body, name=f"source source-{number}-{label}", opened=label == opened)


def _short(quote: str) -> str:
    quote = " ".join(quote.split())
    return quote if len(quote) <= _LONGEST_QUOTE else f"{quote[: _LONGEST_QUOTE - 1]}…"
