"""A conversation as a Markdown file: questions, answers, and a footnote for each citation. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ui.render import commit, visible

if TYPE_CHECKING:
    from agent.follow_up import Turn
    from agent.types import Citation

_LABEL = re.compile(r"\\\[(\d+)\\\]")
# What Markdown could take for markup of its own: HTML, links, pictures, code, headings, emphasis, footnotes.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#!|~&])")
_LONGEST_NAME = 60


def markdown(turns: Sequence[Turn]) -> str:
    """Return the conversation as Markdown. Whatever is not ours is text in it, and no markup."""
    parts = [f"# {_text(turns[0].asked)}"]
    for number, turn in enumerate(turns, start=1):
        if number > 1:
            parts.append(f"## {_text(turn.asked)}")
        if turn.question != turn.asked:
            parts.append(f"Asked as: {_text(turn.question)}")
        labels = {cited.label for cited in turn.answer.citations}
        parts.append(_answer(turn.answer.answer, number, labels))
        if turn.answer.stopped:
            parts.append("Stopped early: the best answer so far.")
        notes = {cited.label: "" for cited in turn.answer.citations}
        for cited in turn.answer.citations:  # one label may stand for several quotes of its passage
            notes[cited.label] += f"{'; ' if notes[cited.label] else ''}{_citation(cited)}"
        parts += [f"[^{number}-{label}]: {note}" for label, note in notes.items()]
    return "\n\n".join(parts) + "\n"


def file_name(turns: Sequence[Turn]) -> str:
    """Return a name for the file, made of the first question's words."""
    from ingest.names import words

    return f"{'-'.join(words(visible(turns[0].asked)))[:_LONGEST_NAME].strip('-') or 'conversation'}.md"


def _answer(text: str, number: int, labels: set[str]) -> str:
    paragraphs = (_text(each) for each in re.split(r"\n\s*\n", text.strip()))
    return _LABEL.sub(
        lambda found: f"[^{number}-{found[1]}]" if found[1] in labels else found[0], "\n\n".join(paragraphs)
    )


def _citation(cited: Citation) -> str:
    lines = f"{cited.start_line}" if cited.start_line == cited.end_line else f"{cited.start_line}-{cited.end_line}"
    page = f", page {cited.page}" if cited.page else ""
    checked = "" if cited.verified else " (not verified)"
    return f"{_text(f'{cited.path}:{lines}{page}{commit(cited)}')} “{_text(cited.quote)}”{checked}"


def _text(text: str) -> str:
    """Text on one line with every character that Markdown gives a meaning escaped; a list or rule cannot begin it."""
    shown = _MARKUP.sub(r"\\\1", visible(" ".join(text.split())))
    return re.sub(r"^(\d+)([.)])|^([-+=])", lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", shown)
