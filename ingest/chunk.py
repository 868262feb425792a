"""From a document to its chunks: the chunker for its language, then identity, header and place."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Sequence

from opentelemetry import trace

from ingest.chunk_prose import plain_pieces, prose_pieces
from ingest.config_tree import CONFIGURATION
from ingest.ids import chunk_id
from ingest.languages.grammar import has_grammar
from ingest.languages.recognise import stem_of
from ingest.names import file_names, prose_name, unique
from ingest.pieces import Piece
from ingest.types import Chunk, Document


def chunk(document: Document) -> list[Chunk]:
    """Return the document's chunks in the order of their lines. Each line that is not blank is in exactly one chunk,
    but for a line too long for one, which is cut. The first chunk also defines the document's own names."""
    if not document.text.strip():
        return []
    lines = document.text.split("\n")
    pieces = [piece for piece in _pieces(document, lines) if piece.text is None or piece.text.strip()]
    seen: Counter[tuple[str, str]] = Counter()
    chunks = []
    for i, piece in enumerate(pieces):
        header = " > ".join((document.path, *piece.trail))
        text = "\n".join(lines[piece.start : piece.end]) if piece.text is None else piece.text
        defines = piece.defines if i else unique((*_own_names(document), *piece.defines))
        places = document.source_lines
        start, end = (places[piece.start], places[piece.end - 1]) if places else (piece.start + 1, piece.end)
        chunks.append(
            Chunk(
                id=chunk_id(header, text, seen[header, text]),
                path=document.path,
                kind=document.kind,
                language=document.language,
                title=_title(document, piece),
                header=header,
                text=text,
                start_line=start,
                end_line=max(start, end),
                defines=defines,
                mentions=piece.mentions,
                page=document.pages[piece.start] if document.pages else 0,
                calls=piece.calls,
                imports=piece.imports,
                inherits=piece.inherits,
            )
        )
        seen[header, text] += 1
    return chunks


def _pieces(document: Document, lines: Sequence[str]) -> list[Piece]:
    if document.language == "csv":
        from ingest.chunk_table import table_pieces

        return table_pieces(lines, document.path)
    if document.kind == "prose":
        return prose_pieces(lines, document.language, document.path)
    if has_grammar(document.language):
        from ingest.chunk_code import code_pieces

        try:
            return code_pieces(document.text, lines, document.language, document.path)
        except TimeoutError as error:
            trace.get_current_span().add_event("read as text", {"hoplite.reason": str(error)})
            return plain_pieces(lines, document.language, document.path)
    if document.language in CONFIGURATION:
        from ingest.chunk_config import config_pieces

        return config_pieces(document.text, lines, document.language, document.path)
    return plain_pieces(lines, document.language, document.path)


def _title(document: Document, piece: Piece) -> str:
    """The nearest heading, a definition's qualified name, or the file's name."""
    if not piece.trail:
        return posixpath.basename(document.path) or document.path
    return ".".join(piece.trail) if document.kind == "code" else piece.trail[-1]


def _own_names(document: Document) -> list[str]:
    """The file's stem and its file names. What only marks a folder's first page is named after the folder."""
    stem = stem_of(document.path)
    folder = posixpath.basename(posixpath.dirname(document.path))
    if folder and stem.lower() in ("__init__", "index", "readme", "mod"):
        stem = folder
    return [prose_name(stem), *file_names(document.path)]
