"""Untrusted text: what was retrieved, written by a model or named by a file system is data, and is shown as such."""

from __future__ import annotations

import hmac
import itertools
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from agent.secret import own_secret

_KEPT = frozenset("\n\t")
# Letters and marks by category that show nothing: fillers, the empty braille cell, and the second block of variation
# selectors, in which hidden bytes travel.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0") | {chr(c) for c in range(0xE0100, 0xE01F0)}


def visible(text: str) -> str:
    """Return the text with every character that a reader cannot see written out, as `<U+200B>`.

    Covers control characters but line feed and tab, zero-width and bidirectional format characters, tag characters,
    private-use and unassigned ones, lone surrogates, and line separators other than line feed. Other text is unchanged.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _shows(c) else f"<U+{ord(c):04X}>" for c in text)


def _shows(char: str) -> bool:
    if char in _KEPT:
        return True
    if char in _BLANK:
        return False
    # Cc control, Cf format, Cs surrogate, Co private use, Cn unassigned, Zl and Zp separators.
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


_tokens: ContextVar[Iterator[str] | None] = ContextVar("tokens", default=None)


@contextmanager
def repeatable(name: str) -> Iterator[None]:
    """Have the fences made inside be the same whenever `name` is: an evaluation that goes on after it was killed then
    asks a model in the very words of one that was not. They are made with the user's secret, so that no source knows
    them. Where that cannot be read they are random, as they are elsewhere."""
    try:
        secret = own_secret()
    except OSError:
        yield
        return
    made = (hmac.digest(secret, f"fence {n} {name}".encode(), "sha256").hex()[:8] for n in itertools.count())
    before = _tokens.set(made)
    try:
        yield
    finally:
        _tokens.reset(before)


class Marker:
    """The fence of one run around retrieved text. Its random part is new for each run (see also `repeatable`), so no
    source can know it.

    `tag` says what is inside. "sources" may be shortened where a conversation is too long (`agent.compact`).
    """

    def __init__(self, token: str | None = None, *, tag: str = "sources") -> None:
        made = _tokens.get()
        self.token = token or (secrets.token_hex(4) if made is None else next(made))
        self._tag = tag

    @property
    def opening(self) -> str:
        """What stands before retrieved text."""
        return f"<{self._tag} {self.token}>"

    @property
    def closing(self) -> str:
        """What stands after retrieved text."""
        return f"</{self._tag} {self.token}>"

    def wrap(self, text: str) -> str:
        """Return the text made visible and fenced; the fence itself cannot stand inside it."""
        body = visible(text).replace(self.token, "<marker>")
        return f"{self.opening}\n{body}\n{self.closing}"
