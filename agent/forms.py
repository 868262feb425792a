"""The form of an answer: how a question says which it wants, and what each form takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.answer import MAX_TOKENS, shown
from agent.guard import Marker, visible
from agent.ledger import Ledger
from agent.models import Message
from agent.plan import Plan
from agent.prompts import prompt
from agent.terms import content
from agent.types import Form
from retrieval.types import Passage

MOST_SECTIONS = 5
"""Sections of a report; each is one call of the model."""

_FEWEST_SECTIONS = 2
_SHORT = re.compile(
    r"[,;]?\s*(?:\b(?:please\s+)?(?:answer\s+|reply\s+)?(?:in|with)\s+(?:only\s+)?"
    r"(?:one|a|a\s+single|a\s+short)\s+(?:sentence|word|phrase|line)\b|\b(?:answer\s+)?briefly\b)[:,]?\s*",
    re.IGNORECASE,
)
_TABLE = re.compile(
    r"[,;]?\s*\b(?:as|in|into)\s+(?:a|one)\s+(?:markdown\s+|short\s+|small\s+)?table(?:\s+form)?\s*(?:[:,.?!]\s*|$)"
    r"|^\s*(?:please\s+)?(?:make|draw|write|give\s+me|show(?:\s+me)?)\s+(?:a|one)\s+table\s+(?:of|with|about|on|for)\s+"
    r"|^\s*(?:please\s+)?tabulate\s+",
    re.IGNORECASE,
)
_REPORT = re.compile(
    r"^\s*(?:please\s+)?(?:write|draft|prepare|make|give\s+me|produce)\s+(?:(?:a|an|the)\s+)?(?:\w+\s+){0,2}?report\s+"
    r"(?:on|about|of)\s+"
    r"|^\s*report\s+on\s+|[,;]?\s*\b(?:as|in)\s+a\s+(?:\w+\s+)?report\s*(?:[:,.?!]\s*|$)",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(
    r"^\s*(?:please\s+)?(?:explain|describe|summari[sz]e)\s+(?:to\s+me\s+|in\s+detail\s+)?"
    r"|[,;]?\s*\b(?:answer\s+)?in\s+(?:a|one|a\s+short)\s+paragraph\s*(?:[:,.?!]\s*|$)|[,;]?\s*\b(?:answer\s+)?in\s+detail\s*(?:[:,.?!]\s*|$)",
    re.IGNORECASE,
)
_BY_RULE: tuple[tuple[Form, re.Pattern[str]], ...] = (
    ("short", _SHORT),
    ("table", _TABLE),
    ("report", _REPORT),
    ("paragraph", _PARAGRAPH),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, without the words that only say in which form."""

    form: Form
    subject: str


@dataclass(frozen=True, slots=True)
class Part:
    """One call of a longer form: what it is to write of, and from which passages. A report has several."""

    title: str
    passages: tuple[Passage, ...]
    follow_up: str = ""


def read_form(question: str, chosen: Form | Literal["auto"] = "auto") -> Asked:
    """Return the form that is chosen or that the question asks for, short where it asks for none, and its subject."""
    for form, wording in _BY_RULE:
        subject = wording.sub(" ", question).strip()
        if subject != question.strip() and content(subject):
            wanted = form if chosen == "auto" else chosen
            return Asked(wanted, question.strip() if wanted == "short" else subject)
    return Asked("short" if chosen == "auto" else chosen, question.strip())


def max_tokens(form: Form) -> int:
    """Return how many tokens one call may write: a report's are those of one section."""
    return {"short": MAX_TOKENS, "paragraph": 320, "report": 240, "table": 400}[form]


def form_messages(form: Form, part: Part, question: str, marker: Marker, profile: str) -> list[Message]:
    """Return the conversation that asks for one part of a longer form; `form` is not short."""
    sources = "\n\n".join(shown(passage) for passage in part.passages)
    section = f"\nSection: {visible(part.title)}" if part.title else ""
    asked = f"Sources:\n{marker.wrap(sources)}\n\nQuestion: {visible(question)}{section}\nAnswer:"
    return [{"role": "system", "content": prompt(f"{form}_{profile}")}, {"role": "user", "content": asked}]


def parts(form: Form, subject: str, plan: Plan, ledger: Ledger, limit: int) -> list[Part]:
    """Return what a longer form is written from: one part, or a report's sections with `limit` passages each."""
    if form != "report":
        return [Part("", tuple(ledger.best(limit + 2, plan.names)))]
    titles = _titles(plan, list(ledger))
    found = [
        Part(title, _about(title, subject, list(ledger), limit), f"Explain {title}: {subject}") for title in titles
    ]
    return [part for part in found if part.passages]


def _titles(plan: Plan, passages: Sequence[Passage]) -> list[str]:
    """What a report is divided by: the parts of the question; where that has one only, the headings that were found."""
    headers = [set(content(passage.header)) for passage in passages]
    aims = [part.query for part in plan.parts] if plan.edited else plan.aims
    named = list(dict.fromkeys(piece for aim in aims for piece in _pieces(aim, headers) if content(piece)))
    if len(named) < _FEWEST_SECTIONS:
        headings = [heading for passage in passages if (heading := _heading(passage))]
        known = {" ".join(content(title)) for title in named}
        named += [h for h in dict.fromkeys(headings) if " ".join(content(h)) not in known]
    return [title[0].upper() + title[1:] if title.islower() else title for title in named[:MOST_SECTIONS]]


def _pieces(name: str, headers: Sequence[set[str]]) -> list[str]:
    """A name, or where it joins two that were found each by itself, these: "Heron and Crane"."""
    pieces = name.split(" and ")
    terms = [set(content(piece)) for piece in pieces]
    apart = all(any(own <= held and not own.issuperset(held) for held in headers) for own in terms)
    together = any(set().union(*terms) <= held for held in headers)
    return pieces if apart and not together else [name]


def _heading(passage: Passage) -> str:
    """A passage's nearest heading, or its file's name where it has none."""
    last = passage.header.rsplit(" > ", 1)[-1].strip()
    return last.rsplit("/", 1)[-1].rsplit(".", 1)[0] if last == passage.path else last


def _about(title: str, subject: str, passages: Sequence[Passage], limit: int) -> tuple[Passage, ...]:
    """The passages that hold most of a section's words, then most of the question's; by label."""
    wanted, asked = set(content(title)), set(content(subject))

    def worth(passage: Passage) -> tuple[int, int]:
        held = set(content(f"{passage.header}\n{passage.text}"))
        return len(wanted & held), len(asked & held)

    best = sorted((p for p in passages if worth(p)[0]), key=worth, reverse=True)[:limit]
    return tuple(sorted(best, key=lambda p: int(p.label)))
