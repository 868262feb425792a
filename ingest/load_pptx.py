"""Presentations as Markdown-like text, a text for each slide. Runs in the locked child."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from pptx import Presentation

from ingest.errors import FileFailed
from ingest.marked import blocks, heading, plain, squeezed, table
from ingest.zipped import unzipped

_DEEPEST = 20  # groups in groups


def read_pptx(data: bytes) -> list[str]:
    """Return the text of each slide: its number and title as the heading, then its shapes, tables and notes.

    A hidden slide is left out, because who looks a citation up would not see it; its number is not given to another.

    Raises:
        FileFailed: "encrypted", "syntax" or "too_large".
    """
    unzipped(data)
    try:
        slides = Presentation(BytesIO(data)).slides
        return [
            "" if slide.element.get("show") == "0" else f"{blocks(_slide(number, slide))}\n"
            for number, slide in enumerate(slides, start=1)
        ]
    except (FileFailed, MemoryError):
        raise
    except Exception as error:  # python-pptx raises whatever the XML library and a missing part make it raise
        raise FileFailed("syntax", f"{type(error).__name__}: {error}") from error


def _slide(number: int, slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    said = squeezed(title.text_frame.text) if title is not None else ""
    yield heading(1, f"Slide {number}: {said}" if said else f"Slide {number}")
    yield from _shapes((shape for shape in slide.shapes if title is None or shape.shape_id != title.shape_id), 0)
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        yield f"Notes: {plain(notes.text)}"


def _shapes(shapes: Iterable[Any], depth: int) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < _DEEPEST:
            yield from _shapes(shape.shapes, depth + 1)
        elif getattr(shape, "has_table", False):
            yield table([cell.text for cell in row.cells] for row in shape.table.rows)
        elif getattr(shape, "has_text_frame", False):
            yield _text(shape)


def _text(shape: Any) -> str:
    """A shape's paragraphs. Those of a placeholder for content are a list, which is how slides are written."""
    said = [(paragraph.level, paragraph.text.replace("\v", "\n").strip()) for paragraph in shape.text_frame.paragraphs]
    said = [(level, text) for level, text in said if text]
    if shape.is_placeholder and len(said) > 1:
        return "\n".join(f"{'  ' * level}- {squeezed(text)}" for level, text in said)
    return "\n".join(plain(text) for _, text in said)
