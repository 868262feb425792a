"""E-mail as Markdown-like text: messages (.eml) and mailboxes (.mbox). Runs in the locked child; the standard library
alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage

from ingest.decode import decode
from ingest.errors import FileFailed
from ingest.load_html import read_html
from ingest.marked import blocks, heading, plain, squeezed

_FRONT = ("From", "To", "Cc", "Date")
_ENVELOPE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n")
_SIZE = 2_000


def read_mail(data: bytes) -> str:
    """Return a message: subject, who wrote when to whom, the text, and the names of what is attached.

    Raises:
        FileFailed: "syntax" where there is no message.
    """
    text = blocks(_parts(data))
    if not text:
        raise FileFailed("syntax", "no header of a message and no text")
    return text


def read_mailbox(data: bytes) -> str:
    """Return a mailbox's messages, one after another.

    Raises:
        FileFailed: "syntax" where no line begins a message.
    """
    starts = [(found.start(), found.end()) for found in _ENVELOPE.finditer(data)]
    if not starts:
        raise FileFailed("syntax", 'no line "From …" that begins a message')
    ends = [start for start, _ in starts[1:]] + [len(data)]
    return blocks(part for (_, start), end in zip(starts, ends, strict=True) for part in _parts(data[start:end]))


def _parts(data: bytes) -> Iterator[str]:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    front = [(name, _header(message, name)) for name in _FRONT]
    subject = _header(message, "Subject")
    said = any(value for _, value in front)
    yield heading(1, subject or ("No subject" if said else ""))
    yield "\n".join(f"{name}: {value}" for name, value in front if value)
    body = message.get_body(("plain", "html"))
    if isinstance(body, EmailMessage):
        yield _body(body)
    names = [squeezed(part.get_filename() or "unnamed")[:200] for part in message.iter_attachments()]
    if names:
        yield f"Attachments: {', '.join(names)}"


def _header(message: EmailMessage, name: str) -> str:
    """A header on one line; "" where there is none or it cannot be decoded."""
    try:
        return squeezed(str(message.get(name, "")))[:_SIZE]
    except (MessageError, ValueError, IndexError, AttributeError, TypeError):  # the parser's answers to broken headers
        return ""


def _body(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(part.get_content_charset() or "utf-8").replace("\r\n", "\n")
    except (LookupError, UnicodeDecodeError):
        text = decode(raw)
    return read_html(text)[0] if part.get_content_subtype() == "html" else plain(text.strip())
