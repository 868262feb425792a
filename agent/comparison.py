"""Comparing: a small model reads out what is compared of each side, and the comparison itself is done here.

Small models read a date or a length out of a passage well, and then name the side that was named first. What they read
is checked like any other claim; only what stands in the sources is compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from agent.citations import labels_of, supporting, unlabelled
from agent.terms import content
from agent.units import Unit

_Value = tuple[int, int, int] | tuple[float, str] | frozenset[str]

_SAME = re.compile(r"\bsame\b|\bshare[sd]?\b|\bin common\b|\bidentical\b", re.IGNORECASE)
_LIVED = re.compile(r"\b(?:lived?|lives) (longer|shorter)\b|\b(longer|shorter) li(?:fe|ved)\b", re.IGNORECASE)
_BORN = re.compile(r"\bborn\b|\bbirth\b|\bolder\b|\boldest\b|\byounger\b|\byoungest\b", re.IGNORECASE)
_DIED = re.compile(r"\bdie[sd]?\b|\bdeath\b|\bpassed away\b", re.IGNORECASE)
_EARLIER = re.compile(r"\b(?:first|earlie[rs]t?|older|oldest|before|sooner)\b", re.IGNORECASE)
_LATER = re.compile(
    r"\b(?:later|latest|last|newer|newest|younger|youngest|(?:more|most) recent(?:ly)?|after)\b", re.IGNORECASE
)
_LESS = re.compile(r"\b(?:fewer|fewest|less|least|shorter|shortest|smaller|smallest|lower|lowest)\b", re.IGNORECASE)
_MORE = re.compile(
    r"\b(?:more|most|longer|longest|larger|largest|bigger|biggest|greater|greatest|higher|highest|taller|tallest)\b",
    re.IGNORECASE,
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})\.?"
_YEAR = r"(?P<year>1\d{3}|20\d{2})"
_DATES = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH},? {_YEAR}\b",
        rf"\b{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? {_YEAR}\b",
        rf"\b{_YEAR}-(?P<number>\d{{2}})-(?P<day>\d{{2}})\b",
        rf"\b{_MONTH},? {_YEAR}\b",
        rf"(?<![\d,.]){_YEAR}(?![\d,]|\.\d)",
    )
]
_QUANTITY = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)\s*([^\W\d_]+|%|[°²³][\w²³]*)?")
_MULTIPLES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_UNTIL = re.compile(r"\s*(?:[–—-]|to|until)\s*")
_ANSWER = re.compile(r"^\W*answer\s*:\s*", re.IGNORECASE)
_LIFE_UNITS = 4  # sentences of a passage about somebody in which a life's dates are looked for


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two things are compared: by a date (of a birth, of a death), a number, how long two lives were, or whether
    they are the same. `most` asks for the later or larger one."""

    by: Literal["date", "birth", "death", "life", "number", "same"]
    most: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one side: `said` without labels, with the `labels` that it cites."""

    side: str
    said: str
    labels: tuple[str, ...]

    @property
    def through(self) -> str:
        """The name that stands between the side and its value, such as a film's director; "" where there is none."""
        name = re.split(r"[,;(]", self.said)[0].strip()
        return name if name[:1].isupper() and not any(c.isdigit() for c in name) else ""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a comparison came to: the answer, the units that bear it, and a line that tells how."""

    answer: str
    quotes: tuple[Unit, ...]
    line: str


def comparison_of(question: str, sides: Sequence[str]) -> Comparison | None:
    """Return how a question compares these two sides, None where it cannot be told by rule."""
    asked = question
    for side in sides:
        asked = asked.replace(side, " ")
    if _SAME.search(asked):
        return Comparison("same")
    if lived := _LIVED.search(asked):
        return Comparison("life", most="longer" in lived.group().lower())
    earlier, later = bool(_EARLIER.search(asked)), bool(_LATER.search(asked))
    if earlier != later:
        by: Literal["date", "birth", "death"] = "date"
        if bool(_BORN.search(asked)) != bool(_DIED.search(asked)):
            by = "birth" if _BORN.search(asked) else "death"
        return Comparison(by, most=later)
    less, more = bool(_LESS.search(asked)), bool(_MORE.search(asked))
    return Comparison("number", most=more) if less != more else None


def readings(question: str, draft: str) -> tuple[Read, Read] | None:
    """Return what a draft has of the two sides that a question names, None unless it has a line for each."""
    lines = [line for line in draft.splitlines() if line.strip() and not _ANSWER.match(line)]
    found = [read_of for line in lines if (read_of := _read(question, line)) is not None]
    return (found[0], found[1]) if len(found) == 2 and found[0].side != found[1].side else None


def own_answer(draft: str) -> str:
    """Return the answer that a draft itself ends with, without what it read out before; "" where it has none."""
    lines = [line for line in draft.splitlines() if _ANSWER.match(line)]
    return _ANSWER.sub("", lines[-1]).strip() if lines else ""


def decide(
    question: str,
    pair: tuple[Read, Read],
    quotable: Sequence[Unit],
    about: Callable[[str], Sequence[Unit]],
) -> Decided | None:
    """Return what the comparison comes to, from what was read and stands in the sources; None where either side is
    not borne out or the two cannot be compared.

    `about` returns the quotable units of the passages that are about a name, the beginning of each first.
    """
    comparison = comparison_of(question, [read_of.side for read_of in pair])
    if comparison is None:
        return None
    first, second = (_worth(question, comparison, read_of, quotable, about) for read_of in pair)
    if first is None or second is None:
        return None
    quotes = tuple(dict.fromkeys((*first.quotes, *second.quotes)))
    line = f"{pair[0].side}: {first.shown}; {pair[1].side}: {second.shown}"
    if comparison.by == "same":
        return Decided("yes" if _same(first, second) else "no", quotes, line)
    larger = _larger(first.value, second.value)
    if larger is None:
        return None
    return Decided(pair[0 if larger == comparison.most else 1].side, quotes, line)


@dataclass(frozen=True, slots=True)
class _Worth:
    value: _Value
    shown: str
    quotes: tuple[Unit, ...]


def _worth(
    question: str,
    comparison: Comparison,
    read_of: Read,
    quotable: Sequence[Unit],
    about: Callable[[str], Sequence[Unit]],
) -> _Worth | None:
    """Return the value of one side with the units that bear it. Of lives, the beginning of what is about somebody
    tells more surely than what was read out; else what was read out must be borne out by its sources."""
    through = read_of.through
    if comparison.by in ("birth", "death", "life"):
        steps = supporting(question, f"{read_of.side}: {through}", read_of.labels, quotable) if through else ()
        if through and not steps:
            return None
        for unit in about(through or read_of.side)[:_LIFE_UNITS]:
            if (life := _life(unit.text, comparison.by)) is not None:
                return _Worth(life[0], f"{through}, {life[1]}" if through else life[1], (*steps, unit))
    quotes = supporting(question, f"{read_of.side}: {read_of.said}", read_of.labels, quotable)
    value = _value(read_of.said, comparison)
    return _Worth(value, read_of.said, quotes) if quotes and value is not None else None


def _value(said: str, comparison: Comparison) -> _Value | None:
    if comparison.by == "same":
        last = content(said.rpartition(",")[2]) or content(said)
        return frozenset(last) or None
    if comparison.by == "number":
        return _quantity(said)
    if comparison.by == "life":
        return None
    dates = _dates(said)
    if not dates:
        return None
    return dates[-1][0] if comparison.by == "death" else dates[0][0]


def _life(text: str, by: str) -> tuple[_Value, str] | None:
    """Return the date of a birth or a death that a sentence tells, or how many days a life had."""
    dates = _dates(text)
    both = next(((a, b) for a, b in pairwise(dates) if _UNTIL.fullmatch(_between(text, a[2], b[1]))), None)
    if by == "life":
        if both is None:
            return None
        (year, month, day), (end, last, until) = both[0][0], both[1][0]
        days = (end - year) * 365.25 + (last - month) * 30.44 + (until - day)
        return (days, "days"), f"{text[both[0][1] : both[0][2]]} to {text[both[1][1] : both[1][2]]}"
    if both is not None:
        value, start, end = both[0 if by == "birth" else 1]
        return value, text[start:end]
    word = _BORN if by == "birth" else _DIED
    told = word.search(text)
    after = [date for date in dates if told and date[1] >= told.end()]
    return (after[0][0], text[after[0][1] : after[0][2]]) if after else None


def _between(text: str, start: int, end: int) -> str:
    """What stands between two dates, without the place of the first, as ", in Leith – " has it."""
    return re.sub(r"^,?(?: (?:in|at) [^–—-]{1,60}?)?(?=\s*[–—-])", "", text[start:end])


def _dates(text: str) -> list[tuple[tuple[int, int, int], int, int]]:
    """Return the dates of a text in order, each as year, month and day (0 where it is not told), with its place."""
    found: list[tuple[tuple[int, int, int], int, int]] = []
    for form in _DATES:
        for match in form.finditer(text):
            if any(match.start() < end and start < match.end() for _, start, end in found):
                continue
            parts = match.groupdict()
            month = _MONTHS[parts["month"].lower()] if parts.get("month") else int(parts.get("number") or 0)
            found.append(((int(parts["year"]), month, int(parts.get("day") or 0)), match.start(), match.end()))
    return sorted(found, key=lambda date: date[1])


def _quantity(text: str) -> tuple[float, str] | None:
    match = _QUANTITY.search(text)
    if match is None:
        return None
    unit = (match[2] or "").lower()
    number = float(match[1].replace(",", "")) * _MULTIPLES.get(unit, 1)
    return number, "" if unit in _MULTIPLES else " ".join(content(unit)) or unit


def _larger(first: _Value, second: _Value) -> bool | None:
    """Return whether the first value is the larger one; None where they are equal or of two kinds."""
    if isinstance(first, frozenset) or isinstance(second, frozenset):
        return None
    if len(first) == 3 and len(second) == 3:
        for here, there in zip(first, second, strict=True):
            if 0 in (here, there):
                return None  # the same year, and the day of one is not told
            if here != there:
                return here > there
        return None
    if len(first) == 2 and len(second) == 2 and first[1] == second[1] and first[0] != second[0]:
        return first[0] > second[0]
    return None


def _same(first: _Worth, second: _Worth) -> bool:
    here, there = first.value, second.value
    return isinstance(here, frozenset) and isinstance(there, frozenset) and (here <= there or there <= here)


def _read(question: str, line: str) -> Read | None:
    """Split a line behind the side that it begins with, which may itself hold a colon: as much as the question says."""
    bare = unlabelled(line)
    for colon in reversed([match.start() for match in re.finditer(":", bare)]):
        said = bare[colon + 1 :].strip(" .")
        side = re.findall(r"\w+", bare[:colon])
        spelled = re.search(r"\W+".join(side) or r"(?!)", question, re.IGNORECASE)
        if said and spelled:
            return Read(spelled.group(), said, tuple(labels_of(line)))
    return None
