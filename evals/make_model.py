"""A question by a model: it sees a pair of chunks, and what it writes is looked up in them before it counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.guard import Marker, visible
from agent.models import ChatModel, Message
from agent.prompts import prompt
from evals.make_pairs import Pair
from evals.make_types import Written

MAX_TOKENS = 200

_LONGEST_PASSAGE = 2_000  # characters; a chunk seldom has more
_FENCED = re.compile(r"```(?:json)?\s*\n(.*)\n```", re.DOTALL)


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    question: str = Field(min_length=10, max_length=400)
    answer: str = Field(min_length=1, max_length=120)


class NoQuestion(Exception):
    """The reply is no question; what it says is why."""


def by_model(chat: ChatModel) -> Callable[[Pair], Iterator[Written]]:
    """Return what asks a model for a question about a pair, one call each; it yields one or raises NoQuestion."""
    marker = Marker()

    def written(pair: Pair) -> Iterator[Written]:
        yield read(chat.complete(messages(pair, marker), max_tokens=MAX_TOKENS).text)

    return written


def messages(pair: Pair, marker: Marker) -> list[Message]:
    """Return the conversation that asks for a question. All that files wrote is fenced, names too."""
    kind = pair.shape if pair.shape in ("one-hop", "comparison") else "hop"
    called = ", ".join(filter(None, (pair.name, pair.other)))
    passages = [marker.wrap(chunk.text[:_LONGEST_PASSAGE]) for chunk in pair.chunks]
    told = [f"Kind: {kind}", f"Name: {marker.wrap(called)}", *passages, "The JSON object:"]
    return [
        {"role": "system", "content": prompt("make", "evals.prompts")},
        {"role": "user", "content": "\n\n".join(told)},
    ]


def read(reply: str) -> Written:
    """Return what a reply says. Raises NoQuestion for one that is not the object that was asked for."""
    text = reply.strip()
    if fenced := _FENCED.fullmatch(text):
        text = fenced[1]
    try:
        said = _Reply.model_validate_json(text)
    except ValidationError:
        raise NoQuestion("the reply was not the object that was asked for") from None
    question, answer = (visible(" ".join(part.split())) for part in (said.question, said.answer))
    if not question.endswith("?"):
        raise NoQuestion("the reply asked nothing")
    return Written(question, (answer,))
