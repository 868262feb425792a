"""Workbooks as Markdown-like text: a heading for each sheet, a line for each row. Runs in the locked child."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from io import BytesIO

from openpyxl import load_workbook

from ingest.errors import FileFailed
from ingest.marked import heading, plain, squeezed
from ingest.zipped import unzipped

MAX_COLUMNS = 256
MAX_CELL = 2_000
"""Characters of a cell that are read."""


def read_xlsx(data: bytes) -> str:
    """Return the sheets' text, formulas as the values that were saved with them.

    Where a sheet's first row is a head, every row says its columns' names, so that each line can be read alone:
    `Name: Ada | Born: 1815-12-10`. Hidden sheets are left out.

    Raises:
        FileFailed: "encrypted", "syntax" or "too_large".
    """
    unzipped(data)
    try:
        book = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        parts: list[str] = []
        for sheet in book.worksheets:
            if sheet.sheet_state == "visible":
                sheet.reset_dimensions()  # what the file claims about its size may be anything
                rows = sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True)
                parts += [heading(1, sheet.title), "", *_lines(rows), ""]
        return "\n".join(parts)
    except (FileFailed, MemoryError):
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part makes it raise
        raise FileFailed("syntax", f"{type(error).__name__}: {error}") from error


def _lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    head: list[str] | None = None
    for row in rows:
        cells = [_cell(value) for value in row]
        if not any(cells):
            continue
        if head is None:
            head = cells if _is_head(row) else []
            if head:
                yield f"Columns: {' | '.join(filter(None, head))}"
                continue
        named = zip(head, cells, strict=False) if head else (("", cell) for cell in cells)
        yield plain(" | ".join(f"{name}: {cell}" if name else cell for name, cell in named if cell))
        if head:
            yield from (plain(cell) for cell in cells[len(head) :] if cell)


def _is_head(row: Sequence[object]) -> bool:
    """A head has at least two cells, all of them different texts."""
    said = [value for value in row if value is not None]
    return len(said) > 1 and all(isinstance(value, str) for value in said) and len(set(said)) == len(said)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, date | time):
        return value.isoformat(*([" "] if isinstance(value, datetime) else []))
    if isinstance(value, float):
        return f"{value:.12g}"
    return squeezed(str(value)[:MAX_CELL])
