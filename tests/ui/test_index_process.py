"""The index command as a process: in a terminal, beside another one, on a full disk, killed and stopped."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ui import hashed

ROOT = Path(__file__).parents[2]
HOPLITE = [sys.executable, "-m", "tests.ui.hashed"]


def hoplite(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOPLITE, *map(str, words)], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


def started(*words: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HOPLITE, *map(str, words)],
        cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def write(folder: Path, files: int = 40) -> Path:
    folder.mkdir(parents=True)
    for number in range(files):
        (folder / f"note{number}.md").write_text(f"# Note {number}\n\nThe heron of number {number}.\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "notes")


@contextmanager
def held(folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An index run that stands still in the middle."""
    mark = tmp_path / "hold"
    run = started("index", folder, **{hashed.HOLD: str(mark)})
    try:
        wait_for(mark.exists)
        yield run
        mark.unlink(missing_ok=True)
        run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()


@pytest.mark.slow
def test_of_two_writers_the_second_names_the_first_and_ends(folder: Path, tmp_path: Path) -> None:
    with held(folder, tmp_path) as first:
        seconds = [started("index", folder) for _ in range(10)]
        for second in seconds:
            _, said = second.communicate(timeout=60)
            assert second.returncode == 3
            assert one_line(said)
            assert f"process {first.pid}" in said
        assert hoplite("index", "--remove", folder / "note0.md").returncode == 3
    assert first.returncode == 0
    assert json.loads(hoplite("index", folder, "--json").stdout)["unchanged"] == 40


def test_a_killed_run_gives_the_workspace_back_at_once(folder: Path, tmp_path: Path) -> None:
    with held(folder, tmp_path) as first:
        first.kill()
        first.wait()
        again = hoplite("index", folder, "--json")
        assert again.returncode == 0
        assert json.loads(again.stdout)["documents"] == 40


def test_ctrl_c_in_a_run_is_one_line_and_130(folder: Path, tmp_path: Path) -> None:
    with held(folder, tmp_path) as run:
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert one_line(said)
    assert "the same command goes on" in said
    assert json.loads(hoplite("index", folder, "--json").stdout)["documents"] == 40


# A terminal -----------------------------------------------------------------------------------------------------------


def in_terminal(*words: object, columns: int = 100) -> str:
    """Run a command in a terminal and return all that was written to it."""
    ours, theirs = pty.openpty()
    os.set_inheritable(theirs, True)
    environment = os.environ | {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "30"}
    run = subprocess.Popen(
        [*HOPLITE, *map(str, words)], cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 60)
        assert ready
        try:
            read = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not read:
            break
        shown += read
    os.close(ours)
    assert run.wait(60) == 0
    return shown.decode()


def test_a_terminal_sees_a_bar_with_phases_files_and_chunks(folder: Path) -> None:
    shown = in_terminal("index", folder)
    assert re.search(r"reading|writing|sweeping", shown)
    assert "40/40 files" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert "40 chunks" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert "40 new, 0 changed" in shown


def test_a_pipe_sees_no_bar(folder: Path) -> None:
    run = hoplite("index", folder)
    assert "\x1b" not in run.stderr
    assert len(run.stderr.splitlines()) == 2
    assert hoplite("index", folder, "--json").stderr == ""


# Watching -------------------------------------------------------------------------------------------------------------


