"""Contradictions: two sources that say the same of the same thing with different numbers. Precision before recall."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.terms import STOPWORDS, numbers, stem
from ingest.names import words
from ingest.sentences import sentences
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
    """Two passages, by label, that give different numbers for `what`; `first` and `second` are what each says."""

    what: str
    labels: tuple[str, str]
    first: str
    second: str

    @property
    def line(self) -> str:
        """Both sides."""
        return f"{self.what}: [{self.labels[0]}] {self.first} / [{self.labels[1]}] {self.second}"


def contradictions(names: Sequence[str], passages: Sequence[Passage]) -> tuple[Contradiction, ...]:
    """Return what different documents say differently: of one of the names, in statements that agree in all but
    their one number; and of a constant that each gives one number. () where that cannot be told."""
    found: dict[str, Contradiction] = {}
    constants: dict[str, list[tuple[Passage, str]]] = {}
    for passage in passages:
        for name, number in _constants(passage).items():
            constants.setdefault(name, []).append((passage, number))
    for name, given in constants.items():
        for (a, one), (b, two) in combinations(given, 2):
            if a.path != b.path and one != two:
                found.setdefault(name, Contradiction(name, (a.label, b.label), one, two))
    counted = [(p, sentence) for p in passages for sentence in _with_a_number(p)]
    for name in names:
        told = [(p, *stated) for p, sentence in counted if (stated := _statement(name, sentence))]
        for (a, terms, one, said), (b, others, two, also) in combinations(told, 2):
            alike = len(terms & others) >= max(_LEAST_WORDS, _ALIKE * len(terms | others))
            if a.path != b.path and one != two and alike:
                found.setdefault(name, Contradiction(name, (a.label, b.label), said, also))
    return tuple(found.values())[:_MOST_TOLD]


def _constants(passage: Passage) -> dict[str, str]:
    """Constants that the passage gives one number, and no other."""
    given: dict[str, set[str]] = {}
    for match in _CONSTANT.finditer(passage.excerpt):
        given.setdefault(match[1], set()).add(match[2])
    return {name: min(values) for name, values in given.items() if len(values) == 1}


def _with_a_number(passage: Passage) -> list[str]:
    told = (s for line in passage.excerpt.splitlines() if _DIGIT.search(line) for s in sentences(line))
    return [sentence for sentence in told if len(sentence) <= _LONGEST and _DIGIT.search(sentence)]


def _statement(name: str, sentence: str) -> tuple[frozenset[str], str, str] | None:
    """The other words, the number and the text of a sentence that begins with the name and has one number beside it.

    One that only mentions the name speaks of something else, and so may give another number.
    """
    named, told = words(name), words(sentence)
    if told[told[:1] in (["the"], ["a"], ["an"]) :][: len(named)] != named:
        return None
    values = [n for n in numbers(sentence) if n not in numbers(name)]
    kept = frozenset(stem(w) for w in told if w not in STOPWORDS and w not in named and not w.isdigit())
    return (kept, values[0], sentence) if len(values) == 1 else None
