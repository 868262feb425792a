"""What of a chunk is embedded and counted: its header with its text, so that a method knows its class and file."""

from __future__ import annotations

from ingest.types import Chunk


def embedded_text(chunk: Chunk) -> str:
    """Return the text that embedders read and BM25 counts."""
    return f"{chunk.header}\n{chunk.text}"
