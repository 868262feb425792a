"""What leaves this machine while questions are asked: where it goes, what is masked in it, and a line that says so."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit

from opentelemetry import trace

from agent.masking import Mask, Shown
from agent.models import Message, Piece, Request, Stream, members
from agent.remote_models import is_remote, where
from agent.sensitive import Kind, MaskLevel
from agent.types import Sent
from ingest.hosts import is_loopback

_MASKED = {
    "off": "Nothing in it is masked (--mask secrets masks keys and passwords)",
    "secrets": "Keys and passwords in it are masked, personal data is not (--mask all)",
    "all": "Keys, passwords, e-mail and IP addresses, phone, bank account and card numbers in it are masked",
}


ASKED = ("your question", "the passages found for it", "the agent's steps", "recalled notes")
"""What goes to the models that answer a question."""


class Outgoing:
    """The way out for one agent, its models all through the same mask. Notes what went where since `forget`."""

    def __init__(self, level: MaskLevel, *, known: Iterable[str] = (), store: str = "") -> None:
        """`known` are secrets to hide wherever they stand, `store` is the host that holds the index, "" for none."""
        self.mask = Mask(level, known=known)
        self._store = store
        self._lock = threading.Lock()
        self._to: dict[str, None] = {}
        self._hidden: dict[str, Kind] = {}

    @property
    def sent(self) -> Sent | None:
        """What left this machine since `forget`, with every search at the store's host; None where nothing did."""
        with self._lock:
            to = tuple(dict.fromkeys((*self._to, *([self._store] if self._store else []))))
            counts = Counter(kind for kind in self._hidden.values() if kind != "mark")
        return Sent(to, self.mask.level, dict(sorted(counts.items()))) if to else None

    def forget(self) -> None:
        """Begin to count anew. Values keep their stand-ins."""
        with self._lock:
            self._to.clear()
            self._hidden.clear()

    def through(self, stream: Stream, host: str) -> Stream:
        """Return a provider elsewhere, at `host`, that is sent stand-ins and whose pieces have the values again.

        The span of the call gets the host and how many values of each kind were hidden, never a value.
        """

        def masked(request: Request) -> Generator[Piece, None, None]:
            texts, used = self.mask.hide([message["content"] for message in request.messages])
            with self._lock:
                self._to[host] = None
                self._hidden |= used
            span = trace.get_current_span()
            span.set_attribute("hoplite.sent.to", host)
            for kind, count in Counter(used.values()).items():
                span.set_attribute(f"hoplite.masked.{kind}", count)
            messages = [Message(role=m["role"], content=t) for m, t in zip(request.messages, texts, strict=True)]
            shown = Shown(self.mask)
            with closing(stream(replace(request, messages=_explained(messages, used)))) as pieces:
                for piece in pieces:
                    yield replace(piece, text=shown.take(piece.text))
            if rest := shown.rest():
                yield Piece(rest)

        return masked


def _explained(messages: list[Message], used: Iterable[str]) -> tuple[Message, ...]:
    """The conversation, with a sentence on stand-ins before it where there are any: a model would make up the value."""
    example = next(iter(used), None)
    if example is None:
        return tuple(messages)
    said = (
        f"Words such as {example} stand for values that you are not shown. Where you need such a value, in a sentence "
        "or in code, write its word exactly as it is."
    )
    if messages[0]["role"] != "system":
        return (Message(role="system", content=said), *messages)
    first = Message(role="system", content=f"{messages[0]['content']}\n\n{said}")
    return (first, *messages[1:])


def store_host(url: str) -> str:
    """Return the host of a store's address, "" where the store is on this machine."""
    host = urlsplit(url).hostname or ""
    return "" if not host or is_loopback(host) else host


def leaves_the_machine(
    names: Iterable[str],
    *,
    mask: MaskLevel,
    store: str = "",
    what: Sequence[str] = ASKED,
    also: str = "",
    traces: str = "",
) -> str:
    """Return one line that says what leaves this machine when these models are asked and `store` is searched, where it
    goes and what is masked; "" where nothing leaves. `what` goes to the models, two things at least, `also` beside it,
    and `traces` says where traces go (`agent.destinations.told`)."""
    asked = dict.fromkeys(member for name in names for member in members(name) if is_remote(member))
    said = []
    if asked:
        places = " and to ".join(f"{where(name)} ({name})" for name in asked)
        what = [*what, *([also] if also else [])]
        said.append(f"{', '.join(what[:-1])} and {what[-1]} go to {places}. {_MASKED[mask]}")
    if store:
        said.append(f"{'w' if not said else 'W'}hat is searched for goes to the index on {store}, never masked")
    if traces:
        said.append(f"{'t' if not said else 'T'}{traces}")
    return f"Leaving this machine: {'. '.join(said)}." if said else ""
