"""EPUB books as Markdown-like text, in the order of their spine. Runs in the locked child; the standard library alone.

XML is read with expat, which opens no file that an entity names and stops entities that multiply.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from ingest.decode import decode
from ingest.errors import FileFailed
from ingest.load_html import read_html
from ingest.marked import blocks, heading, squeezed
from ingest.zipped import unzipped

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def read_epub(data: bytes) -> str:
    """Return the book's title and its chapters.

    Raises:
        FileFailed: "encrypted" where chapters are locked to a reader, "syntax" or "too_large".
    """
    archive = unzipped(data)
    try:
        return blocks(_parts(archive))
    except (KeyError, ValueError, ElementTree.ParseError, BadZipFile, NotImplementedError, EOFError) as error:
        raise FileFailed("syntax", f"{type(error).__name__}: {error}") from error


def _parts(archive: ZipFile) -> Iterator[str]:
    package = next(node.get("full-path", "") for node in _nodes(archive, _CONTAINER, "rootfile"))
    folder = posixpath.dirname(package)
    title = squeezed(next((node.text or "" for node in _nodes(archive, package, "title")), ""))[:200]
    yield heading(1, title)
    places = {
        node.get("id"): posixpath.normpath(posixpath.join(folder, unquote(node.get("href", ""))))
        for node in _nodes(archive, package, "item")
        if node.get("media-type", "") in ("application/xhtml+xml", "text/html")
    }
    members = set(archive.namelist())
    locked = _locked(archive) if _ENCRYPTION in members else set()
    for node in _nodes(archive, package, "itemref"):
        place = places.get(node.get("idref"))
        if place in locked:
            raise FileFailed("encrypted", "chapters are locked to a reading program")
        if place in members:
            text, _ = read_html(decode(archive.read(place)))
            yield _below(text, title)


def _below(text: str, title: str) -> str:
    """A chapter with its headings below the book's; the page's own title is the book's again, or the chapter's."""
    lines = text.split("\n")
    headings = [line for line in lines if line.startswith("#")]
    if headings and lines[0] == headings[0]:
        said = squeezed(lines[0].lstrip("#"))
        if said == title or any(squeezed(other.lstrip("#")) == said for other in headings[1:]) or len(headings) > 1:
            lines = lines[1:]
    return "\n".join(f"#{line}" if line.startswith("#") and not line.startswith("######") else line for line in lines)


def _locked(archive: ZipFile) -> set[str]:
    """The members that are encrypted; fonts often are, and need not be read."""
    return {unquote(node.get("URI", "")) for node in _nodes(archive, _ENCRYPTION, "CipherReference")}


def _nodes(archive: ZipFile, member: str, name: str) -> Iterator[ElementTree.Element]:
    """The elements of this name, whatever their namespace."""
    root = ElementTree.fromstring(archive.read(member))  # noqa: S314 - see above
    return (node for node in root.iter() if isinstance(node.tag, str) and node.tag.rpartition("}")[2] == name)
