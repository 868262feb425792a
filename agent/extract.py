"""Answers without a model: the sentences that best cover what is asked, and what a name leads to from there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.terms import content, stem
from agent.units import Unit
from ingest.names import identifiers, phrases, words
from ingest.types import Kind

COVERED = 0.5
"""Share of the question's words, by weight, that the sentences and headers must hold; below it nothing is said."""

_MOST_SENTENCES = 3
_LEAST_GAIN = 0.08  # of the question's weight: what another sentence must add
_BRIDGE = 0.25  # what a sentence gains for being about a name that a chosen sentence brought up


@dataclass(frozen=True, slots=True)
class _Candidate:
    unit: Unit
    terms: frozenset[str]
    header: frozenset[str]
    order: int


def extract(question: str, quotable: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return up to three units that answer the question best, in the order chosen; () where they cover too little.

    Each next unit is valued by the weight of the question's words that the ones before lack, and by names that they
    brought up: that is the hop. A word weighs more the fewer units hold it.
    """
    asked = content(question)
    candidates = [
        _Candidate(u, frozenset(content(u.text)), frozenset(content(u.passage.header)), i)
        for i, u in enumerate(quotable)
    ]
    weights = {t: math.log(1 + (len(candidates) + 1) / (0.5 + sum(t in c.terms for c in candidates))) for t in asked}
    whole = sum(weights.values())
    if not candidates or not whole:
        return ()
    chosen: list[_Candidate] = []
    held: set[str] = set()
    bridges: set[str] = set()
    for _ in range(_MOST_SENTENCES):
        rest = [c for c in candidates if not any(_overlap(c.unit, d.unit) for d in chosen)]
        best = max(rest, key=lambda c: (_gain(c, weights, held, bridges) / whole, -c.order), default=None)
        if best is None or _gain(best, weights, held, bridges) / whole < _LEAST_GAIN:
            break
        chosen.append(best)
        held |= best.terms | best.header
        bridges |= _bridges(best.unit, set(asked))
    covered = sum(w for t, w in weights.items() if t in held) / whole
    return tuple(c.unit for c in chosen) if covered >= COVERED else ()


def quoted(unit: Unit, kind: Kind) -> str:
    """Return a unit as a sentence of an answer: code between backticks."""
    return "`" + unit.text.replace("`", "'") + "`" if kind == "code" else unit.text


def _gain(candidate: _Candidate, weights: dict[str, float], held: set[str], bridges: set[str]) -> float:
    """Words in the sentence count in full, words in its header half: it says what the sentence is about."""
    said = sum(w for t, w in weights.items() if t not in held and t in candidate.terms)
    about = sum(w for t, w in weights.items() if t not in held and t in candidate.header - candidate.terms)
    names = (candidate.terms | candidate.header) & bridges
    hop = _BRIDGE * sum(weights.values()) if names and said else 0.0
    # Of two sentences that hold the same words the shorter one answers more directly.
    return said + 0.5 * about + hop - 0.0005 * len(candidate.unit.text)


def _bridges(unit: Unit, asked: set[str]) -> set[str]:
    names = (*phrases(unit.text), *identifiers(unit.text))
    return {stem(w) for name in names for w in words(name)} - asked


def _overlap(a: Unit, b: Unit) -> bool:
    return (
        a.passage.label == b.passage.label
        and a.start <= b.end
        and b.start <= a.end
        and (a.text in b.text or b.text in a.text or a.start != a.end)
    )
