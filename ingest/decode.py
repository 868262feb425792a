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


# What text has no use for: control characters but for bell to carriage return, and the escape of terminals and JIS.
_CONTROLS = bytes(code for code in range(32) if not 7 <= code <= 13 and code != 27)


def looks_binary(head: bytes) -> bool:
    """True where the first bytes of a file are no UTF-16 or UTF-32 text and hold a NUL, or are no UTF-8 text either
    and hold many control characters, as compressed data does."""
    if _marked(head) is not None or _wide(head) is not None:
        return False
    if b"\0" in head:
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # whose last character may be cut
    except UnicodeDecodeError:
        return len(head) - len(head.translate(None, _CONTROLS)) > 0.02 * len(head)
    return False


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
    """Return the UTF-16 or UTF-32 variant whose high bytes are mostly NUL, which is how Latin text without a mark
    looks."""
    head = data[:8192]
    if len(head) < 8:
        return None
    nuls = [head[i::4].count(0) / len(head[i::4]) for i in range(4)]
    for name, low in (("utf-32-le", (0,)), ("utf-32-be", (3,)), ("utf-16-le", (0, 2)), ("utf-16-be", (1, 3))):
        if all(nuls[i] < 0.02 if i in low else nuls[i] > 0.7 for i in range(4)):
            return name
    return None
