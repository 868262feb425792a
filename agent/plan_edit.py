"""Editing a plan: one typed line changes one sub-question, and the whole list may be written anew."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace

from agent.plan import MOST_PARTS, Part, Plan, question_names, sought
from agent.types import Planned
from ingest.errors import UserError
from ingest.names import unique, words

_REPLACES = re.compile(r"(\d)(?:\s*:\s*|\.\s+)(.*)")
_REMOVES = re.compile(r"-\s*(\d+)")
_ADDS = re.compile(r"\+\s*(.*)")
_NUMBERED = re.compile(r"\s*\d[:.]\s+")
_LONGEST_PART = 300  # characters


def revised(plan: Plan, typed: str) -> Plan | None:
    """Return the plan after one edit: `2: new text`, `-3` or `+ text`; None where the line is no edit.

    Raises UserError for a sub-question that is not there, one too many, one without words and one that is too long.
    """
    typed = typed.strip()
    texts = [part.text for part in plan.parts]
    if match := _REMOVES.fullmatch(typed):
        del texts[_index(match[1], plan)]
    elif match := _ADDS.fullmatch(typed):
        texts.append(match[1])
    elif match := _REPLACES.fullmatch(typed):
        texts[_index(match[1], plan)] = match[2]
    else:
        return None
    return rewritten(plan, texts)


def rewritten(plan: Plan, texts: Sequence[str]) -> Plan:
    """Return the plan with these sub-questions, which may be numbered. What did not change keeps what it seeks.

    The names that the run goes after are those of the sub-questions. Raises UserError as `revised` does.
    """
    texts = [" ".join(_NUMBERED.sub("", text, count=1).split()) for text in texts]
    for text in texts:
        if not words(Part(text, "").query):
            raise UserError(f"A sub-question needs words; got {text!r}. Write one, or remove it with -NUMBER.")
        if len(text) > _LONGEST_PART:
            raise UserError(f"A sub-question has at most {_LONGEST_PART} characters; got {len(text)}. Shorten it.")
    if len(texts) > MOST_PARTS:
        raise UserError(f"A plan has at most {MOST_PARTS} sub-questions; got {len(texts)}. Remove one with -NUMBER.")
    known = {part.text: part for part in plan.parts}
    parts = tuple(known.get(text) or Part(text, sought(text)) for text in texts)
    made = plan.parts if plan.made is None else plan.made
    named = [name for text in texts for name in (*_of_plan(plan, text), *question_names(text))]
    return replace(plan, parts=parts, made=made, names=unique(named))


def difference(plan: Plan) -> tuple[str, ...]:
    """Return how the sub-questions differ from the ones first made, as lines that begin with "-", "+" or a space.

    () for a plan that nobody changed.
    """
    if not plan.edited:
        return ()
    before, after = ([part.text for part in parts] for parts in (plan.made or (), plan.parts))
    _, _, *lines = difflib.unified_diff(before, after, n=MOST_PARTS, lineterm="")  # without the names of two files
    return tuple(line for line in lines if not line.startswith("@@"))


def announced(plan: Plan) -> Planned:
    """Return the event that shows a plan."""
    return Planned(plan.line, tuple(part.line for part in plan.parts), difference(plan))


def _of_plan(plan: Plan, text: str) -> list[str]:
    """The plan's names that stand in a text."""
    within = f" {' '.join(words(text))} "
    return [name for name in plan.names if f" {' '.join(words(name))} " in within]


def _index(number: str, plan: Plan) -> int:
    if not 1 <= int(number) <= len(plan.parts):
        there = f"1 to {len(plan.parts)}" if plan.parts else "none"
        raise UserError(f"There is no sub-question {int(number)}; there are {there}.")
    return int(number) - 1
