"""What `hoplite index` and `hoplite status` take and say, in this process and without weights."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import FileFailed
from retrieval import indexing
from retrieval.indexing import Part, Progress, index
from retrieval.workspace import find
from tests.retrieval.contents import contents
from tests.retrieval.made import HashEmbedder
from tests.ui.conftest import Hoplite
from tests.ui.station import without_weights


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text


def held(folder: Path) -> dict[str, Any]:
    return contents(find(folder), ["heron", "number", "7"], ["heron_1", "heron_11", "Note 4"])


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two dozen files, one of them broken."""
    without_weights(monkeypatch)
    folder = tmp_path / "many"
    (folder / "src").mkdir(parents=True)
    for number in range(12):
        (folder / f"note{number}.md").write_text(
            f"# Note {number}\n\nThe heron of number {number} calls `heron_{number}`.\n"
        )
        (folder / "src" / f"m{number}.py").write_text(f"def heron_{number}():\n    return {number}\n")
    (folder / "broken.ipynb").write_text("{")
    return folder


# Summary --------------------------------------------------------------------------------------------------------------


def test_the_summary_tells_new_changed_and_gone_apart(hoplite: Hoplite, many: Path) -> None:
    assert "24 new, 0 changed, 0 unchanged, 0 gone" in hoplite("index", many).stderr
    (many / "note0.md").write_text("# Other\n\nwords\n")
    (many / "note1.md").unlink()
    (many / "new.md").write_text("# New\n\nwords\n")
    assert "1 new, 1 changed, 22 unchanged, 1 gone" in hoplite("index", many).stderr


def test_what_was_left_out_is_counted_by_reason(hoplite: Hoplite, many: Path) -> None:
    (many / "picture.png").write_bytes(b"x")
    (many / "link").symlink_to(many / "src")
    shown = hoplite("index", many).stderr
    assert "skipped: 1 binary, 1 symlink folder" in shown
    assert "failed: 1 syntax" in shown


def test_failures_are_named_up_to_a_number(hoplite: Hoplite, many: Path) -> None:
    for number in range(14):
        (many / f"broken{number:02}.ipynb").write_text("{")
    result = hoplite("index", many)
    assert result.exit_code == 4
    assert "failed: 15 syntax" in result.stderr
    assert result.stderr.count(".ipynb") == 10
    assert "and 5 more" in result.stderr
    assert len(json.loads(hoplite("index", many, "--json").stdout)["failures"]) == 15


def test_json_has_every_number_and_is_silent_elsewhere(hoplite: Hoplite, many: Path) -> None:
    result = hoplite("index", many, "--json")
    report = json.loads(result.stdout)
    kept = {
        "workspace",
        "documents",
        "chunks",
        "written",
        "unchanged",
        "failed",
        "forgotten",
        "embedded",
        "repaired",
        "copies",
    }
    added = {"skipped", "failures", "seconds", "new", "changed", "files", "shard", "store", "collection", "dense"}
    assert kept | added == set(report)
    assert report["store"] is report["collection"] is report["dense"] is None
    assert (report["files"], report["new"], report["changed"], report["failed"]) == (25, 24, 0, 1)
    assert result.stderr == ""


def test_progress_tells_phases_files_chunks_and_failures(many: Path) -> None:
    seen: list[Progress] = []
    index([many], on_progress=seen.append)
    phases = list(dict.fromkeys(at.phase for at in seen))
    assert phases == ["walking", "reading", "writing", "sweeping"]
    assert (seen[-1].done, seen[-1].files, seen[-1].failed) == (25, 25, 1)
    assert seen[-1].chunks == 24


def test_a_run_over_a_few_files_keeps_what_is_known_of_the_others(many: Path) -> None:
    index([many])
    (many / "note0.md").write_text("# Other\n\nwords\n")
    (many / "note1.md").unlink()
    (many / "note2.md").unlink()
    report = index([many], only=frozenset(str(many / name) for name in ("note0.md", "note1.md")))
    assert (report.applied.written, report.applied.forgotten, report.failures) == (1, 1, ())
    after = held(many)
    assert "note2.md" in after["documents"]
    assert [failure.path for failure in after["failures"]] == ["broken.ipynb"]


