"""From bytes to text that every later stage can trust."""

from __future__ import annotations

import codecs
import re

# The longer marks first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONE = re.compile("[\x00\ud800-\udfff]")


def looks_binary(head: bytes) -> bool:
    """True where the first bytes of a file hold a NUL and are no UTF-16 or UTF-32 text."""
    return b"\0" in head and _marked(head) is None and _wide(head) is None


def decode(data: bytes) -> str:
    """Return the text: by its byte order mark, else UTF-8, UTF-16, or Windows' code page, which reads anything.

    Line ends become `\\n`, one for one, so that line numbers stay true; NULs and lone surrogates are left out.
    """
    if mark := _marked(data):
        text = data[len(mark[0]) :].decode(mark[1], "replace")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode(_wide(data) or "cp1252", "replace")
        else:
            if "\0" in text and (wide := _wide(data)):
                text = data.decode(wide, "replace")
    return sound(text.replace("\r\n", "\n").replace("\r", "\n"))


def sound(text: str) -> str:
    """Return the text without NULs and lone surrogates, which no database and no tokenizer accepts."""
    return _LONE.sub("", text)


def _marked(data: bytes) -> tuple[bytes, str] | None:
    return next((mark for mark in _MARKS if data.startswith(mark[0])), None)


def _wide(data: bytes) -> str | None:
    """Return the UTF-16 variant whose high bytes are mostly NUL, which is how Latin text without a mark looks."""
    head = data[:8192]
    even, odd = head[0::2], head[1::2]
    if len(head) < 8:
        return None
    for name, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if high.count(0) > 0.7 * len(high) and low.count(0) < 0.02 * len(low):
            return name
    return None
