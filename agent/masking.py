"""Masking: words that stand for values on their way to a model, and the values again on their way back.

A stand-in is a word such as `EMAIL_1_k3f9`: the value's kind, its number, and a mark that is drawn anew for each mask.
The same value has the same one as long as the mask lives. Text that holds the mark itself is hidden like a value, so
that every stand-in that goes out is ours, and no document can have its own turned into somebody else's value.
"""

from __future__ import annotations

import re
import secrets
import string
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

import regex

from agent.sensitive import PERSONAL, SECRETS, Found, Kind, MaskLevel, distinctive, find, merged

_KINDS: dict[MaskLevel, frozenset[Kind]] = {"off": frozenset(), "secrets": SECRETS, "all": SECRETS | PERSONAL}


class Mask:
    """Hides values in what goes out and shows them in what comes back. Safe among threads."""

    def __init__(self, level: MaskLevel, *, known: Iterable[str] = (), mark: str | None = None) -> None:
        """`known` are secrets that are hidden wherever they stand; `mark` is for tests, lower case and digits."""
        self.level = level
        self._mark = mark or _drawn()
        self._lock = threading.Lock()
        self._stand_ins: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._numbers: dict[Kind, int] = {}
        self._everywhere = {value for value in known if value}
        self._anywhere = self._pattern()
        kinds = "|".join(kind.upper() for kind in get_args(Kind))
        # Some models write Markdown, where an underscore may have a backslash before it.
        self._stand_in = regex.compile(rf"(?P<kind>{kinds})\\?_(?P<number>[0-9]{{1,9}})\\?_{self._mark}")

    def hide(self, texts: Sequence[str]) -> tuple[list[str], dict[str, Kind]]:
        """Return the texts of one conversation with stand-ins, and which stand-ins these are, each with its kind.

        A secret that one text gives away by the name beside it is hidden in all of them, and from then on.
        """
        if self.level == "off":
            return list(texts), {}
        found = [find(text, _KINDS[self.level]) for text in texts]
        used: dict[str, Kind] = {}
        with self._lock:
            told = {text[f.start : f.end] for text, each in zip(texts, found, strict=True) for f in each if _secret(f)}
            if new := {value for value in told if distinctive(value)} - self._everywhere:
                self._everywhere |= new
                self._anywhere = self._pattern()
            hidden = [self._hidden(text, each, used) for text, each in zip(texts, found, strict=True)]
        return hidden, used

    def show(self, text: str) -> str:
        """Return the text with the values in the place of their stand-ins; others that look like one stay."""
        return str(self._stand_in.sub(self._value, text)) if self._values else text

    def unfinished(self, text: str) -> int:
        """Return where at the end of a text a stand-in begins that may go on in the next piece, else its length."""
        if not self._values:
            return len(text)
        begun = (match.start() for match in self._stand_in.finditer(text, partial=True) if match.partial)
        return next(begun, len(text))

    def _hidden(self, text: str, found: Iterable[Found], used: dict[str, Kind]) -> str:
        parts, end = [], 0
        for each in merged([*found, *self._elsewhere(text)]):
            word = self._named(text[each.start : each.end], each.kind)
            used[word] = each.kind
            parts += [text[end : each.start], word]
            end = each.end
        return "".join([*parts, text[end:]])

    def _elsewhere(self, text: str) -> Iterator[Found]:
        """Known secrets, whatever stands beside them, and the mark."""
        for match in self._anywhere.finditer(text):
            yield Found(*match.span(), "mark" if match[0] == self._mark else "secret")

    def _named(self, value: str, kind: Kind) -> str:
        """The stand-in for a value."""
        if (word := self._stand_ins.get(value)) is None:
            number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
            word = f"{kind.upper()}_{number}_{self._mark}"
            self._values[word] = value
            self._stand_ins[value] = word
        return word

    def _value(self, match: regex.Match[str]) -> str:
        whole: str = match[0]
        return self._values.get(whole.replace("\\", ""), whole)

    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted({self._mark, *self._everywhere}, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)))


class Shown:
    """A text that comes in pieces, with the values shown. What may be part of a stand-in is kept until it is whole."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._kept = ""

    def take(self, piece: str) -> str:
        """Return what can be shown now that this piece has come."""
        text = self._kept + piece
        end = self._mask.unfinished(text)
        self._kept = text[end:]
        return self._mask.show(text[:end])

    def rest(self) -> str:
        """Return what was kept, once no more pieces come."""
        kept, self._kept = self._kept, ""
        return kept


def _secret(found: Found) -> bool:
    return found.kind == "secret"


def _drawn() -> str:
    """Letters and digits in turn, so that it is no word and no number."""
    return "".join(secrets.choice(chars) for chars in (string.ascii_lowercase, string.digits) * 2)
