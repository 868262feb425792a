"""Word documents as Markdown-like text. Runs in the locked child.

The body's XML is walked, because python-docx's own paragraphs leave out what stands in content controls and what was
inserted while changes were tracked. Left out is what nobody sees: deleted and hidden text, letters smaller than
`SMALLEST` points, and white ones where neither the text nor a table shades its ground.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from docx import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import qn

from ingest.errors import FileFailed
from ingest.marked import blocks, heading, plain, spaced, squeezed, table
from ingest.zipped import unzipped

SMALLEST = 2.0

_LEFT_OUT = frozenset(map(qn, ("w:del", "w:moveFrom", "w:instrText", "w:delText", "w:txbxContent")))
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)


def read_docx(data: bytes) -> str:
    """Return the text: headings by style or outline level, lists, tables, links, footnotes.

    Raises:
        FileFailed: "encrypted", "syntax" or "too_large".
    """
    unzipped(data)
    try:
        return blocks(_Reader(Document(BytesIO(data))).parts())
    except (FileFailed, MemoryError):
        raise
    except Exception as error:  # python-docx raises whatever the XML library and a missing part make it raise
        raise FileFailed("syntax", f"{type(error).__name__}: {error}") from error


class _Reader:
    def __init__(self, document: Any) -> None:
        self.document = document
        self.body = document.element.body
        self.relations = document.part.rels
        self.levels = dict(self._levels())

    def parts(self) -> Iterator[str]:
        title = self.document.core_properties.title
        first = squeezed("".join(self.body.itertext()))[:500]
        if title and squeezed(title) not in first:
            yield heading(1, title[:200])
        yield from self.blocks(self.body)
        yield from self.footnotes()

    def blocks(self, holder: Any) -> Iterator[str]:
        """The paragraphs and tables below a node, in order; a list's items in one block."""
        items: list[str] = []
        for node in holder.iterchildren():
            if node.tag == qn("w:p") and self.is_item(node):
                items.append(f"- {squeezed(self.text(node))}")
                continue
            yield "\n".join(item for item in items if item != "- ")
            items = []
            if node.tag == qn("w:p"):
                yield self.paragraph(node)
            elif node.tag == qn("w:tbl"):
                yield self.table(node)
            elif node.tag in (qn("w:sdt"), qn("w:sdtContent"), qn("w:ins"), qn("w:customXml")):
                yield from self.blocks(node)
        yield "\n".join(item for item in items if item != "- ")

    def paragraph(self, node: Any) -> str:
        text = "\n".join(spaced(line) for line in self.text(node).split("\n"))
        level = self.level(node)
        boxes = [
            box for box in node.iter(qn("w:txbxContent")) if not any(a.tag == _FALLBACK for a in box.iterancestors())
        ]
        return blocks(
            [heading(level, text) if level else plain(text), *(part for b in boxes for part in self.blocks(b))]
        )

    def table(self, node: Any) -> str:
        rows = [
            [" ".join(self.text(p) for p in cell.iter(qn("w:p"))) for cell in row.iterchildren(qn("w:tc"))]
            for row in node.iter(qn("w:tr"))
        ]
        # A table of one cell is a box round some text.
        return plain(spaced(rows[0][0])) if len(rows) == 1 and len(rows[0]) == 1 else table(rows)

    def text(self, node: Any) -> str:
        """What a reader sees of a paragraph's or a link's own text."""
        said: list[str] = []
        for child in node.iterchildren():
            tag = child.tag
            if tag in _LEFT_OUT or tag == _FALLBACK or not isinstance(tag, str):
                continue
            if tag == qn("w:r"):
                said.append("" if _hidden(child) else self.text(child))
            elif tag == qn("w:hyperlink"):
                said.append(self.link(child))
            elif tag == qn("w:t"):
                said.append(child.text or "")
            elif tag == qn("w:tab"):
                said.append(" ")
            elif tag in (qn("w:br"), qn("w:cr")):
                said.append("\n")
            elif tag == qn("w:noBreakHyphen"):
                said.append("-")
            elif tag == qn("w:footnoteReference"):
                said.append(f"[^{child.get(qn('w:id'))}]")
            elif tag not in (qn("w:pPr"), qn("w:rPr")):
                said.append(self.text(child))
        return "".join(said)

    def link(self, node: Any) -> str:
        text = self.text(node)
        relation = self.relations.get(node.get(qn("r:id")) or "")
        target = relation.target_ref if relation is not None and relation.is_external else ""
        return f"[{text}]({target})" if text.strip() and target and target not in text else text

    def footnotes(self) -> Iterator[str]:
        for relation in self.relations.values():
            if relation.reltype == RELATIONSHIP_TYPE.FOOTNOTES and not relation.is_external:
                for note in parse_xml(relation.target_part.blob).iterchildren(qn("w:footnote")):
                    text = squeezed(" ".join(self.text(p) for p in note.iter(qn("w:p"))))
                    if text and note.get(qn("w:type")) is None:
                        yield f"[^{note.get(qn('w:id'))}]: {text}"

    def level(self, node: Any) -> int:
        """A paragraph's depth as a heading, 0 for text."""
        own = node.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if own is not None:
            return _outline(own)
        style = node.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        return self.levels.get(style.get(qn("w:val")), 0) if style is not None else 0

    def is_item(self, node: Any) -> bool:
        properties = node.find(qn("w:pPr"))
        if properties is None or self.level(node):
            return False
        style = properties.find(qn("w:pStyle"))
        named = style is not None and str(style.get(qn("w:val"))).startswith("List")
        return named or properties.find(qn("w:numPr")) is not None

    def _levels(self) -> Iterator[tuple[str, int]]:
        """Every style's depth as a heading; a style that says nothing has its parent's."""
        styles = {style.style_id: style for style in self.document.styles}
        for name, style in styles.items():
            for _ in range(20):
                if style is None:
                    break
                own = style.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
                called = _HEADING.match(style.name or "")
                if (style.name or "").lower() == "title":
                    yield name, 1
                    break
                if called or own is not None:
                    yield name, int(called.group(1)) if called else _outline(own)
                    break
                style = getattr(style, "base_style", None)


def _outline(node: Any) -> int:
    value = node.get(qn("w:val")) or ""
    return int(value) + 1 if value.isdecimal() and int(value) < 9 else 0


def _hidden(run: Any) -> bool:
    look = run.find(qn("w:rPr"))
    if look is None:
        return False
    vanish = look.find(qn("w:vanish"))
    if vanish is not None and vanish.get(qn("w:val")) not in ("0", "false", "off"):
        return True
    size = look.find(qn("w:sz"))
    half_points = size.get(qn("w:val")) if size is not None else None
    if half_points is not None and half_points.isdecimal() and int(half_points) < 2 * SMALLEST:
        return True
    color = look.find(qn("w:color"))
    white = color is not None and (color.get(qn("w:val")) or "").upper() == "FFFFFF"
    return white and not _has_ground(run, look)


def _has_ground(run: Any, look: Any) -> bool:
    """Whether something other than the page may lie below a run: its own shade or a paragraph's, a table, a box."""
    shades = [look.find(qn("w:shd")), look.find(qn("w:highlight"))]
    for holder in run.iterancestors():
        if holder.tag in (qn("w:tc"), qn("w:txbxContent")):
            return True
        if holder.tag == qn("w:p"):
            shades.append(holder.find(f"{qn('w:pPr')}/{qn('w:shd')}"))
    return any(s is not None and (s.get(qn("w:fill")) or "").upper() not in ("FFFFFF", "AUTO") for s in shades)
