"""A conversation that was longer than the model's window, made shorter: less of what was retrieved, all of the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.models import Message

_FENCED = re.compile(r"(<sources (\w+)>\n)(.*?)(\n</sources \2>)", re.DOTALL)
_LABEL = re.compile(r"^(?=\[\d+\] )", re.MULTILINE)


def compacted(messages: Sequence[Message]) -> tuple[Message, ...] | None:
    """Return the conversation with the first half of each retrieved passage; None where there is none to shorten.

    Each passage keeps its label and its beginning, because an answer may need several: a hop's end has the last label.
    """
    shorter = tuple(_shorter(message) for message in messages)
    return shorter if shorter != tuple(messages) else None


def _shorter(message: Message) -> Message:
    return {"role": message["role"], "content": _FENCED.sub(_halves, message["content"])}


def _halves(fenced: re.Match[str]) -> str:
    opening, _, text, closing = fenced.groups()
    return f"{opening}{''.join(_half(passage) for passage in _LABEL.split(text))}{closing}"


def _half(passage: str) -> str:
    """The first half, to a whole word; what follows the passage, such as an empty line, stays."""
    text = passage.rstrip()
    kept = text[: len(text) // 2].rpartition(" ")[0]
    return f"{kept} …{passage[len(text) :]}" if kept else passage
