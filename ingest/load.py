"""From a file to a Document."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path

from ingest.decode import decode, looks_binary
from ingest.errors import FileFailed
from ingest.ids import digest
from ingest.languages.recognise import document_format, language_of
from ingest.locked.documents import Extract, read_document
from ingest.types import Document
from ingest.walk import open_plain

MAX_READ = 50_000_000
"""Bytes read of any file, should it have grown since it was found."""

REMEMBERED = 20_000_000
"""Characters of parsed documents that a process keeps, the latest used: some forty books."""

_remembered: OrderedDict[tuple[str, str], Extract] = OrderedDict()
_remembering = threading.Lock()


def load(source: Path | str, shown_path: str) -> Document:
    """Return the file's text with its kind, language and digest. HTML and notebooks become Markdown-like text whose
    `source_lines` lead back to the file; PDF, office files, books and mail become such text in the locked child, with
    `pages` where they have any.

    Raises:
        FileFailed: "gone", "unreadable", "special", "too_large", "binary", "syntax" (a notebook that is no JSON), and
            what `ingest.locked.documents.read_document` raises.
    """
    data = _read(source, shown_path)
    if document := document_format(shown_path):
        read = _parsed(data, document, shown_path)
        return Document(shown_path, read.text, "prose", document, digest(data), pages=read.pages)
    if looks_binary(data[:8192]):
        raise FileFailed("binary", f"{shown_path} holds binary data; nothing was read from it.")
    text = decode(data)
    kind, language = language_of(shown_path, text)
    lines: tuple[int, ...] | None = None
    if language == "html":
        from ingest.load_html import read_html

        text, lines = read_html(text)
    elif language == "notebook":
        from ingest.load_notebook import read_notebook

        text, lines = read_notebook(text, shown_path)
    return Document(shown_path, text, kind, language, digest(data), lines)


def _parsed(data: bytes, language: str, shown_path: str) -> Extract:
    """Read a document, or remember it: what is cited, shown or searched again is not parsed again."""
    key = (digest(data), language)
    with _remembering:
        if key in _remembered:
            _remembered.move_to_end(key)
            return _remembered[key]
    read = read_document(data, language, shown_path)
    with _remembering:
        _remembered[key] = read
        while sum(len(each.text) for each in _remembered.values()) > REMEMBERED and len(_remembered) > 1:
            _remembered.popitem(last=False)
    return read


def _read(source: Path | str, shown_path: str) -> bytes:
    """Read a regular file, given by its real path: what was checked is what is read, and a pipe put in its place cannot
    hold us."""
    try:
        with open(str(source), "rb", opener=open_plain) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileFailed("special", f"{shown_path} is no regular file any more; nothing was read from it.")
            data = file.read(MAX_READ + 1) or b""
    except FileNotFoundError:
        raise FileFailed("gone", f"{shown_path} went away while it was being read. Index again to notice.") from None
    except OSError as error:
        raise FileFailed("unreadable", f"{shown_path} could not be read: {error.strerror}.") from error
    if len(data) > MAX_READ:
        raise FileFailed("too_large", f"{shown_path} has more than {MAX_READ:,} bytes; nothing was read from it.")
    return data
