"""From bytes to text, whatever they are, with lines that open at the right place."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import decode
from ingest.errors import FileFailed
from ingest.languages.recognise import language_of, looks_like_code, stem_of
from ingest.load import load
from ingest.load_html import read_html
from ingest.load_notebook import read_notebook


def test_loading_tells_kind_language_and_digest(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"def f(): pass\r\n")
    document = load(tmp_path / "x", "pkg/x.py")
    assert (document.kind, document.language, document.text) == ("code", "python", "def f(): pass\n")
    assert document.digest == hashlib.sha256(b"def f(): pass\r\n").hexdigest()
    assert document.source_lines is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_text_is_read_in_the_encodings_that_files_have(encoding: str) -> None:
    text = "A café in Zürich, described at some length."
    assert decode(text.encode(encoding)) == text


def test_line_ends_become_one_kind_and_keep_their_count() -> None:
    assert decode(b"a\r\nb\rc\n\x0cd") == "a\nb\nc\n\x0cd"


@given(st.binary(max_size=300))
def test_any_bytes_become_text_that_a_database_takes(data: bytes) -> None:
    text = decode(data)
    assert "\0" not in text
    assert "\r" not in text
    text.encode("utf-8")


def test_a_file_that_turned_into_a_link_or_pipe_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in {"link": "unreadable", "pipe": "special", "gone": "gone"}.items():
        with pytest.raises(FileFailed) as caught:
            load(tmp_path / name, name)
        assert caught.value.reason == reason


def test_binary_behind_the_name_of_a_text_fails_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\x89PNG\x00\x00\x01")
    with pytest.raises(FileFailed, match=r"a\.md holds binary data"):
        load(tmp_path / "a.md", "a.md")


@pytest.mark.parametrize(("name", "text", "language"), [
    ("a.txt", "Title\n=====\n\n.. note:: x\n", "rst"),
    ("a.txt", "Just text.\n=====\n", "text"),
    ("run", "#!/usr/bin/env python3\n", "python"),
    ("a.h", "class Pond {\n};\n", "cpp"),
    ("a.h", "int f(void);\n", "c"),
    ("Makefile", "all:\n", "make"),
    ("CHANGES", "Version 2\n", "text"),
])  # fmt: skip
def test_the_language_follows_name_then_first_line_then_looks(name: str, text: str, language: str) -> None:
    assert language_of(name, text)[1] == language


@pytest.mark.parametrize(("text", "language"), [
    ("def area(r):\n    return 3 * r * r\n", "python"),
    ("func Drain(p *Pond) error {\n", "go"),
    ("pub fn drain(p: &mut Pond) {\n", "rust"),
    ("public static int count(List<Bird> birds) {\n", "java"),
    ("const drain = async () => {\n", "javascript"),
    ("static int pond_count(const pond_t *p)\n{\n", "c"),
    ("Class struggle is the tension in society.", None),
    ("Import duties rose in 1890.", None),
    ("From Here to Eternity is a 1953 film.", None),
    ("", None),
])  # fmt: skip
def test_bare_code_is_told_from_prose(text: str, language: str | None) -> None:
    assert looks_like_code(text) == language


def test_only_a_known_suffix_is_taken_off() -> None:
    assert [stem_of(name) for name in ("a/b.md", "St. Louis", ".gitignore")] == ["b", "St. Louis", ".gitignore"]


def test_html_keeps_text_headings_and_code_and_knows_their_lines() -> None:
    raw = '<h1>A\nB</h1>\n<script>x</script><nav>m</nav>\n<p>See <a href="u">it</a>\n<code>f()</code>\n<pre>\na\n\n b'
    text, places = read_html(raw)
    assert text.split("\n") == ["# A B", "", "See it", "`f()`", "", "```", "a", "", " b", "```"]
    assert list(places) == [1, 2, 4, 5, 6, 6, 7, 8, 9, 9]


@given(st.text(alphabet="<>/ab h1pre\n&;!-\"'", max_size=120))
def test_any_html_gives_one_place_a_line_within_the_file(raw: str) -> None:
    text, places = read_html(raw)
    assert len(places) == (len(text.split("\n")) if text else 0)
    assert all(1 <= place <= raw.count("\n") + 1 for place in places)
    assert list(places) == sorted(places)


def test_a_notebook_gives_its_cells_without_outputs_at_their_lines() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Hi\n", "there"]},
        {"cell_type": "code", "outputs": [{"data": {"source": ["x = 1"]}}], "source": ["x = 2\n", "y = 3"]},
    ]
    raw = json.dumps({"cells": cells}, indent=1)
    text, places = read_notebook(raw, "a.ipynb")
    assert text == "# Hi\nthere\n\n```python\nx = 2\ny = 3\n```"
    lines = raw.split("\n")
    assert [lines[places[i] - 1].strip() for i in (0, 1, 4, 5)] == ['"# Hi\\n",', '"there"', '"x = 2\\n",', '"y = 3"']


@pytest.mark.parametrize("raw", ["", "[]", "{}", '{"cells": 3}', '{"cells": [{"source": 1}]}', "[" * 100_000])
def test_what_is_no_notebook_fails_by_name(raw: str) -> None:
    with pytest.raises(FileFailed, match=r"a\.ipynb is no Jupyter notebook"):
        read_notebook(raw, "a.ipynb")
