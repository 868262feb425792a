"""OpenDocument texts as Markdown-like text. Runs in the locked child; the standard library alone."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from zipfile import BadZipFile

from ingest.errors import FileFailed
from ingest.marked import blocks, heading, plain, spaced, squeezed, table
from ingest.zipped import unzipped

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_BREAKS = {f"{_TEXT}s": " ", f"{_TEXT}tab": " ", f"{_TEXT}line-break": "\n"}
_LEFT_OUT = frozenset({f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_TEXT}hidden-text"})


def read_odt(data: bytes) -> str:
    """Return the text: headings, paragraphs, lists, tables; notes where they are referred to.

    Raises:
        FileFailed: "encrypted", "syntax" or "too_large".
    """
    archive = unzipped(data)
    try:
        # expat opens no file that an entity names and stops entities that multiply.
        root = ElementTree.fromstring(archive.read("content.xml"))  # noqa: S314
    except (KeyError, ValueError, ElementTree.ParseError, BadZipFile, NotImplementedError, EOFError) as error:
        encrypted = "META-INF/manifest.xml" in archive.namelist() and b"encryption-data" in archive.read(
            "META-INF/manifest.xml"
        )
        raise FileFailed("encrypted" if encrypted else "syntax", f"{type(error).__name__}: {error}") from error
    return blocks(part for body in root.iter(f"{_OFFICE}text") for part in _parts(body))


def _parts(holder: ElementTree.Element) -> Iterator[str]:
    for node in holder:
        if node.tag == f"{_TEXT}h":
            level = node.get(f"{_TEXT}outline-level", "1")
            yield heading(int(level) if level.isdecimal() else 1, _said(node))
        elif node.tag == f"{_TEXT}p":
            yield plain("\n".join(map(spaced, _said(node).split("\n"))))
        elif node.tag == f"{_TEXT}list":
            items = [squeezed(" ".join(map(_said, item.iter(f"{_TEXT}p")))) for item in node]
            yield "\n".join(f"- {item}" for item in items if item)
        elif node.tag == f"{_TABLE}table":
            yield table(
                [" ".join(map(_said, cell.iter(f"{_TEXT}p"))) for cell in row.iterfind(f"{_TABLE}table-cell")]
                for row in node.iter(f"{_TABLE}table-row")
            )
        elif node.tag not in _LEFT_OUT:
            yield from _parts(node)


def _said(node: ElementTree.Element) -> str:
    """The text of a paragraph; what follows a child belongs to it even where the child is left out."""
    said = [node.text or "", _BREAKS.get(node.tag, "")]
    for child in node:
        if child.tag == f"{_TEXT}note":
            body = child.find(f"{_TEXT}note-body")
            said.append(f" ({squeezed(_said(body))})" if body is not None else "")
        elif child.tag not in _LEFT_OUT:
            said.append(_said(child))
        said.append(child.tail or "")
    return "".join(said)
