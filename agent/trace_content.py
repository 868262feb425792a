"""What a model was told and said, as attributes of its call's span, in the form of the GenAI conventions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.models import Completion, Message

ROOM = 6_000
"""Characters that a span keeps of all messages of its call: they share it, so that none is left out."""


def input_messages(messages: Sequence[Message]) -> str:
    """Return a conversation as JSON; of a message that is too long for its share of the room, both ends."""
    kept = _shared([message["content"] for message in messages])
    return json.dumps(
        [
            {"role": message["role"], "parts": [{"type": "text", "content": text}]}
            for message, text in zip(messages, kept, strict=True)
        ],
        ensure_ascii=False,
    )


def told(done: Completion, max_tokens: int) -> Mapping[str, str | int | float]:
    """Return what a finished call was: its answer, its tokens and its times."""
    reason = "length" if done.output_tokens >= max_tokens else "stop"
    said = {
        "role": "assistant",
        "parts": [{"type": "text", "content": _shared([done.text])[0]}],
        "finish_reason": reason,
    }
    each = done.token_seconds
    return {
        "gen_ai.output.messages": json.dumps([said], ensure_ascii=False),
        "gen_ai.response.model": done.model,
        "gen_ai.response.time_to_first_chunk": done.first_token_seconds,
        "gen_ai.usage.input_tokens": done.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": done.cached_tokens,
        "gen_ai.usage.output_tokens": done.output_tokens,
        **({} if each is None else {"hoplite.token_seconds": each}),
    }


def _shared(texts: Sequence[str]) -> list[str]:
    """The texts within the room: what the short ones leave of their share goes to the long ones."""
    kept = list(texts)
    room = ROOM
    shortest_first = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for done, place in enumerate(shortest_first):
        share = room // (len(texts) - done)
        kept[place] = _both_ends(texts[place], share)
        room -= min(share, len(texts[place]))
    return kept


def _both_ends(text: str, room: int) -> str:
    half = room // 2
    return text if len(text) <= room else f"{text[:half]} … {text[len(text) - half :]}"