def test_a_file_that_can_be_read_again_is_no_failure_any_more(many: Path) -> None:
    index([many])
    (many / "broken.ipynb").write_text('{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    assert index([many], only={str(many / "broken.ipynb")}).failures == ()
    assert held(many)["failures"] == ()


def test_a_folder_that_went_away_is_forgotten_by_its_name_alone(many: Path) -> None:
    index([many])
    for file in (many / "src").iterdir():
        file.unlink()
    (many / "src").rmdir()
    assert index([many], only={str(many / "src")}).applied.forgotten == 12


def test_indexing_the_base_leaves_what_was_indexed_from_elsewhere(many: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.md").write_text("# Far\n\nwords\n")
    index([many])
    index([tmp_path / "elsewhere"], chosen=many / ".hoplite")
    assert index([many]).applied.forgotten == 0
    (tmp_path / "elsewhere" / "far.md").unlink()
    assert index([tmp_path / "elsewhere"], chosen=many / ".hoplite").applied.forgotten == 1


# Parts ----------------------------------------------------------------------------------------------------------------


def test_parts_one_after_another_equal_one_run(many: Path, tmp_path: Path, hoplite: Hoplite) -> None:
    index([many])
    whole = held(many)
    (many / ".hoplite").rename(tmp_path / "whole")
    for number in (1, 2, 3):
        result = hoplite("index", many, "--shard", f"{number}/3")
        assert f"part {number} of 3: " in result.stderr
    assert held(many) == whole


def test_every_path_is_in_one_part_and_always_the_same() -> None:
    paths = [f"src/{number}.py" for number in range(100)]
    parts = [[path for path in paths if path in Part(number, 4)] for number in (1, 2, 3, 4)]
    assert sorted(path for part in parts for path in part) == sorted(paths)
    assert all(len(part) > 10 for part in parts)
    # Written down, so that another hash, which would share the files out anew, is noticed.
    assert "docs/guide.md" in Part(1, 4)


def test_a_part_forgets_only_its_own(many: Path) -> None:
    index([many])
    gone = sorted(path.name for path in many.glob("note*.md"))
    for name in gone:
        (many / name).unlink()
    own = [name for name in gone if name in Part(2, 3)]
    report = index([many], part=Part(2, 3))
    assert report.applied.forgotten == len(own)
    assert 0 < len(own) < len(gone)
    assert not held(many)["documents"].keys() & set(own)


@pytest.mark.parametrize("wrong", ["0/4", "5/4", "x", "1/", "/4", "1", "-1/4", "1/0"])
def test_what_is_no_part_is_one_line(hoplite: Hoplite, many: Path, wrong: str) -> None:
    result = hoplite("index", many, "--shard", wrong)
    assert result.exit_code == 2
    assert one_line(result.stderr)
    assert wrong in result.stderr
    assert not (many / ".hoplite").exists()


def test_starting_over_with_one_part_is_refused(hoplite: Hoplite, many: Path) -> None:
    hoplite("index", many)
    before = held(many)
    result = hoplite("index", many, "--rebuild", "--shard", "1/2")
    assert result.exit_code == 2
    assert one_line(result.stderr)
    assert held(many) == before


# Removing -------------------------------------------------------------------------------------------------------------


def test_several_paths_are_removed_at_once_with_counts(hoplite: Hoplite, many: Path) -> None:
    before = json.loads(hoplite("index", many, "--json").stdout)
    removed = json.loads(hoplite("index", "--remove", many / "src", "--remove", many / "note0.md", "--json").stdout)
    assert (removed["forgotten"], removed["documents"]) == (13, 11)
    assert removed["paths"] == sorted(["note0.md", *(f"src/m{number}.py" for number in range(12))])
    after = json.loads(hoplite("status", "--json", "--workspace", many / ".hoplite").stdout)
    assert after["chunks"] == before["chunks"] - removed["chunks"]


def test_removing_says_what_and_how_many_are_left(hoplite: Hoplite, many: Path) -> None:
    hoplite("index", many)
    shown = hoplite("index", "--remove", many / "note0.md").stderr
    assert shown == "1 document and 1 chunk forgotten (note0.md); 23 documents left.\n"


def test_what_is_gone_from_disk_can_be_removed_and_so_can_what_failed(hoplite: Hoplite, many: Path) -> None:
    hoplite("index", many)
    (many / "note0.md").unlink()
    (many / "broken.ipynb").unlink()
    result = hoplite("index", "--remove", many / "note0.md", "--remove", many / "broken.ipynb", "--json")
    assert json.loads(result.stdout)["forgotten"] == 1
    assert held(many)["failures"] == ()


def test_a_path_that_is_not_indexed_removes_nothing_at_all(hoplite: Hoplite, many: Path) -> None:
    hoplite("index", many)
    before = held(many)
    result = hoplite("index", "--remove", many / "note0.md", "--remove", many / "nowhere.md")
    assert result.exit_code == 2
    assert one_line(result.stderr)
    assert "nowhere.md" in result.stderr
    assert "note0.md" not in result.stderr
    assert held(many) == before


def test_a_second_path_without_the_option_is_refused_and_not_indexed(hoplite: Hoplite, many: Path) -> None:
    hoplite("index", many)
    before = held(many)
    result = hoplite("index", "--remove", many / "note0.md", many / "note1.md")
    assert result.exit_code == 2
    assert "note1.md would be indexed" in result.stderr
    assert held(many) == before


# Status ---------------------------------------------------------------------------------------------------------------


def test_status_tells_changed_gone_and_new_apart(hoplite: Hoplite, many: Path) -> None:
    hoplite("index", many)
    os.utime(many / "note0.md", (1, 1))
    (many / "note1.md").unlink()
    (many / "fresh.md").write_text("# Fresh\n")
    status = ("status", "--json", "--workspace", many / ".hoplite")
    shown = json.loads(hoplite(*status).stdout)
    assert (shown["changed"], shown["gone"], shown["new"]) == (["note0.md"], ["note1.md"], None)
    assert shown["stale"] == ["note0.md", "note1.md"]
    assert json.loads(hoplite(*status, "--check").stdout)["new"] == ["fresh.md"]


def test_status_bounds_its_lists(hoplite: Hoplite, many: Path) -> None:
    for number in range(14):
        (many / f"broken{number:02}.ipynb").write_text("{")
    hoplite("index", many)
    for path in many.glob("note*.md"):
        path.unlink()
    shown = hoplite("status", "--workspace", many / ".hoplite").stdout
    assert "gone       12 files: note0.md, note1.md, note10.md, note11.md, note2.md and 7 more" in shown
    assert "failed     15 syntax" in shown
    assert shown.count(".ipynb") == 10
    assert "and 5 more" in shown


def test_status_of_a_sound_index_says_so(hoplite: Hoplite, many: Path) -> None:
    hoplite("index", many)
    status = ("status", "--workspace", many / ".hoplite")
    assert "stale      nothing; `--check` also looks for new files\n" in hoplite(*status).stdout
    assert "stale      nothing\n" in hoplite(*status, "--check").stdout


# Ctrl-C ---------------------------------------------------------------------------------------------------------------


def test_ctrl_c_says_what_is_kept_and_leaves_it_searchable(
    hoplite: Hoplite, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hoplite("index", many)
    (many / "note0.md").write_text("# Other\n\nwords\n")

    class Interrupted(HashEmbedder):
        def embed(self, texts: object) -> Any:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "embedder_named", lambda name: Interrupted())
        result = hoplite("index", many)
    assert result.exit_code == 130
    assert one_line(result.stderr)
    assert "24 documents" in result.stderr
    assert hoplite("search", "heron", "--workspace", many / ".hoplite").exit_code == 0
    assert "0 new, 1 changed" in hoplite("index", many).stderr


def test_a_failure_is_named_once_where_its_message_begins_with_its_path(hoplite: Hoplite, many: Path) -> None:
    assert str(FileFailed("syntax", "x")) == "x"
    shown = hoplite("index", many).stderr
    assert shown.count("broken.ipynb") == 1
