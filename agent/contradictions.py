"""Contradictions between sources: two statements that are the same but for one value.

Only what cannot well be meant otherwise is reported. Two sentences that differ in a condition, a platform, a version or
a year may both be true; so may two of one document, of two versions of it, or of a test.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePosixPath

from agent.entailment import Statement, statement
from agent.terms import content, numbers
from agent.units import Unit, units
from ingest.names import words
from ingest.types import Kind
from retrieval.types import Passage

MOST = 2
"""Contradictions that are reported of one question."""

_MOST_STATEMENTS = 20  # that say the same of one name
# Words that qualify nothing: with them or without them, the same is said.
_NEUTRAL = frozenset(content("default value set equals constant setting option parameter defined exactly total whole"))
# What stands here was true at another time, or of something made up.
_ELSEWHEN = re.compile(
    r"(?:^|[/._-])(?:tests?|testing|fixtures?|examples?|samples?|demos?|changes|changelog|release[-_]?notes|releases?|"
    r"history|news|archived?|old|legacy|v?\d+(?:[._]\w+)*)(?=[/._-]|$)",
    re.IGNORECASE,
)

# A plain lower-case word names another thing in every document.
_DISTINCT = re.compile(r"[A-Z]|\w[_.]\w|^--\w")
_NAMED = re.compile(r"`?([A-Z]\w*[\w.]*\w|\w+_\w+)`?\s(?!and\b|or\b)")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_SETTINGS = frozenset(
    """linux windows macos mac android ios docker kubernetes production staging development debug testing free pro
    enterprise community beta alpha draft legacy deprecated old new cloud""".split()
)


@dataclass(frozen=True, slots=True)
class _Said:
    said: Statement
    unit: Unit
    code: bool


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two units of different documents that say the same about `about`, but each another of the `values`."""

    about: str
    values: tuple[str, str]
    units: tuple[Unit, Unit]


def contradictions(
    passages: Sequence[Passage], names: Sequence[str], kind: Callable[[str], Kind] = lambda path: "prose"
) -> tuple[Contradiction, ...]:
    """Return where passages of different documents contradict each other in what they say of one of the names.

    `kind` says of a path whether it is code. Without names there are none: what is not asked about is not reported.
    """
    each = [part for name in names for part in name.split(" and ") if _DISTINCT.search(part)]
    asked = [(name, frozenset(content(name))) for name in each]
    groups: dict[tuple[str, frozenset[str]], list[_Said]] = defaultdict(list)
    for passage in passages:
        if _ELSEWHEN.search(passage.path):
            continue
        code = kind(passage.path) == "code"
        before = ""
        for unit in units(passage, "code" if code else "prose"):
            said = None if code and unit.start != unit.end else statement(_with_name(unit.text, before))
            before = unit.text
            about = said and next((name for name, needed in asked if needed and needed <= said.subject), None)
            if said and about:
                groups[about, said.subject - _NEUTRAL].append(_Said(said, unit, code))
    found: dict[tuple[str, frozenset[str]], Contradiction] = {}
    for (about, _), said_of_it in groups.items():
        for one, other in combinations(said_of_it[:_MOST_STATEMENTS], 2):
            values = _values(one.said, other.said)
            if values and not (one.code and other.code) and _apart(one.unit, other.unit):
                found.setdefault((about, frozenset(values)), Contradiction(about, values, (one.unit, other.unit)))
    return tuple(found.values())[:MOST]


def _with_name(text: str, before: str) -> str:
    """A sentence that begins with "It" with the name in its place with which the sentence before it begins."""
    named = _NAMED.match(before)
    return f"{named[1]}{text[2:]}" if named and text.startswith("It ") else text


def _apart(one: Unit, other: Unit) -> bool:
    """Whether two units are of documents that may be meant to say the same of the same thing: not of one, not of two of
    one name, and not under headings of which one is for a platform, a version or a year, and the other is not."""
    a, b = PurePosixPath(one.passage.path), PurePosixPath(other.passage.path)
    return a != b and a.name != b.name and _setting(one) == _setting(other)


def _setting(unit: Unit) -> set[str]:
    heading = unit.passage.header
    return set(numbers(heading)) | set(words(heading)) & _SETTINGS


def _values(one: Statement, other: Statement) -> tuple[str, str] | None:
    """The values in which two statements differ, which say the same otherwise."""
    if one.limits != other.limits:
        return None
    if len(one.numbers) == len(other.numbers) == 1 and one.denied == other.denied:
        (a, first), (b, second) = one.numbers[0], other.numbers[0]
        plain = [bool(_PLAIN.fullmatch(value)) for value in (a, b)]  # neither a version nor a time of day
        return (first, second) if all(plain) and float(a) != float(b) else None
    if not one.numbers and not other.numbers and one.denied != other.denied and len(one.subject) > 1:
        return one.text, other.text
    return None
