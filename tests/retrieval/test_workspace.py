from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ingest.errors import UserError, WorkspaceBusy, WorkspaceMissing
from retrieval.workspace import Lock, Workspace, create, find, place


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return create(tmp_path / "project" / ".hoplite", tmp_path / "project")


def test_a_new_workspace_is_private_and_ignored(workspace: Workspace) -> None:
    assert workspace.folder.stat().st_mode & 0o777 == 0o700
    assert (workspace.folder / ".gitignore").read_text() == "*\n"


def test_it_is_found_from_below(workspace: Workspace) -> None:
    below = workspace.base / "src" / "deep"
    below.mkdir(parents=True)
    assert find(below) == workspace == find(workspace.base)


def test_none_above_is_told_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / ".hoplite").mkdir()  # a folder by that name is not enough
    with pytest.raises(WorkspaceMissing, match="hoplite index PATH"):
        find(tmp_path)


def test_making_it_again_keeps_it(workspace: Workspace) -> None:
    (workspace.folder / "manifest.sqlite").write_text("x")
    assert create(workspace.folder, Path("/elsewhere")) == workspace
    assert (workspace.folder / "manifest.sqlite").read_text() == "x"


def test_a_new_or_empty_folder_chosen_is_the_workspace_itself(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert place(tmp_path, tmp_path / "new") == tmp_path / "new"
    assert place(tmp_path, tmp_path / "empty") == tmp_path / "empty"


def test_an_ordinary_folder_chosen_gets_one_inside(workspace: Workspace) -> None:
    (workspace.base / "notes.md").write_text("x")
    assert place(Path("/"), workspace.base) == workspace.folder
    assert find(Path("/"), workspace.base) == workspace


def test_a_workspace_chosen_by_itself_knows_its_base(tmp_path: Path) -> None:
    made = create(place(tmp_path, tmp_path / "index"), tmp_path / "project")
    assert find(Path("/"), tmp_path / "index") == made
    assert made.base == tmp_path / "project"


def test_a_chosen_folder_without_one_is_told_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceMissing, match="hoplite index PATH --workspace"):
        find(tmp_path, tmp_path / "none")


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        place(tmp_path, tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_the_users_to_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be made"):
        create(tmp_path / "file" / ".hoplite", tmp_path)


def test_paths_are_shown_relative_to_the_base(workspace: Workspace) -> None:
    assert workspace.shown(workspace.base / "src" / ".." / "a.py") == "a.py"
    assert workspace.shown(Path("/other/b.py")) == "/other/b.py"


HOLD = (
    "import sys, time; sys.path.insert(0, sys.argv[2])\n"
    "from pathlib import Path\n"
    "from retrieval.workspace import Lock, find\n"
    "lock = Lock(find(Path(sys.argv[1])))\n"
    "{}\n"
    "sys.stdout.write('held'); sys.stdout.flush(); time.sleep(60)\n"
)


def held_elsewhere(workspace: Workspace, extra: str = "") -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", HOLD.format(extra), str(workspace.base), root]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.read(4) == "held"
    return child


def test_another_process_is_named(workspace: Workspace) -> None:
    with held_elsewhere(workspace) as child:
        with pytest.raises(WorkspaceBusy, match=f"in use by process {child.pid}") as told:
            Lock(workspace, wait=0.1)
        child.kill()
    assert told.value.exit_code == 3


def test_the_lock_dies_with_its_process(workspace: Workspace) -> None:
    with held_elsewhere(workspace) as child:
        child.send_signal(signal.SIGKILL)
    Lock(workspace, wait=0).release()


def test_a_forked_worker_does_not_keep_the_lock_of_a_killed_process(workspace: Workspace) -> None:
    pipe = workspace.base / "worker"
    fork = f"import os\nif not os.fork(): open({str(pipe)!r}, 'w').write(str(os.getpid())) or time.sleep(60)"
    with held_elsewhere(workspace, fork) as child:
        while not pipe.exists() or not pipe.read_text():
            time.sleep(0.01)
        child.kill()
        child.wait()
        try:
            Lock(workspace, wait=0).release()
        finally:
            os.kill(int(pipe.read_text()), signal.SIGKILL)


def test_it_is_waited_for(workspace: Workspace) -> None:
    first = Lock(workspace)
    timer = threading.Timer(0.15, first.release)
    timer.start()
    with Lock(workspace, wait=5):
        assert (workspace.folder / "hoplite.lock").read_text() == f"{os.getpid()}\n"
    timer.join()


def test_a_writer_does_not_wait_for_another_writer(workspace: Workspace) -> None:
    with Lock(workspace, writes=True):
        begun = time.monotonic()
        with pytest.raises(WorkspaceBusy, match=f"process {os.getpid()}\\."):
            Lock(workspace, wait=20, writes=True)
        assert time.monotonic() - begun < 1


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (False, False)])
def test_who_only_reads_is_waited_for_and_waits(workspace: Workspace, first: bool, second: bool) -> None:
    holder = Lock(workspace, writes=first)
    timer = threading.Timer(0.3, holder.release)
    timer.start()
    Lock(workspace, wait=20, writes=second).release()
    timer.join()


def test_what_was_released_can_be_taken_again(workspace: Workspace) -> None:
    for _ in range(2):
        lock = Lock(workspace, wait=0)
        lock.release()
        lock.release()
