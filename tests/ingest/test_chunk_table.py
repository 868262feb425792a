"""Tables: rows under the names of their columns, and files that only look like tables."""

from __future__ import annotations

import time

import pytest

from ingest.chunk import chunk
from tests.ingest.conftest import Make


def test_every_chunk_of_rows_shows_the_columns_and_the_first_defines_them(document: Make) -> None:
    rows = "".join(f"H-{i},Grey Heron,{1400 + i}\n" for i in range(200))
    chunks = chunk(document("data/sightings.csv", "ring_number,Bird Name,weight\n" + rows))
    assert len(chunks) > 2
    assert all(one.header == "data/sightings.csv > ring_number · Bird Name · weight" for one in chunks)
    assert {"ring_number", "sightings.ring_number", "bird name", "sightings.weight"} <= set(chunks[0].defines)
    assert "weight" not in chunks[0].defines
    assert not any(one.defines for one in chunks[1:])
    assert all("grey heron" in one.mentions for one in chunks)


def test_a_row_with_line_ends_in_quotes_is_not_cut_and_lines_stay_true(document: Make) -> None:
    lines = ["id;note"]
    for i in range(60):
        lines += [f'{i};"first line of {i}, and more', "second line", 'third line"']
    chunks = chunk(document("a.csv", "\n".join(lines)))
    assert len(chunks) > 2
    for one in chunks:
        assert one.text == "\n".join(lines[one.start_line - 1 : one.end_line])
        assert one.text.endswith('third line"')


def test_tabs_and_semicolons_part_columns_too(document: Make) -> None:
    assert chunk(document("a.tsv", "Pond\tGate\nMill\tupper\n"))[0].title == "Pond · Gate"
    assert chunk(document("a.csv", "Pond;Gate\nMill, old;upper\nWeir;lower, new\n"))[0].title == "Pond · Gate"


def test_a_first_row_of_numbers_names_no_columns(document: Make) -> None:
    assert chunk(document("a.csv", "1,2.5\n3,4\n"))[0].header == "a.csv"


@pytest.mark.parametrize("text", [
    ",".join(f"c{i}" for i in range(1_000_000)),
    "a,b\n" + "x" * 20_000_000,
    'a,b\n"open,\n' + "1,2\n" * 100_000,
    '"' * 1_000_000,
    '"\n' * 100_000,
    '", ' * 300_000,
    "," * 1_000_000,
    "a,b\r\x0b\x1c\n1,2\n",
], ids=["columns", "line", "open quote", "quotes", "quoted lines", "quotes apart", "commas", "odd breaks"])  # fmt: skip
def test_hostile_tables_are_read_within_bounds(text: str, document: Make) -> None:
    begun = time.process_time()
    chunks = chunk(document("a.csv", text))
    assert time.process_time() - begun < 15
    assert max(len(one.text) for one in chunks) <= 2_000
    assert sum(len(name) for one in chunks for name in one.defines) < 20_000
