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
    constants = [(p, name, number) for p in passages for name, number in _constants(p).items()]
    found: dict[str, Contradiction] = {}
    for (a, name, one), (b, other, two) in combinations(constants, 2):
        if name == other and a.path != b.path and one != two:
            found.setdefault(name, Contradiction(name, (a.label, b.label), one, two))
    for name in names:
        told = [(p, *statement) for p in passages for statement in _statements(name, p)]
        for (a, said, terms, one), (b, also, others, two) in combinations(told, 2):
            common = terms & others
            alike = len(common) >= max(_LEAST_WORDS, _ALIKE * len(terms | others))
            if a.path != b.path and one != two and alike:
                found.setdefault(name, Contradiction(name, (a.label, b.label), said, also))
    return tuple(found.values())[:_MOST_TOLD]


def _constants(passage: Passage) -> dict[str, str]:
    """Constants that the passage gives one number, and no other."""
    given: dict[str, set[str]] = {}
    for match in _CONSTANT.finditer(passage.excerpt):
        given.setdefault(match[1], set()).add(match[2])
    return {name: min(values) for name, values in given.items() if len(values) == 1}


def _statements(name: str, passage: Passage) -> list[tuple[str, frozenset[str], str]]:
    """Sentences that hold the name and one number beside it: the sentence, its other words, the number."""
    named = words(name)
    if not named or f" {' '.join(named)} " not in f" {' '.join(words(passage.excerpt))} ":
        return []
    found = []
    for line in passage.excerpt.splitlines():
        for sentence in sentences(line):
            said = words(sentence)
            held = f" {' '.join(named)} " in f" {' '.join(said)} "
            values = [n for n in numbers(sentence) if n not in numbers(name)]
            if held and len(values) == 1 and len(sentence) <= _LONGEST:
                kept = {stem(w) for w in said if w not in STOPWORDS and w not in named and not w.isdigit()}
                found.append((sentence, frozenset(kept), values[0]))
    return found
