"""Tables (CSV, TSV) as pieces: rows packed together, each piece under the names of the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import islice

from ingest.chunk_prose import plain_pieces
from ingest.languages.recognise import stem_of
from ingest.names import identifiers, phrases, prose_name, unique
from ingest.pieces import HARD, SOFT, Piece, cut_blindly, length, packed, trimmed

_LONGEST_LINE = 100_000
"""Characters of a line in a file that is still read as a table; what has longer ones is read by no one row by row."""

_LONGEST_ROW = 100
"""Lines of a row. A row with more has a quote that is never closed."""

_SAMPLE = 2_000
"""Characters that tell the delimiter. The sniffer's patterns take up to 0.4 s for 4,000 and grow faster."""

_DELIMITERS = ",;\t|"
_LONGEST_SHOWN = 300
_MOST_COLUMNS = 200
_NUMBER = re.compile(r"[-+\d.,:/%]*")
_CODE_NAME = re.compile(r"[^\W\d]\w{1,80}")
_EVERYDAY = re.compile(r"[a-z]+|.{0,2}")


def table_pieces(lines: Sequence[str], path: str) -> list[Piece]:
    """Return the pieces of a table. Each non-blank line is in exactly one, and no row is cut that fits into a piece.
    What cannot be read as rows is cut by its blank lines."""
    delimiter = _delimiter(lines, path)
    rows = _rows(lines, delimiter)
    if not rows:
        return plain_pieces(lines, "csv", path)
    columns = _columns(lines, rows[0], delimiter)
    names = _column_names(columns, path)
    trail = (" · ".join(columns)[:_LONGEST_SHOWN],) if columns else ()
    pieces: list[Piece] = []
    for start, end in _packed(lines, rows):
        start, end = trimmed(lines, start, end)
        found = [name for line in lines[start:end] for name in (*identifiers(line), *phrases(line))]
        mentions = unique(name for name in found if name not in names)
        if end - start == 1 and len(lines[start]) > HARD:
            parts = cut_blindly(lines[start])
            pieces += [Piece(start, end, trail, () if pieces or i else names, (), p) for i, p in enumerate(parts)]
        elif start < end:
            pieces.append(Piece(start, end, trail, () if pieces else names, mentions))
    return pieces


def _delimiter(lines: Sequence[str], path: str) -> str:
    sample = "\n".join(islice(lines, 20))[:_SAMPLE]
    try:
        return csv.Sniffer().sniff(sample, delimiters=_DELIMITERS).delimiter
    except csv.Error:  # one column, for example
        return "\t" if path.lower().endswith(".tsv") else ","


def _rows(lines: Sequence[str], delimiter: str) -> list[tuple[int, int]]:
    """Return the lines that each row takes; none where quotes or lengths say that this is no table."""
    if any(len(line) > _LONGEST_LINE for line in lines):
        return []
    reader = csv.reader(lines, delimiter=delimiter)
    rows: list[tuple[int, int]] = []
    start = 0
    try:
        for _ in reader:
            if reader.line_num - start > _LONGEST_ROW:
                return []
            rows.append((start, reader.line_num))
            start = reader.line_num
    except csv.Error:
        return []
    return rows


def _columns(lines: Sequence[str], row: tuple[int, int], delimiter: str) -> list[str]:
    """Return the cells of the first row where they can be names of columns: words, no two the same."""
    cells = next(csv.reader(lines[row[0] : row[1]], delimiter=delimiter), [])
    cells = [" ".join(cell.split()) for cell in cells[:_MOST_COLUMNS]]
    named = [cell for cell in cells if cell]
    if any(_NUMBER.fullmatch(cell) or len(cell) > 100 for cell in named) or len(set(named)) < len(named):
        return []
    return named


def _column_names(columns: Sequence[str], path: str) -> tuple[str, ...]:
    """A column is known by its table's name and its own, and by its own alone where that is no everyday word."""
    table = stem_of(path)
    names = []
    for column in columns:
        if _CODE_NAME.fullmatch(column):
            names += [f"{table}.{column}", *([] if _EVERYDAY.fullmatch(column) else [column])]
        if len(column.split()) > 1 or "_" in column:
            names.append(prose_name(column))
    return unique(names)


def _packed(lines: Sequence[str], rows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pack whole rows into runs of up to SOFT characters. A row longer than HARD is cut between its lines."""
    runs: list[tuple[int, int]] = []
    size = 0
    for start, end in rows:
        own = length(lines, start, end)
        if own > HARD:
            runs += packed(lines, start, end, SOFT)
        elif runs and size + own <= SOFT:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
            size = 0
        size += own
    return runs
