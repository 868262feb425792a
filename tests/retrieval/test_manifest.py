from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import EmbedderMismatch, UserError, WorkspaceDamaged
from retrieval.copies import COMMON
from retrieval.manifest import Entry, Failure, Manifest, Totals


def entry(path: str, *chunks: int, mtime_ns: int = 5) -> Entry:
    return Entry(path, f"/home/{path}", "ab" * 32, 10, mtime_ns, "code", "python", chunks, chunks)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "manifest.sqlite"


@pytest.fixture
def manifest(file: Path) -> Iterator[Manifest]:
    made = Manifest(file)
    yield made
    made.close()


def test_what_was_recorded_comes_back(manifest: Manifest) -> None:
    manifest.record([entry("a.py", 2**62, 7), entry("b.py")])
    assert manifest.entry("a.py") == entry("a.py", 2**62, 7)
    assert manifest.entry("c.py") is None
    assert manifest.paths() == {"a.py", "b.py"}
    assert manifest.totals() == Totals(documents=2, chunks=2)
    assert manifest.chunk_ids() == {2**62, 7}


def test_recording_again_replaces(manifest: Manifest) -> None:
    manifest.record([entry("a.py", 1, 2)])
    manifest.record([entry("a.py", 2, 3)])
    assert manifest.owned(["a.py", "none.py"]) == {"a.py": (2, 3)}
    assert manifest.totals() == Totals(1, 2)


def test_the_files_are_known_by_size_time_and_place(manifest: Manifest) -> None:
    manifest.record([entry("a.py", 1), entry("b.py", mtime_ns=7)])
    assert manifest.known() == {"a.py": (10, 5, b"/home/a.py"), "b.py": (10, 7, b"/home/b.py")}


def test_documents_are_found_by_their_smallest_keys(manifest: Manifest) -> None:
    manifest.record([entry("a.py", 9, 1, 8, 2, 7), entry("b.py", 3), entry("c.py", 9)])
    assert set(manifest.alike([2, 4])) == {"a.py"}
    assert set(manifest.alike([9, 3])) == {"b.py", "c.py"}  # 9 is not among the four smallest of a.py
    manifest.record([entry("a.py", 5)])
    manifest.forget(["c.py"])
    assert manifest.alike([1, 2, 7, 8, 9]) == {}
    assert manifest.alike([]) == {}


def test_a_text_that_most_documents_have_leads_to_a_few_of_them(manifest: Manifest) -> None:
    manifest.record([entry(f"{i}.py", 1, 10 + i) for i in range(200)])
    assert len(manifest.alike([1])) == COMMON
    assert set(manifest.alike([1, 150])) >= {"140.py"}


def test_copies_of_what_is_written_or_forgotten_are_stranded(manifest: Manifest) -> None:
    copies = [replace(entry(path), original=of) for path, of in (("b.py", "a.py"), ("c.py", "a.py"), ("d.py", "x.py"))]
    manifest.record([entry("a.py", 1), entry("x.py", 2), *copies])
    assert manifest.copies() == {"b.py": "a.py", "c.py": "a.py", "d.py": "x.py"}
    assert manifest.stranded() == set()
    manifest.record([entry("a.py", 3), copies[1]])
    assert manifest.stranded() == {"b.py"}
    manifest.forget(["x.py"])
    assert manifest.stranded() == {"b.py", "d.py"}


def test_a_touched_file_is_unchanged_again(manifest: Manifest) -> None:
    manifest.record([entry("a.py", 1)])
    manifest.touch("a.py", 10, 99, "/home/a.py")
    assert manifest.entry("a.py") == entry("a.py", 1, mtime_ns=99)


def test_only_a_known_file_can_be_touched(manifest: Manifest) -> None:
    with pytest.raises(ValueError, match="never indexed"):
        manifest.touch("a.py", 10, 99, "/home/a.py")


def test_what_is_forgotten_is_gone(manifest: Manifest) -> None:
    manifest.record([entry("a.py", 1), entry("b.py", 2)])
    manifest.forget(["a.py", "none.py"])
    assert manifest.paths() == {"b.py"}
    assert manifest.chunk_ids() == {2}


def test_a_source_need_not_be_unicode(manifest: Manifest) -> None:
    odd = Entry("a.py", "/home/\udcff/a.py", "", 1, 1, "code", "python", (), ())
    manifest.record([odd])
    assert manifest.entry("a.py") == odd


def test_failures_and_skips_are_the_last_runs(manifest: Manifest) -> None:
    manifest.note_failures([Failure("old.py", "syntax", "x")])
    manifest.note_failures([Failure("\udcff.py", "encoding", "not UTF-8: \udcff")])
    manifest.note_skips({"binary": 1}, {"binary": ["a.png"]})
    manifest.note_skips({"too large": 2, "ignored": 3}, {"ignored": ["build/", "\udcff/"]})
    assert manifest.failures() == (Failure("\\udcff.py", "encoding", "not UTF-8: \\udcff"),)
    assert manifest.skips() == {"ignored": 3, "too large": 2}
    assert manifest.skipped_paths() == {"ignored": ("build/", "\\udcff/"), "too large": ()}


def test_the_embedder_is_noted_once(manifest: Manifest) -> None:
    assert manifest.settings() is None
    manifest.hold_to("static", 256)
    manifest.hold_to("static", 256)
    made = manifest.settings()
    assert made is not None
    assert (made.embedder, made.dim) == ("static", 256)


@pytest.mark.parametrize("other", [("bge", 768), ("static", 512)])
def test_another_embedder_is_refused_with_both_names(manifest: Manifest, other: tuple[str, int]) -> None:
    manifest.hold_to("static", 256)
    with pytest.raises(
        EmbedderMismatch, match=f"indexed with static .256 .*{other[0]} makes {other[1]}.*index PATH --rebuild"
    ):
        manifest.hold_to(*other)


def test_everything_is_there_after_reopening(file: Path) -> None:
    first = Manifest(file)
    first.record([entry("a.py", 1)])
    first.close()
    first.close()
    again = Manifest(file)
    assert again.entry("a.py") == entry("a.py", 1)
    again.close()


@pytest.mark.parametrize(("version", "said"), [(99, "newer Hoplite.*99"), (-1, "older Hoplite")])
def test_another_format_is_refused(file: Path, version: int, said: str) -> None:
    Manifest(file).close()
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(UserError, match=said):
        Manifest(file)


def test_a_file_that_is_no_database_is_told_with_the_next_step(file: Path) -> None:
    file.write_bytes(b"noise" * 500)
    with pytest.raises(WorkspaceDamaged, match="hoplite index PATH --rebuild"):
        Manifest(file)


def test_a_damaged_page_is_told_when_it_is_read(file: Path) -> None:
    first = Manifest(file)
    first.record([entry(f"{i}.py", *range(50)) for i in range(200)])
    first.close()
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    damaged = Manifest(file)
    with pytest.raises(WorkspaceDamaged, match="hoplite index PATH --rebuild"):
        damaged.paths()
    damaged.close()


def test_a_folder_that_is_not_there_is_the_users_to_fix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="permissions"):
        Manifest(tmp_path / "none" / "manifest.sqlite")
