"""A model as the judge of what words do not settle: whether quotes say what a sentence says. One call, yes or no."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.citations import Claim
from agent.guard import Marker, visible
from agent.models import Message
from agent.prompts import prompt

MAX_TOKENS = 160
MOST = 20
"""Sentences of one call."""

_VERDICT = re.compile(r"^\W*(\d{1,3})\W+(yes|no)\b", re.IGNORECASE | re.MULTILINE)


def judge_messages(doubtful: Sequence[Claim], marker: Marker) -> list[Message]:
    """Return the conversation that asks which of the claims their quotes support. Both are fenced: both are data."""
    listed = "\n\n".join(
        "\n".join((f"{number}. Sentence: {claim.text}", *(f"   Quote: {unit.text}" for unit in claim.quotes)))
        for number, claim in enumerate(doubtful, start=1)
    )
    return [
        {"role": "system", "content": prompt("judge_full")},
        {"role": "user", "content": f"{marker.wrap(visible(listed))}\n\nOne line for each, 1 to {len(doubtful)}:"},
    ]


def judged(doubtful: Sequence[Claim], reply: str) -> list[Claim]:
    """Return the claims after the judge's reply: with their quotes where it says yes, without them where it says no,
    says both, or says nothing."""
    said: dict[int, set[str]] = {}
    for number, verdict in _VERDICT.findall(reply):
        said.setdefault(int(number), set()).add(verdict.lower())
    return [
        replace(claim, judged=True) if said.get(number) == {"yes"} else replace(claim, quotes=())
        for number, claim in enumerate(doubtful, start=1)
    ]
