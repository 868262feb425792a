"""Reflection: what the evidence covers of the question and its plan, and what it lacks, without asking a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.contradictions import Contradiction, contradictions
from agent.plan import NUMERIC, Part, Plan
from agent.terms import content, stem
from agent.types import Reflected
from ingest.names import identifiers, phrases, words
from ingest.sentences import sentences
from retrieval.types import Passage

ENOUGH = 0.6
"""Share of the question's words that the evidence must hold, every name among them. Given both gold passages of a
question this says "enough" for 91 / 90 / 64 % (HotpotQA / 2Wiki / MuSiQue, training questions), given the first alone
for 24 / 12 / 4 %, given two others for none."""

_MOST_NEW_NAMES = 4
_MOST_LABELS = 2  # of one sub-question
_MOST_LINKS = 3
_ROOT = 5  # letters
_COVERED = 0.5
"""Share of a sub-question's words that one passage must hold. Of questions with sub-questions (HotpotQA / 2Wiki /
MuSiQue, those that we tune on) all are covered for 57 / 43 / 17 % given the gold passages, for 13 / 3 / 1 % given the
first alone, and for none given two others. What is called open may be answered in other words."""
_LONGEST_FACT = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """How one sub-question stands. `labels` are the passages that cover it, best first; () while it is open. `fact`
    is the sentence of the first of them that holds most of its words, "" while it is open."""

    part: Part
    labels: tuple[str, ...]
    fact: str


@dataclass(frozen=True, slots=True)
class Link:
    """A passage, by label, that holds several of the plan's names: there two threads meet."""

    label: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reflection:
    """What is known and what is lacking. `coverage` is the share of the question's words that some passage holds.

    `lacking_names` are names in the question that no passage holds, `lacking_words` other words of it; `new_names` are
    names that the passages mention, no passage defines, and the question does not have: where a next hop may lead.
    `parts` are the plan's sub-questions and what covers them, `links` passages in which names of the plan meet,
    `contradictions` what two documents say differently. `owed` are the open sub-questions of a plan that a person
    changed: as long as there are any, the evidence is not enough.
    """

    known: tuple[str, ...]
    lacking_names: tuple[str, ...]
    lacking_words: tuple[str, ...]
    new_names: tuple[str, ...]
    coverage: float
    parts: tuple[Seen, ...] = ()
    links: tuple[Link, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    owed: tuple[str, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether the evidence covers the question, so that no further step is worth its time."""
        return not self.lacking_names and not self.owed and self.coverage >= ENOUGH

    @property
    def line(self) -> str:
        """The reflection in one line."""
        parts = [f"known: {', '.join(self.known) or 'nothing'}"]
        lacking = (*self.lacking_names, *self.lacking_words, *self.owed)
        parts.append(f"lacking: {', '.join(lacking) or 'nothing'}")
        if self.new_names:
            parts.append(f"new names: {', '.join(self.new_names)}")
        return "; ".join(parts)


def reflect(question: str, plan: Plan, passages: Sequence[Passage]) -> Reflection:
    """Return what the passages cover of the question and what they lack."""
    texts = [f"{p.header}\n{p.text}" for p in passages]
    words_of_each = [words(text) for text in texts]
    held_by_each = [{stem(w) for w in found} for found in words_of_each]
    held = set().union(*held_by_each)
    lacking_names = tuple(n for n in plan.names if not _held(n, held_by_each))
    known_names = [n for n in plan.names if n not in lacking_names]
    in_names = {stem(w) for n in plan.names for w in words(n)}
    asked = content(question)
    others = [w for w in _spelled(question) if stem(w) not in in_names]
    known = (*known_names, *(w for w in others if stem(w) in held))
    open_words = tuple(w for w in others if stem(w) not in held)
    coverage = sum(t in held for t in asked) / len(asked) if asked else 1.0
    parts = _parts(plan, passages, held_by_each)
    return Reflection(
        known,
        lacking_names,
        open_words,
        _new_names(question, passages, texts),
        coverage,
        parts=parts,
        links=_links(plan, passages, words_of_each),
        contradictions=contradictions(passages, [n for n in known_names if not n.islower()]),
        owed=tuple(seen.part.text for seen in parts if plan.edited and not seen.labels),
    )


def reflected(reflection: Reflection, *, over: bool = False) -> Reflected:
    """Return the event of a reflection. `over`: nothing more is tried, whatever is lacking."""
    then: Literal["continue", "stop"] = "stop" if over or reflection.enough else "continue"
    return Reflected(reflection.line, reflection.enough, reflection, then)


def _parts(plan: Plan, passages: Sequence[Passage], held_by_each: Sequence[set[str]]) -> tuple[Seen, ...]:
    """Each sub-question with the passages that cover it; one that takes the outcome of an open one is open too."""
    found: list[Seen] = []
    roots = [{_root(t) for t in held} for held in held_by_each] if plan.parts else []
    for part in plan.parts:
        within = f" {' '.join(words(part.query))} "
        names = [n for n in plan.names if f" {' '.join(words(n))} " in within]
        asked = set(content(part.query)) - {stem(w) for n in names for w in words(n)}
        worth = {
            passage.label: _cover(asked, names, passage, held, known, numeric=part.sought in NUMERIC)
            for passage, held, known in zip(passages, held_by_each, roots, strict=True)
        }
        waits = any(0 < n <= len(found) and not found[n - 1].labels for n in part.after)
        best = [] if waits else sorted((p for p in passages if worth[p.label]), key=lambda p: -worth[p.label])
        fact = said(best[0], set(content(part.query))) if best else ""
        found.append(Seen(part, tuple(p.label for p in best[:_MOST_LABELS]), fact))
    return tuple(found)


def _cover(
    asked: set[str], names: Sequence[str], passage: Passage, held: set[str], roots: set[str], *, numeric: bool
) -> float:
    """How well a passage covers a sub-question: 0 unless it holds the names, half of the other words, and a digit where
    a number is sought. One that defines a name counts before one that mentions it."""
    covered = sum(_root(t) in roots for t in asked) / len(asked) if asked else 1.0
    digit = not numeric or any(c.isdigit() for c in passage.excerpt)
    if covered < _COVERED or not digit or not all(_holds(n, held) for n in names):
        return 0.0
    defined = [words(n) for n in passage.names]
    return covered + any(words(n) in defined for n in names)


def _root(term: str) -> str:
    """What "directed" and "director" have in common."""
    return term[:_ROOT] if term.isalpha() else term


def said(passage: Passage, asked: set[str]) -> str:
    """Return the sentence or line of the excerpt that holds most of the word stems `asked`, the first of equals; a
    heading or a comment only where there is nothing else."""
    told = [s for line in passage.excerpt.splitlines() for s in sentences(line) if any(c.isalnum() for c in s)]
    best = max(told, key=lambda s: (not s.startswith("#"), len(asked & set(content(s)))), default="")
    return best[:_LONGEST_FACT]


def _links(plan: Plan, passages: Sequence[Passage], words_of_each: Sequence[Sequence[str]]) -> tuple[Link, ...]:
    """The passages that hold two or more of the plan's names, those with most first."""
    names = {n: f" {' '.join(words(n))} " for n in plan.names if not n.islower() or "_" in n}
    if len(names) < 2:
        return ()
    found = []
    for passage, written in zip(passages, words_of_each, strict=True):
        body = f" {' '.join(written)} "
        if len(held := tuple(n for n, folded in names.items() if folded in body)) > 1:
            found.append(Link(passage.label, held))
    return tuple(sorted(found, key=lambda link: -len(link.names))[:_MOST_LINKS])


def unheard(names: Sequence[str], passages: Sequence[Passage]) -> tuple[str, ...]:
    """Return the names that none of the passages holds; of "A and B", one may hold each."""
    held_by_each = [{stem(w) for w in words(f"{p.header}\n{p.text}")} for p in passages]
    return tuple(n for n in names if not _held(n, held_by_each))


def _held(name: str, held_by_each: Sequence[set[str]]) -> bool:
    pieces = name.split(" and ")
    return all(any(_holds(piece, here) for here in held_by_each) for piece in pieces)


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
