"""A second page over one workspace is told where the first one is; nothing that is left over misleads it."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.workspace import Lock, Workspace, find
from tests.ui.conftest import Hoplite
from ui.serving import Serving, announced, read

ROOT = Path(__file__).parents[2]


def serve(folder: Path, *more: str) -> subprocess.Popen[str]:
    """Start `hoplite serve` over a workspace without a model."""
    words = ["serve", "--model", "none", "--port", "0", "--workspace", str(folder / ".hoplite"), *more]
    command = [sys.executable, "-c", "from ui.cli import main; main()", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True)


def address(server: subprocess.Popen[str]) -> str:
    """The address that a server says."""
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.match(r"Open (\S+)", line):
            return found[1]
    raise AssertionError("the server ended")


def test_a_second_serve_says_which_process_serves_where_and_the_first_goes_on(indexed: Path) -> None:
    with serve(indexed) as first:
        try:
            where = address(first)
            with serve(indexed) as second:
                said = second.communicate(timeout=60)[1]
            assert (second.returncode, f"Process {first.pid} serves" in said, where in said) == (3, True, True)
            assert stat.S_IMODE((indexed / ".hoplite" / "serving.json").stat().st_mode) == 0o600
            assert first.poll() is None
        finally:
            first.terminate()
            first.communicate(timeout=30)
    assert first.returncode == 128 + 15  # it was stopped as services are, and took leave
    assert not (indexed / ".hoplite" / "arriving").exists()
    assert not (indexed / ".hoplite" / "serving.json").exists()


def test_what_a_killed_server_left_says_nothing_of_who_holds_the_workspace_now(indexed: Path, hoplite: Hoplite) -> None:
    workspace = find(indexed)
    workspace.serving.write_text(Serving(pid=2**22 + 1, address="http://127.0.0.1:1/").model_dump_json())
    hold = (
        "import sys; from pathlib import Path; from retrieval.workspace import Lock, find\n"
        "with Lock(find(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(indexed)], stdin=-1, stdout=-1, cwd=ROOT) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        result = hoplite("serve", "--port", "0", "--workspace", indexed / ".hoplite")
        assert (result.exit_code, f"process {other.pid}" in result.stderr, ":1/" in result.stderr) == (3, True, False)
        other.communicate()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"pid": -1, "address": "http://x/"}', "x" * 5000,
                                  '{"pid": 1, "address": "javascript:alert(1)"}'])  # fmt: skip
def test_a_file_that_says_something_else_says_nothing(tmp_path: Path, text: str) -> None:
    workspace = Workspace(tmp_path, tmp_path)
    workspace.serving.write_text(text)
    assert read(workspace) is None


def test_it_is_said_while_it_is_served_and_a_later_ones_word_stays(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path)
    with Lock(workspace), announced(workspace, "http://127.0.0.1:1/"):
        assert read(workspace) == Serving(pid=os.getpid(), address="http://127.0.0.1:1/")
        later = Serving(pid=1, address="http://127.0.0.1:2/")
        workspace.serving.write_text(later.model_dump_json())
    assert read(workspace) == later


def test_a_port_in_use_is_said_with_what_to_do(indexed: Path, hoplite: Hoplite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = hoplite("serve", "--model", "none", "--port", port, "--workspace", indexed / ".hoplite")
    assert (result.exit_code, f"Port {port} cannot be used" in result.stderr, "--port N" in result.stderr) == (
        2,
        True,
        True,
    )
