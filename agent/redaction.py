"""Redaction: what a span says, without the secrets in it, before it goes to another program."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from opentelemetry.util.types import AnyValue

from agent.sensitive import PERSONAL, SECRETS, Found, distinctive, find, from_environment
from ingest.spans import is_content

Content = Literal["none", "masked", "full"]
"""What of a span's texts is sent: none of them; all, without secrets; all, without this process's own secrets."""

Value = AnyValue
"""What an attribute of a span can be."""

# Texts that are sent without content too, beside those that `ingest.spans` has.
_SAID = frozenset({"exception.type", "hoplite.tags", "user.id"})
_RUN_OF_A_SET = "langfuse.experiment."
_KEPT = 256  # texts whose secrets are known
_LEARNED = 64  # secrets that a name gave away, the newest of them
_PASSES = 3  # a text that still changes after these is not sent: it was made to
_SHORTEST = 8
_CUT = "…"  # where spans say that a text was too long
_PIECE = 6  # characters of a secret that are too many beside a cut
_NESTED = 3  # JSON in the strings of JSON


class Redactor:
    """Takes secrets out of texts. Safe among threads.

    A secret has a known shape, or a name such as `password` beside it, or is one of this process's own; one that a
    name gave away once is taken out wherever it stands from then on.
    """

    def __init__(
        self, content: Content = "masked", *, personal: bool = False, environ: Mapping[str, str] | None = None
    ) -> None:
        """With `personal`, e-mail and IP addresses, phone, bank account and card numbers are taken out too."""
        self.content = content
        kinds = SECRETS | PERSONAL if personal else SECRETS
        # Each receiver redacts for itself, and what is learned comes first: a text is looked through once for all.
        self._found = lru_cache(_KEPT)(lambda text: tuple(find(text, kinds)))
        self._own = own_secrets(environ)
        self._learned: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def text(self, text: str) -> str:
        """Return the text with `[secret]`, `[email]` and the like for each value. Applied again, nothing changes."""
        for _ in range(_PASSES):
            if (once := self._once(text)) == text:
                return text
            text = once
        return text if self._once(text) == text else f"[{len(text)} characters]"

    def attributes(self, attributes: Mapping[str, Value]) -> dict[str, Value]:
        """Return what is sent of a span's or an event's attributes."""
        return {self.text(key): self._value(value) for key, value in attributes.items() if self._sent(key, value)}

    def prose(self, text: str) -> str:
        """Return what is sent of a text that is content, as a status or an exception's message is."""
        return "" if self.content == "none" else self.text(text)

    def learn(self, texts: Iterable[str]) -> None:
        """Remember the secrets that a name beside them gives away in these texts."""
        if self.content != "masked":
            return
        told = {text[f.start : f.end] for text in texts for f in self._found(text) if f.kind == "secret"}
        new = {value for value in told if distinctive(value)}
        if new - set(self._learned):
            with self._lock:
                kept = [value for value in self._learned if value not in new]
                self._learned = tuple(sorted([*kept, *new][-_LEARNED:], key=len, reverse=True))

    def _sent(self, key: str, value: Value) -> bool:
        known = not is_content(key, "") or key in _SAID or key.startswith(_RUN_OF_A_SET)
        return self.content != "none" or known or not _has_text(value)

    def _value(self, value: Value) -> Value:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return f"[{len(value)} bytes]"
        if isinstance(value, Mapping):
            return {self.text(key): self._value(each) for key, each in value.items()}
        return [self._value(each) for each in value] if isinstance(value, Sequence) else value

    def _once(self, text: str, depth: int = 0) -> str:
        return self._plain(self._json(text, depth))

    def _json(self, text: str, depth: int) -> str:
        """Redact the strings of a text that is JSON: with the backslashes in them they would not read as they are."""
        if depth == _NESTED or "\\" not in text or text[:1] not in ("{", "[", '"'):
            return text
        try:
            inside = json.loads(text)
        except (ValueError, RecursionError):
            return text
        redacted = self._strings(inside, depth + 1)
        return text if redacted == inside else json.dumps(redacted, ensure_ascii=False)

    def _strings(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self._once(value, depth)
        if isinstance(value, list):
            return [self._strings(each, depth) for each in value]
        if isinstance(value, dict):
            return {self._once(key, depth): self._strings(each, depth) for key, each in value.items()}
        return value

    def _plain(self, text: str) -> str:
        if _CUT in text:
            text = _without_ends(text, self._own)
        for value in (*self._own, *(self._learned if self.content == "masked" else ())):
            text = text.replace(value, "[secret]")
        return text if self.content == "full" else _without(text, self._found(text))


def _without_ends(text: str, secrets: Sequence[str]) -> str:
    """The text without what a cut has left of a secret before or behind it."""
    parts = text.split(_CUT)
    for at, part in enumerate(parts):
        bare = part.rstrip(" ")
        for secret in secrets if at < len(parts) - 1 else ():
            kept = next((n for n in range(len(secret) - 1, _PIECE - 1, -1) if bare.endswith(secret[:n])), 0)
            if kept:
                parts[at] = f"{bare[:-kept]}[secret]{part[len(bare) :]}"
                break
        part = parts[at]
        bare = part.lstrip(" ")
        for secret in secrets if at else ():
            kept = next((n for n in range(len(secret) - 1, _PIECE - 1, -1) if bare.startswith(secret[-n:])), 0)
            if kept:
                parts[at] = f"{part[: len(part) - len(bare)]}[secret]{bare[kept:]}"
                break
    return _CUT.join(parts)


def _has_text(value: Value) -> bool:
    if isinstance(value, str | bytes | Mapping):
        return True
    return isinstance(value, Sequence) and any(map(_has_text, value))


def _without(text: str, found: Sequence[Found]) -> str:
    parts, end = [], 0
    for each in found:
        parts += [text[end : each.start], f"[{each.kind}]"]
        end = each.end
    return "".join([*parts, text[end:]]) if parts else text


def own_secrets(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the secrets in this process's environment, the longest first: keys and tokens by their variables' names,
    what stands in headers, and what is one by its shape, as a password in an address is."""
    environ = os.environ if environ is None else environ
    named = set(from_environment(environ))
    headers = [value for name, value in environ.items() if name.endswith("_HEADERS")]
    named |= {part.partition("=")[2].strip() for value in headers for part in value.split(",")}
    shaped = {value[f.start : f.end] for value in environ.values() for f in find(value, SECRETS)}
    # A short one, or a word, may stand anywhere and mean something else.
    known = {value for value in named if len(value) >= _SHORTEST} | set(filter(distinctive, shaped))
    return tuple(sorted(known, key=len, reverse=True))