class Watching:
    """`hoplite index --watch --json`, whose reports are read one by one."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.run = started("index", folder, "--watch", "--json", *words)
        self.first = self.report()
        assert self.run.stderr is not None
        assert "Watching" in self.run.stderr.readline()

    def report(self) -> dict[str, object]:
        assert self.run.stdout is not None
        return json.loads(self.run.stdout.readline())  # type: ignore[no-any-return]

    def end(self) -> str:
        self.run.send_signal(signal.SIGINT)
        _, said = self.run.communicate(timeout=60)
        assert self.run.returncode == 0
        return said


@pytest.fixture
def watching(folder: Path) -> Iterator[Watching]:
    made = Watching(folder)
    yield made
    made.run.kill()
    made.run.communicate()


def numbers(report: dict[str, object]) -> tuple[object, ...]:
    return tuple(report[key] for key in ("new", "changed", "forgotten"))


def test_what_changes_is_brought_in_and_can_be_searched_meanwhile(folder: Path, watching: Watching) -> None:
    assert numbers(watching.first) == (40, 0, 0)
    (folder / "note0.md").write_text("# Zanzibar\n\nThe zanzibar is far.\n")
    begun = time.monotonic()
    assert numbers(watching.report()) == (0, 1, 0)
    assert time.monotonic() - begun < 5  # a quiet machine takes half a second
    found = hoplite("--workspace", folder / ".hoplite", "search", "zanzibar", "-k", "1", "--json")
    assert json.loads(found.stdout)["hits"][0]["path"] == "note0.md"
    (folder / "note0.md").rename(folder / "renamed.md")
    assert numbers(watching.report()) == (1, 0, 1)
    (folder / "renamed.md").unlink()
    assert numbers(watching.report()) == (0, 0, 1)
    assert "Stopped watching" in watching.end()


def test_a_second_model_embeds_while_nothing_changes_and_what_did(folder: Path) -> None:
    def all_filled() -> bool:
        shown = json.loads(hoplite("status", "--json", "--workspace", folder / ".hoplite").stdout)["dense"]
        return bool(shown and shown["done"] == shown["chunks"] == 40)

    watching = Watching(folder, "--dense", "second-48")
    try:
        wait_for(all_filled)
        (folder / "note0.md").write_text("# Zanzibar\n\nThe zanzibar is far.\n")
        assert numbers(watching.report()) == (0, 1, 0)
        wait_for(all_filled)
        assert "Stopped watching" in watching.end()
    finally:
        watching.run.kill()


def test_a_thousand_changes_are_one_run(folder: Path, watching: Watching) -> None:
    for number in range(1_000):
        (folder / f"more{number}.md").write_text(f"# More {number}\n\nwords\n")
    assert numbers(watching.report()) == (1_000, 0, 0)


def test_a_changed_gitignore_is_a_run_over_everything(folder: Path, watching: Watching) -> None:
    (folder / ".gitignore").write_text("note1*.md\n")
    assert numbers(watching.report()) == (1, 0, 11)
    watching.end()


def test_what_is_ignored_does_not_run_anything(folder: Path, watching: Watching) -> None:
    (folder / "build.log").write_text("x")
    time.sleep(0.5)
    (folder / "note0.md").write_text("# Other\n\nwords\n")
    assert numbers(watching.report()) == (0, 1, 0)
    watching.end()


def test_changes_wait_while_another_process_holds_the_workspace(
    folder: Path, watching: Watching, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    # Words that stand nowhere else: a text that is there already is not embedded, which is where the other one holds.
    (tmp_path / "other" / "otter.md").write_text("# Otter\n\nswims at dusk\n")
    hold = tmp_path / "hold"
    other = started("index", tmp_path / "other", "--workspace", folder / ".hoplite", **{hashed.HOLD: str(hold)})
    wait_for(hold.exists)
    (folder / "note0.md").write_text("# Other\n\nwords\n")
    assert watching.run.stderr is not None
    said = watching.run.stderr.readline()
    assert "Changes wait" in said
    assert f"process {other.pid}" in said
    hold.unlink()
    assert numbers(watching.report()) == (0, 1, 0)
    other.communicate(timeout=60)
    watching.end()


# Disks ----------------------------------------------------------------------------------------------------------------


@contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only the superuser mounts")
    if subprocess.run([mount, "-t", "tmpfs", "-o", options, "none", place], capture_output=True).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def errors(said: str) -> list[str]:
    """The lines that are neither progress nor the warning that a trace, which is on the same disk, is missing."""
    return [line for line in said.splitlines() if not line.startswith(("reading", "writing", "This run is not traced"))]


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 1_000_000, 10_000_000])
def test_a_full_disk_is_one_line_and_leaves_the_index_as_it_was(folder: Path, tmp_path: Path, free: int) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=120m"):
        workspace = ("--workspace", disk / "index")
        assert hoplite("index", folder, *workspace).returncode == 0
        before = hoplite("status", "--json", *workspace).stdout
        filled = disk / "filling"
        with filled.open("wb") as file:
            room = shutil.disk_usage(disk).free - free
            file.write(b"x" * max(0, room))
        for number in range(2_000):
            (folder / f"more{number}.md").write_text(f"# More {number}\n\n{f'word{number} ' * 200}\n")
        run = hoplite("index", folder, *workspace)
        assert (run.returncode, run.stdout) == (2, ""), run.stderr
        (error,) = errors(run.stderr)
        assert "full" in error or "space" in error
        filled.unlink()
        after = json.loads(hoplite("status", "--json", *workspace).stdout)
        assert after["documents"] >= json.loads(before)["documents"]
        assert hoplite("search", "heron", *workspace).returncode == 0
        assert json.loads(hoplite("index", folder, *workspace, "--json").stdout)["documents"] == 2_040


@pytest.mark.parametrize("size", ["100k", "1m", "3m", "8m"])
def test_a_disk_too_small_for_an_index_is_one_line(tmp_path: Path, size: str) -> None:
    folder = write(tmp_path / "notes", 300)
    with mounted(tmp_path / "disk", f"size={size}"):
        run = hoplite("index", folder, "--workspace", tmp_path / "disk" / "index")
        (error,) = errors(run.stderr)
        assert (run.returncode, run.stdout) == (2, "")
        assert "full" in error or "space" in error


def test_a_folder_that_cannot_be_written_is_one_line_and_the_index_is_as_it_was(folder: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=120m"):
        workspace = ("--workspace", disk / "index")
        assert hoplite("index", folder, *workspace).returncode == 0
        (folder / "more.md").write_text("# More\n")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        run = hoplite("index", folder, *workspace)
        assert (run.returncode, run.stdout) == (2, "")
        assert one_line(run.stderr)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert json.loads(hoplite("index", folder, *workspace, "--json").stdout)["documents"] == 41
    with mounted(tmp_path / "empty", "size=1m,ro"):
        run = hoplite("index", folder, "--workspace", tmp_path / "empty" / "index")
        assert run.returncode == 2
        assert one_line(run.stderr)
