"""Notes as a Markdown page, with the care that `ui.markdown` takes of text that is not ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.types import Fact, Note
from ui.markdown import literal, span
from ui.render import day, note_marks, place


def notes_page(notes: Sequence[Note]) -> str:
    """Return every note with its facts, what these cite, and what it said before."""
    parts = ["# Notes of earlier runs", "Hints where to look, never evidence."]
    for note in notes:
        parts.append(f"## {literal(note.question)}{literal(note_marks(note))}")
        parts.append(f"Note {note.id}, last looked at {day(note.checked)}.")
        parts += [f"Also asked: {literal(question)}" for question in note.also]
        if note.facts:
            parts.append("\n".join(line for fact in note.facts for line in _fact(fact)))
        if note.history:
            parts.append("Before:")
            parts.append(
                "\n".join(
                    f"{line}, until {day(past.ended)}: {literal(past.why)}"
                    for past in reversed(note.history)
                    for line in list(_fact(past.fact))[:1]
                )
            )
    return "\n\n".join(parts) + "\n"


def _fact(fact: Fact) -> Iterator[str]:
    yield f"- {literal(fact.text)}"
    for cited in fact.citations:
        yield f"  - {span(place(cited.path, cited.start_line, cited.end_line, cited.page))} “{literal(cited.quote)}”"
