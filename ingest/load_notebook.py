"""Jupyter notebooks as Markdown with fenced code, each line with the line of the file that it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ingest.decode import sound
from ingest.errors import FileFailed

# A key, not the inside of a string: there the quotes would be escaped. Format 3 calls a code cell's source "input".
_SOURCE = re.compile(r'"(?:source|input)"\s*:\s*')
_DECODER = json.JSONDecoder()


def read_notebook(raw: str, shown_path: str) -> tuple[str, tuple[int, ...]]:
    """Return the cells' text, outputs left out, and for each line the 1-based line of `raw` it came from.

    Raises:
        FileFailed: "syntax" where the file is no notebook.
    """
    try:
        cells = _cells(json.loads(raw))
        sources = [_source(cell) for cell in cells]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        message = f"{shown_path} is no Jupyter notebook ({type(error).__name__}); nothing was read from it."
        raise FileFailed("syntax", message) from error
    lines: list[str] = []
    places: list[int] = []
    for cell, written in zip(cells, _places(raw, sources), strict=True):
        if not any(line.strip() for line, _ in written):
            continue
        if cell.get("cell_type") == "code":
            written = [("```python", written[0][1]), *written, ("```", written[-1][1])]
        if lines:
            written = [("", written[0][1]), *written]
        lines += [line for line, _ in written]
        places += [place for _, place in written]
    return "\n".join(lines), tuple(places)


def _cells(notebook: Any) -> list[dict[str, Any]]:
    """The cells of a notebook in format 4, or of the sheets of one in format 3."""
    if "worksheets" in notebook:
        return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    return list(notebook["cells"])


def _source(cell: dict[str, Any]) -> str | list[str]:
    source = cell.get("source", cell.get("input", ""))
    if not isinstance(source, str) and not all(isinstance(part, str) for part in source):
        raise TypeError("a cell's source is neither text nor lines of text")
    return source if isinstance(source, str) else list(source)


def _places(raw: str, sources: list[str | list[str]]) -> Iterator[list[tuple[str, int]]]:
    """For each source its lines, each with the line of `raw` in which the string that holds it begins.

    Sources are looked for in order and compared by value, so that an output that has a key "source" of its own is
    passed over.
    """
    keys = _SOURCE.finditer(raw)
    line, seen = 1, 0
    for source in sources:
        written: list[tuple[str, int]] = []
        for key in keys:
            if _DECODER.raw_decode(raw, key.end())[0] != source:
                continue
            position = key.end() if isinstance(source, str) else key.end() + 1
            for part in [source] if isinstance(source, str) else source:
                position = raw.index('"', position)
                line, seen = line + raw.count("\n", seen, position), position
                pieces = sound(part).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
                written += [(piece, line) for piece in pieces]
                position = _DECODER.raw_decode(raw, position)[1]
            break
        yield written
