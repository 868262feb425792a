"""Notes and answers for the tests of memory."""

from __future__ import annotations

from agent.notes import Draft
from agent.types import Answer, Citation, Fact

ASKED = "Who keeps the letters of the harbour office?"
KEEPS = "Heron keeps the letters of the harbour office."
FILE = {"a.md": f"# Heron\n\n{KEEPS}\n"}


def cited(quote: str = KEEPS, path: str = "a.md", line: int = 3, label: str = "1", **more: object) -> Citation:
    return Citation(label, path, line, line, quote, **{"verified": True, **more})  # type: ignore[arg-type]


def fact(text: str = "Heron", *citations: Citation) -> Fact:
    return Fact(text, citations or (cited(),))


def draft(question: str = ASKED, *facts: Fact, untrusted: bool = True, **digests: str) -> Draft:
    facts = facts or (fact(),)
    known = {c.path: "0" * 64 for each in facts for c in each.citations}
    return Draft(question, facts, known | digests, untrusted)


def answer(text: str, *citations: Citation, form: str = "short") -> Answer:
    return Answer(ASKED, text, False, citations=citations, form=form)  # type: ignore[arg-type]
