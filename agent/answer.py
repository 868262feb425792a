"""The answer: one plain-text call over the best passages of the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from agent.guard import Marker, visible
from agent.models import Message
from agent.prompts import conversation
from ingest.sentences import sentences
from retrieval.types import Passage

NOT_SAID = "The sources do not say."

MAX_TOKENS = 160
STOP = ("\nQuestion:", "\nSources:", "\n\n\n")

_LONGEST_EXCERPT = 1200


def answer_messages(question: str, passages: Sequence[Passage], marker: Marker, prompt: str) -> list[Message]:
    """Return the conversation that asks for the answer: a prompt's instructions and examples, fenced sources, the
    question last.

    A small model reads the end of its prompt best, so the question stands after the sources. What comes before them is
    the same for every question, so that a model on this machine reads it once.
    """
    sources = "\n\n".join(shown(passage) for passage in passages)
    asked = f"Sources:\n{marker.wrap(sources)}\n\nQuestion: {visible(question)}\nAnswer:"
    begun: list[Message] = [{"role": who, "content": text} for who, text in conversation(prompt)]
    return [*begun, {"role": "user", "content": asked}]


def shown(passage: Passage, longest: int = _LONGEST_EXCERPT) -> str:
    """Return a passage as the model sees it: its label, its header, and its excerpt up to `longest` characters."""
    excerpt = passage.excerpt if len(passage.excerpt) <= longest else passage.excerpt[:longest].rstrip() + " …"
    return f"[{passage.label}] {passage.header}\n{excerpt}"


def finished(text: str, *, cut: bool) -> str:
    """Return the model's text without what a reply may begin or end with; of a cut one, its whole sentences."""
    text = text.strip().removeprefix("Answer:").strip()
    if cut and text and text[-1] not in ".!?]":
        text = " ".join(sentences(text)[:-1])
    return text if any(c.isalnum() for c in text) else ""


def nothing_found(queries: Sequence[str], missed: Sequence[str] = ()) -> str:
    """Return the abstention, with what was searched for, and the names of the question that what was found lacks."""
    searched = f" Searched for: {'; '.join(queries)}." if queries else ""
    lacks = f" What was found does not mention {', '.join(missed)}." if missed else ""
    return f"{NOT_SAID}{searched}{lacks}"
