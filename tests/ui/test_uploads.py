"""What a browser sends is taken in under a clean name, in bounds, inside the workspace, or not at all."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import UserError
from retrieval.workspace import Workspace, create
from ui.uploads import FILES, QUOTA, UNTAKEN, Arriving, arriving, clean, take


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return create(tmp_path / ".hoplite", tmp_path)


@pytest.fixture
def folder(workspace: Workspace) -> Iterator[Arriving]:
    with arriving(workspace, file_limit=1000) as opened:
        yield opened


def arrived(folder: Arriving, name: str, size: int = 10) -> Path:
    """A file as Gradio leaves it: below a folder named after its hash."""
    (folder.folder / "0f").mkdir(exist_ok=True)
    (folder.folder / "0f" / name).write_bytes(b"x" * size)
    return folder.folder / "0f" / name


def test_what_arrived_is_moved_under_a_name_of_its_own_that_only_its_owner_reads(
    workspace: Workspace, folder: Arriving
) -> None:
    first = take([arrived(folder, "notes.md")], workspace, file_limit=1000)
    second = take([arrived(folder, "notes.md", 11)], workspace, file_limit=1000)
    assert [path.name for path in (*first, *second)] == ["notes.md", "notes 2.md"]
    assert {path.parent for path in (*first, *second)} == {workspace.uploads}
    assert stat.S_IMODE(first[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(workspace.uploads.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../etc/passwd", "passwd"), ("C:\\Users\\me\\a.md", "a.md"), (".bashrc", "bashrc"),
     ("a\nb\x1b[31m.md", "ab[31m.md"),
     ("gpj\u202etxt.exe", "gpjtxt.exe"), ("<img src=x>.md", "_img src=x_.md"), ("-rf.md", "rf.md"), ("", "file"),
     ("...", "file"), ("Ünïcödé 日本.txt", "Ünïcödé 日本.txt"),
     ("a" * 300 + ".md", "a" * 118 + ".md"), ("\ud800.md", "md")],
)  # fmt: skip
def test_a_name_is_made_clean(name: str, kept: str) -> None:
    assert clean(name) == kept


@given(st.text(max_size=200))
def test_any_name_becomes_one_that_is_a_file_in_its_folder(name: str) -> None:
    kept = clean(name)
    assert Path("/up", kept).parent == Path("/up")
    assert 0 < len(kept.encode()) <= 150
    assert kept[0] not in ".- "
    assert kept.isprintable()


def test_what_did_not_arrive_here_is_not_taken(workspace: Workspace, folder: Arriving, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    link = folder.folder / "link.md"
    link.symlink_to(secret)
    for forged in (secret, link, "/etc/passwd", "/proc/self/environ", folder.folder, "http://127.0.0.1/x", "x\0y"):
        with pytest.raises(UserError, match="Add it again"):
            take([arrived(folder, "good.md"), forged], workspace, file_limit=1000)
    assert not workspace.uploads.exists()  # the good one was not taken either
    assert secret.exists()


def test_what_is_too_large_too_many_or_beyond_the_quota_is_refused_whole(
    workspace: Workspace, folder: Arriving
) -> None:
    with pytest.raises(UserError, match="may be added"):
        take([arrived(folder, "large.md", 1001)], workspace, file_limit=1000)
    with pytest.raises(UserError, match="too many at once"):
        take([arrived(folder, "a.md")] * (FILES + 1), workspace, file_limit=1000)
    workspace.uploads.mkdir(parents=True)
    (workspace.uploads / "held").write_bytes(b"x" * (QUOTA * 1000 - 5))
    with pytest.raises(UserError, match="Remove some"):
        take([arrived(folder, "b.md")], workspace, file_limit=1000)


def test_uploads_that_are_a_link_elsewhere_are_refused(workspace: Workspace, folder: Arriving, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    workspace.sources.mkdir()
    workspace.uploads.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link"):
        take([arrived(folder, "a.md")], workspace, file_limit=1000)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_what_nobody_took_is_gone_after_an_hour_and_at_the_end(workspace: Workspace) -> None:
    with arriving(workspace, file_limit=1000) as folder:
        old, new = arrived(folder, "old"), arrived(folder, "new")
        os.utime(old, (time.time() - UNTAKEN - 1,) * 2)
        with folder.room(5):
            assert (old.exists(), new.exists()) == (False, True)
    assert not workspace.arriving.exists()


def test_there_is_room_for_so_much_and_for_so_many_at_once(folder: Arriving) -> None:
    with folder.room(0), folder.room(0), folder.room(0), folder.room(0), pytest.raises(UserError, match="under way"):
        folder.room(0).__enter__()
    arrived(folder, "held", QUOTA * 1000 - 10)
    with pytest.raises(UserError, match="wait to be taken in"):
        folder.room(20).__enter__()


def test_an_arriving_folder_that_was_planted_as_a_link_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("here")
    workspace.arriving.symlink_to(tmp_path / "precious")
    with arriving(workspace):
        assert not workspace.arriving.is_symlink()
    assert (tmp_path / "precious" / "file").exists()


def test_before_there_is_a_workspace_files_arrive_in_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/before")
    with arriving(None) as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder.folder)
        assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o700
    assert (os.environ["GRADIO_TEMP_DIR"], folder.folder.exists()) == ("/before", False)
