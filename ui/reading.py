"""A run's answer as text to be read by a person: all that there is of it. Pure; whatever is not ours is escaped."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ui.render import block, counted, place, visible

if TYPE_CHECKING:
    from evals.agreement import Label
    from evals.judge import Verdict
    from evals.types import Finished


def page(
    line: Finished,
    *,
    at: str,
    note: str | None,
    modes: Sequence[str],
    labels: Sequence[Label],
    verdicts: Sequence[Verdict],
    hidden: int,
    trace: str,
) -> str:
    """Return an answer with its question, gold, citations, passages, scores and trace, and what was said of it.

    `at` is where the reader stands; `hidden` counts the verdicts that are not among `verdicts` yet.
    """
    return "\n".join(
        (
            click.style(at, bold=True),
            *_part("question", block(line.question)),
            *_part("gold", *map(block, line.answers), *(["unanswerable"] if line.unanswerable else [])),
            *_part("answer", block(line.answer) if line.error is None else visible(f"failed: {line.error}")),
            *(_part("declined", "the sources do not say") if line.abstained else ()),
            *_part("citations", *_citations(line)),
            *_part("gold documents", ", ".join(map(visible, line.supporting))),
            *_part("passages", *_passages(line)),
            *_part("scores", ", ".join(visible(f"{name} {value:.2f}") for name, value in line.scores.items())),
            *_part("note", visible(line.note)),
            *_part("trace", trace),
            *_part(
                "judge",
                *map(verdict, verdicts),
                *([f"{counted(hidden, 'verdict')} hidden; /judge shows"] if hidden else []),
            ),
            *_part("labels", ", ".join(f"{label.rubric} {label.label}" for label in labels)),
            *_part("modes", ", ".join(map(visible, modes))),
            *_part("noted", block(note or "")),
        )
    )


def verdict(said: Verdict) -> str:
    """Return a judge's verdict on a line."""
    return visible(f"{said.rubric} {said.verdict}: {said.reason} ({said.judge})")


def _part(title: str, *texts: str) -> Iterator[str]:
    """A title with the lines below it; nothing where there are none."""
    if any(texts):
        yield click.style(title, fg="cyan", bold=True)
        yield from (textwrap.indent(text, "    ") for text in texts if text)


def _citations(line: Finished) -> Iterator[str]:
    for cited in line.citations:
        where = place(cited.path, cited.start_line, cited.end_line)
        stands = "verified" if cited.verified else "not verified"
        yield f"[{visible(cited.label)}] {where}  {stands}\n    “{visible(' '.join(cited.quote.split()))}”"
    if not line.citations and line.cited:  # a run that kept no citations of its own
        yield ", ".join(map(visible, line.cited))


def _passages(line: Finished) -> Iterator[str]:
    for passage in line.passages:
        where = place(passage.path, passage.start_line, passage.end_line)
        gold = "  gold" if passage.path in line.supporting else ""
        yield f"[{visible(passage.label)}] {where}{gold}\n{textwrap.indent(block(passage.text).strip(), '    │ ')}"
    if not line.passages and line.shown:
        yield ", ".join(map(visible, line.shown))
