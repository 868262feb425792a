"""Contradictions: two sources that say the same of the same thing with different numbers. Precision before recall."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.terms import STOPWORDS, numbers, stem
from agent.units import Unit, units
from ingest.names import words
from retrieval.types import Passage

_MOST_TOLD = 3
_LEAST_WORDS = 3  # that two statements must share beside the name
_ALIKE = 0.75  # share of the words of both, numbers left out, that they must have in common
_DIGIT = re.compile(r"\d")
_LONGEST = 300  # characters of a statement: a table's row or a minified line says nothing
# A constant and the number it is given: `HERON_RETENTION = 45`, "`HERON_RETENTION` defaults to 30", "(default: 30)".
_CONSTANT = re.compile(
    r"(?<![\w.])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`{0,2}[\"']?\s*"
    r"(?:=|:|\(?\s*(?:is|defaults? (?:to|is)|default:?|by default)\s)\s*(\d+(?:\.\d+)?)(?!\w|\.\d|\s*[-*/+])"
)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two units of different documents that say the same about `about`, but each another of the `values`."""

    about: str
    values: tuple[str, str]
    units: tuple[Unit, Unit]


def contradictions(passages: Sequence[Passage], names: Sequence[str]) -> tuple[Contradiction, ...]:
    """Return what different documents say differently: of one of the names, in statements that agree in all but
    their one number; and of a constant that each gives one number. () where that cannot be told."""
    found: dict[str, Contradiction] = {}
    counted = [
        unit for p in passages if _DIGIT.search(p.text) for unit in units(p, "prose") if _DIGIT.search(unit.text)
    ]
    for name, given in _constants(counted).items():
        for (a, one), (b, two) in combinations(given, 2):
            # Two modules may each have a constant of that name; what documentation says of it is another thing.
            both_assign = all(re.search(rf"\b{name}\b\s*=", unit.text) for unit in (a, b))
            if a.passage.path != b.passage.path and one != two and not both_assign:
                found.setdefault(name, Contradiction(name, (one, two), (a, b)))
    for name in names:
        told = [(unit, *stated) for unit in counted if (stated := _statement(name, unit.text))]
        for (a, terms, one), (b, others, two) in combinations(told, 2):
            alike = len(terms & others) >= max(_LEAST_WORDS, _ALIKE * len(terms | others))
            if a.passage.path != b.passage.path and one != two and alike:
                found.setdefault(name, Contradiction(name, (one, two), (a, b)))
    return tuple(found.values())[:_MOST_TOLD]


def _constants(counted: Sequence[Unit]) -> dict[str, list[tuple[Unit, str]]]:
    """Constants with where each is given a number; a document that gives one several numbers is left out of it."""
    given: dict[str, dict[str, list[tuple[Unit, str]]]] = {}
    for unit in counted:
        for match in _CONSTANT.finditer(unit.text):
            given.setdefault(match[1], {}).setdefault(unit.passage.path, []).append((unit, match[2]))
    return {
        name: [told[0] for told in by_path.values() if len({number for _, number in told}) == 1]
        for name, by_path in given.items()
    }


def _statement(name: str, sentence: str) -> tuple[frozenset[str], str] | None:
    """The other words and the number of a sentence that begins with the name and has one number beside it.

    One that only mentions the name speaks of something else, and so may give another number.
    """
    named, told = words(name), words(sentence)
    if len(sentence) > _LONGEST or told[told[:1] in (["the"], ["a"], ["an"]) :][: len(named)] != named:
        return None
    values = [n for n in numbers(sentence) if n not in numbers(name)]
    kept = frozenset(stem(w) for w in told if w not in STOPWORDS and w not in named and not w.isdigit())
    return (kept, values[0]) if len(values) == 1 else None
