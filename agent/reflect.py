"""Reflection: what the evidence covers of the question and what it lacks, counted, not asked of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.plan import Plan
from agent.terms import content, stem
from ingest.names import identifiers, phrases, words
from retrieval.types import Passage

ENOUGH = 0.6
"""Share of the question's words that the evidence must hold, every name among them. Given both gold passages of a
question this says "enough" for 91 / 90 / 64 % (HotpotQA / 2Wiki / MuSiQue, training questions), given the first alone
for 24 / 12 / 4 %, given two others for none."""

_MOST_NEW_NAMES = 4


@dataclass(frozen=True, slots=True)
class Reflection:
    """What is known and what is lacking. `coverage` is the share of the question's words that some passage holds.

    `lacking_names` are names in the question that no passage holds, `lacking_words` other words of it; `new_names` are
    names that the passages mention, no passage defines, and the question does not have: where a next hop may lead.
    """

    known: tuple[str, ...]
    lacking_names: tuple[str, ...]
    lacking_words: tuple[str, ...]
    new_names: tuple[str, ...]
    coverage: float

    @property
    def enough(self) -> bool:
        """Whether the evidence covers the question, so that no further step is worth its time."""
        return not self.lacking_names and self.coverage >= ENOUGH

    @property
    def line(self) -> str:
        """The reflection in one line."""
        parts = [f"known: {', '.join(self.known) or 'nothing'}"]
        lacking = (*self.lacking_names, *self.lacking_words)
        parts.append(f"lacking: {', '.join(lacking) or 'nothing'}")
        if self.new_names:
            parts.append(f"new names: {', '.join(self.new_names)}")
        return "; ".join(parts)


def reflect(question: str, plan: Plan, passages: Sequence[Passage]) -> Reflection:
    """Return what the passages cover of the question and what they lack."""
    texts = [f"{p.header}\n{p.text}" for p in passages]
    held_by_each = [{stem(w) for w in words(text)} for text in texts]
    held = set().union(*held_by_each)
    known_names = [n for n in plan.names if any(_holds(n, here) for here in held_by_each)]
    lacking_names = tuple(n for n in plan.names if n not in known_names)
    in_names = {stem(w) for n in plan.names for w in words(n)}
    asked = content(question)
    others = [w for w in _spelled(question) if stem(w) not in in_names]
    known = (*known_names, *(w for w in others if stem(w) in held))
    open_words = tuple(w for w in others if stem(w) not in held)
    coverage = sum(t in held for t in asked) / len(asked) if asked else 1.0
    return Reflection(known, lacking_names, open_words, _new_names(question, passages, texts), coverage)


def _holds(name: str, held: set[str]) -> bool:
    return all(stem(w) in held for w in words(name))


def _spelled(question: str) -> list[str]:
    kept = set(content(question))
    return list(dict.fromkeys(w for w in words(question) if stem(w) in kept))


def _new_names(question: str, passages: Sequence[Passage], texts: Sequence[str]) -> tuple[str, ...]:
    """Names in the excerpts, identifiers first, the most repeated first among equals."""
    asked = f" {' '.join(words(question))} "
    defined = {n for p in passages for n in p.names} | {" ".join(words(n)) for p in passages for n in p.names}
    counts: dict[str, float] = {}
    for passage in passages:
        codes = identifiers(passage.excerpt)
        # Line by line: a heading and the sentence below it are no phrase. One word alone is too often just a capital.
        capitalised = [name for line in passage.excerpt.splitlines() for name in phrases(line) if " " in name]
        for name in (*codes, *capitalised):
            known = name in defined or " ".join(words(name)) in defined or f" {' '.join(words(name))} " in asked
            if not known:
                counts[name] = counts.get(name, 0.0) + (1.5 if name in codes else 1.0)
    ranked = sorted(counts, key=lambda n: (-counts[n], n))
    return tuple(ranked[:_MOST_NEW_NAMES])
