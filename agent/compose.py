"""Longer forms, checked: what a draft of several sentences or a table says, statement by statement.

A short answer is checked by what it adds to its question (`agent.citations.support`). A longer one says much that
nobody asked, so each of its sentences must follow from the sources as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from agent.answer import NOT_SAID
from agent.citations import Checked, Claim, check, denies, labels_inside, labels_of, support, unlabelled
from agent.entailment import entailing
from agent.forms import Part
from agent.terms import content
from agent.types import Citation, Section
from agent.units import Unit, squeeze
from ingest.sentences import sentences
from ingest.types import Document

NO_VALUE = "–"
"""What a cell holds that no source fills."""

_LONGEST_DRAFT = 12_000
_MOST_SENTENCES = 60
_MOST_ROWS = 40
_MOST_COLUMNS = 8
_ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+")
_NOT_PROSE = re.compile(r"^\s*(?:#{1,6}\s|```|~~~|[-=*_]{3,}\s*$)")
_RULE = re.compile(r"^[\s|:+-]*-[\s|:+-]*$")
_CELLS = re.compile(r"(?<!\\)\|")
_EMPTY = re.compile(r"\W*(?:n/?a|none given|unknown|not (?:stated|given|said|specified|mentioned))?\W*", re.IGNORECASE)
_ANSWERS = {"yes": "", "✓": "", "✔": "", "no": "not ", "✗": "not ", "✘": "not "}


def whole(text: str) -> str:
    """Return a draft without what its call was cut off in: the sentence, or the row of a table, that does not end."""
    text = text.strip().removeprefix("Answer:").strip()
    *before, last = text.split("\n")
    if last and last[-1] not in ".!?]|:`":
        rest = [] if last.startswith("|") else sentences(last)[:-1]
        text = "\n".join([*before, " ".join(rest)]).strip() or text
    return text if any(c.isalnum() for c in text) else ""


@dataclass(frozen=True, slots=True)
class Line:
    """The claims of one line of a draft; `lead` stands before them where the line is an item of a list."""

    lead: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The claims of a table, a row's cells in the order of `columns`; a cell without a claim holds `NO_VALUE`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Claim, ...]], ...]


# Prose --------------------------------------------------------------------------------------------------------------


def prose(draft: str, quotable: Sequence[Unit]) -> list[Line]:
    """Return the first sentences of a draft, each with the units from which it follows, those it cites tried first."""
    lines = []
    left = _MOST_SENTENCES
    for line in draft[:_LONGEST_DRAFT].splitlines():
        if _NOT_PROSE.match(line) or not line.strip():
            continue
        claims = tuple(islice(_claims(_ITEM.sub("", line), quotable), left))
        left -= len(claims)
        if claims:
            lines.append(Line("- " if _ITEM.match(line) else "", claims))
    return lines


def _claims(line: str, quotable: Sequence[Unit]) -> Iterator[Claim]:
    for sentence in sentences(squeeze(labels_inside(line))):
        text = unlabelled(sentence)
        if any(c.isalnum() for c in text) and not denies(text):
            yield Claim(text, _cited_first(text, labels_of(sentence), quotable))


def _cited_first(
    text: str, labels: Sequence[str], quotable: Sequence[Unit], optional: frozenset[str] = frozenset()
) -> tuple[Unit, ...]:
    cited = [unit for unit in quotable if unit.passage.label in labels]
    return entailing(text, cited, optional) or entailing(text, quotable, optional)


def doubtful(lines: Iterable[Line], quotable: Sequence[Unit]) -> list[Claim]:
    """Return the claims that nothing is known to say but whose words the sources hold, with these as their quotes: what
    a judge may be asked."""
    unsettled = [claim for line in lines for claim in line.claims if not claim.quotes]
    found = [(claim, support("", claim.text, quotable)[:1]) for claim in unsettled]
    return [replace(claim, quotes=held.quotes) for claim, likely in found for held in likely if held.quotes]


def settled(lines: Iterable[Line], judged: Iterable[Claim]) -> list[Line]:
    """Return the lines with what the judge said of their doubtful claims."""
    known = {claim.text: claim for claim in judged if claim.quotes}
    return [
        replace(line, claims=tuple(claim if claim.quotes else known.get(claim.text, claim) for claim in line.claims))
        for line in lines
    ]


def checked_prose(lines: Iterable[Line], documents: Callable[[str], Document | None]) -> Checked:
    """Return the text of the lines with labels, or the mark of what nothing supports, after each sentence."""
    done = [(line.lead, check(line.claims, documents)) for line in lines]
    return _joined([replace(found, text=lead + found.text) for lead, found in done])


def _joined(found: Sequence[Checked], between: str = "\n") -> Checked:
    citations: dict[tuple[str, str], Citation] = {(c.label, c.quote): c for each in found for c in each.citations}
    return Checked(
        between.join(each.text for each in found), tuple(citations.values()), any(each.supported for each in found)
    )


# Tables -------------------------------------------------------------------------------------------------------------


def table(draft: str, quotable: Sequence[Unit]) -> Table | None:
    """Return the table of a draft, each cell with the units that support it; None where the draft has no table.

    A cell is read as a statement on the row's first cell. The words of its column's title need not be the sources', but
    where they are, they must be said of this value.
    """
    rows = [cells for line in draft[:_LONGEST_DRAFT].splitlines() if len(cells := _cells(line)) > 1]
    if len(rows) < 2:
        return None
    columns = tuple(squeeze(unlabelled(cell)) for cell in rows[0][:_MOST_COLUMNS])
    read = [_row(columns, cells, quotable) for cells in rows[1 : _MOST_ROWS + 1]]
    return Table(columns, tuple(row for row in read if row is not None))


def _cells(line: str) -> list[str]:
    if "|" not in line or _RULE.match(line):
        return []
    return [cell.replace("\\|", "|").strip() for cell in _CELLS.split(line.strip().removeprefix("|").removesuffix("|"))]


def _row(
    columns: Sequence[str], cells: Sequence[str], quotable: Sequence[Unit]
) -> tuple[str, tuple[Claim, ...]] | None:
    about = squeeze(unlabelled(cells[0]))
    if not content(about):
        return None
    whole = [label for cell in cells for label in labels_of(cell)]
    claims = []
    for title, cell in zip(columns[1:], [*cells[1:], *[""] * len(columns)], strict=False):
        value = squeeze(unlabelled(cell))
        if _EMPTY.fullmatch(value) and value.lower() not in _ANSWERS:
            claims.append(Claim(NO_VALUE, ()))
            continue
        claims.append(Claim(value, _cell(about, title, value, labels_of(cell) or whole, quotable)))
    return about, tuple(claims)


def _cell(about: str, title: str, value: str, labels: Sequence[str], quotable: Sequence[Unit]) -> tuple[Unit, ...]:
    said = title if "_" in title or "." in title else title.lower()
    answer = _ANSWERS.get(value.lower().strip("."))
    if answer is not None:
        return _cited_first(f"{about} {answer}{said}", labels, quotable)
    return _cited_first(f"{about} {said} {value}", labels, quotable, frozenset(content(said)))


def checked_table(read: Table, documents: Callable[[str], Document | None]) -> Checked:
    """Return the table as Markdown with a label or a mark in each cell. A row of which nothing is supported is dropped,
    and with the last row the table: its text is "" then."""
    citations: list[Checked] = []
    rows = []
    for about, claims in read.rows:
        cells = [check([claim], documents) if claim.text != NO_VALUE else None for claim in claims]
        if any(cell and cell.supported for cell in cells):
            citations += [cell for cell in cells if cell]
            rows.append((about, *(cell.text if cell else NO_VALUE for cell in cells)))
    if not rows:
        return Checked("", (), supported=False)
    head = (read.columns, ("---",) * len(read.columns))
    text = "\n".join(f"| {' | '.join(map(_in_a_cell, row))} |" for row in (*head, *rows))
    return replace(_joined(citations), text=text)


def _in_a_cell(text: str) -> str:
    return text.replace("|", "\\|")


# Reports ------------------------------------------------------------------------------------------------------------


def section(part: Part, found: Checked) -> Section:
    """Return one part of a report; without text where the sources say nothing of it."""
    text = found.text if found.supported else ""
    return Section(part.title, text, tuple(dict.fromkeys(labels_of(text))), part.follow_up)


def report(sections: Sequence[Section], found: Sequence[Checked]) -> Checked:
    """Return the whole text of a report as Markdown, sections under their titles, and all that it cites."""
    text = "\n\n".join(f"## {each.title}\n\n{each.text or NOT_SAID}" for each in sections)
    return replace(_joined([each for each in found if each.supported]), text=text)
