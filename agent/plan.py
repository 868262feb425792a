"""The plan: what a question names, what kind of question it is, and where to start. Rules, no model call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agent.terms import STOPWORDS
from ingest.names import identifiers, phrases, unique, words

_QUOTED = re.compile(r"[\"“]([^\"”\n]{2,80})[\"”]")
_COMPARES = re.compile(
    r"\b(?:both|same|either|older|younger|earlier|later|first|more|less|fewer|larger|smaller|longer|shorter|higher|lower|"
    r"differ\w*|compare\w*|versus|vs|in common)\b",
    re.IGNORECASE,
)
_JOINS = re.compile(r"\b(?:or|and|versus|vs|than|from)\b", re.IGNORECASE)
# One thing is described through another: "the setting that …", "the author whose …", "X of the Y of Z".
_NESTED = re.compile(r"\b(?:that|which|who|whose|whom|where)\b.+|\bof the\b.+\bof\b|['’]s\b.+['’]s\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the run sets out to do.

    `names` are the names in the question as it spells them, `parts` what is to be found, in order.
    """

    kind: Literal["simple", "comparison", "chain"]
    names: tuple[str, ...]
    parts: tuple[str, ...]

    @property
    def line(self) -> str:
        """The plan in one line."""
        how = {
            "simple": "look it up",
            "comparison": "find each, then compare",
            "chain": "follow the names from one source to the next",
        }[self.kind]
        return f"{how}: {' → '.join(self.parts)}" if self.parts else how


def make_plan(question: str) -> Plan:
    """Return the plan for a question: simple, a comparison of two or more named things, or a chain of names."""
    names = question_names(question)
    if _COMPARES.search(question):  # "A and B" reads like one name, as "War and Peace" is
        names = tuple(part for name in names for part in name.split(" and "))
    if len(names) > 1 and _COMPARES.search(question) and _JOINS.search(question):
        return Plan("comparison", names, names)
    asked = _what_is_asked(question, names)
    parts = (*names, *([asked] if asked else []))
    nested = _NESTED.search(question.partition(" ")[2])
    return Plan("chain" if nested or len(names) > 1 else "simple", names, parts)


def question_names(question: str) -> tuple[str, ...]:
    """Return quoted strings, identifiers and capitalised phrases, as the question spells them, none inside another."""
    spelled = [m.group(1) for m in _QUOTED.finditer(question)] + identifiers(question)
    for phrase in phrases(question):
        kept = phrase.split()
        while kept and kept[0] in STOPWORDS:  # "Which Django", "Does Heron": the question's own first word
            kept = kept[1:]
        if kept:
            spelled.append(_as_spelled(question, kept))
    names = [n for n in unique(spelled) if n.lower() not in STOPWORDS]
    folded = {n: f" {' '.join(words(n))} " for n in names}
    return tuple(n for n in names if not any(folded[n] in folded[m] and len(m) > len(n) for m in names))


def _as_spelled(question: str, name_words: list[str]) -> str:
    found = re.search(r"\W+".join(map(re.escape, name_words)), question, re.IGNORECASE)
    return found.group() if found else " ".join(name_words)


def _what_is_asked(question: str, names: tuple[str, ...]) -> str:
    rest = question
    for name in names:
        rest = rest.replace(name, " ")
    return " ".join(w for w in words(rest) if w not in STOPWORDS and len(w) > 1)
