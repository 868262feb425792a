"""What holds for every chunk of every document."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import chunk
from ingest.languages.grammar import LANGUAGES
from ingest.types import Chunk, Document
from tests.ingest.conftest import Make, made

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.txt"))

LINES = st.sampled_from([
    "", "", "# Title", "## Deeper", "Title", "=====", "-----", "```", "Words about it. Others.", "    x = f(1)",
    ".. class:: Heron(x)", ".. _a-label:", "    .. method:: fly()", "::", "Example::", "class A:", "    def f(self):",
    "        return g(x)", "def h(a,", "    b):", "}", "{", "function f() {", "/* c", "*/", "# comment", "@wrap", '"""',
    "x" * 700, "word " * 150, "é" * 300, "struct S { int a; };", "impl S { fn f() {} }", "\x0c", "\u2028",
])  # fmt: skip
NAMES = st.sampled_from(["a.md", "a.rst", "a.txt", "a.py", "a.js", "a.tsx", "a.go", "a.rs", "a.java", "a.c", "a.cpp",
                         "a.json", "a.sh", "a.adoc", "a.mdx", "a.csv"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(NAMES, st.lists(LINES, max_size=60))
def test_every_line_is_in_one_chunk_and_every_chunk_is_its_lines(path: str, lines: list[str]) -> None:
    chunks = chunk(made(path, "\n".join(lines)))
    seen: list[int] = []
    for one in chunks:
        assert one.text == "\n".join(lines[one.start_line - 1 : one.end_line])
        seen += range(one.start_line, one.end_line + 1)
    assert seen == sorted(set(seen))
    assert {i for i, line in enumerate(lines, 1) if line.strip()} <= set(seen)


@settings(max_examples=50, deadline=None)
@given(NAMES, st.lists(LINES, max_size=60))
def test_ids_are_unique_and_the_same_each_time(path: str, lines: list[str]) -> None:
    document = made(path, "\n".join(lines))
    chunks = chunk(document)
    assert len({one.id for one in chunks}) == len(chunks)
    assert chunk(document) == chunks


def test_a_chunk_that_moved_keeps_its_id(document: Make) -> None:
    body = "# A\n\ntext one\n\n# B\n\ntext two"
    before = chunk(document("a.md", body))
    after = chunk(document("a.md", "# New\n\nat the top\n\n" + body))
    assert [one.id for one in after[1:]] == [one.id for one in before]


@pytest.mark.parametrize("path", ["a.md", "a.json", "a.py"])
def test_a_giant_line_is_cut_and_every_part_reports_that_line(path: str, document: Make) -> None:
    chunks = chunk(document(path, "first = 1\n\n" + "Long sentence number one is here. " * 400))
    parts = [one for one in chunks if one.start_line == 3]
    assert len(parts) > 3
    assert all(one.end_line == 3 and len(one.text) <= 2000 for one in parts)
    assert sum(len(one.text) for one in parts) > 13_000


def test_nothing_comes_of_nothing(document: Make) -> None:
    assert chunk(document("a.md", " \n\n")) == []
    assert chunk(document("a.py", "")) == []


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_broken_and_hostile_code_still_gives_all_its_lines(language: str) -> None:
    for text in (
        "(" * 10_000,
        "def f(:\n}}}\n class {",
        "\ufeffclass A\u202e{\n" * 50,
        "a +\n" * 3_000,
        "if x {\n" * 500,
    ):
        chunks = chunk(Document("x", text, "code", language, ""))
        assert (
            sum(one.text.count("\n") + 1 for one in chunks) >= sum(1 for line in text.split("\n") if line.strip())
            or len(text) == 10_000
        )


def rendered(chunks: list[Chunk]) -> str:
    """Chunks as the golden files have them: place, then what is defined and what is mentioned."""
    return "".join(
        f"{one.header}  [{one.start_line}-{one.end_line}] {one.title}\n"
        f"  defines  {' · '.join(one.defines)}\n  mentions {' · '.join(one.mentions)}\n\n"
        for one in chunks
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_of_each_language_gives_these_chunks_and_names(sample: Path, document: Make) -> None:
    """HOPLITE_GOLDEN=write writes the golden files anew; read the difference before keeping it."""
    found = rendered(chunk(document(f"heron/{sample.stem}", sample.read_text(encoding="utf-8"))))
    golden = sample.with_suffix(".golden")
    if os.environ.get("HOPLITE_GOLDEN") == "write":
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
