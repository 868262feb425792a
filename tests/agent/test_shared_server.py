"""One server for all processes of a user: started once, ended when nobody asks, whoever dies when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_server import gone

from agent import local_model
from agent.local_model import LocalServer, server_folder
from agent.models import Message, Request
from ingest.errors import ModelUnavailable, UserError

FAKE = Path(__file__).with_name("fake_server.py")
ASKS = f"""
import sys, time
from pathlib import Path
from agent import local_model
from agent.models import Message, Request
local_model.SCRIPT = Path({str(FAKE)!r})
server = local_model.LocalServer(Path(sys.argv[1]), idle_seconds=float(sys.argv[2]))
request = Request((Message(role="user", content=sys.argv[3]),), 8, (), 0.0, time.perf_counter() + 20)
with server.asked() as endpoint:
    print("".join(piece.text for piece in local_model.ask(endpoint, request)), flush=True)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the servers of one test, which end with it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(local_model, "SCRIPT", FAKE)
    yield server_folder()
    for file in server_folder().glob("*.json"):
        if gone(process := json.loads(file.read_text())["pid"], within=0):
            continue
        os.kill(process, signal.SIGKILL)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "m.gguf").write_text("good")
    return tmp_path / "m.gguf"


def ask(server: LocalServer, question: str = "?") -> int:
    """Ask, and return the id of the process that answered."""
    request = Request((Message(role="user", content=question),), 8, (), 0.0, time.perf_counter() + 20)
    with server.asked() as endpoint:
        return int("".join(piece.text for piece in local_model.ask(endpoint, request)))


def another(model: Path, *, idle: float = 60, question: str = "?") -> subprocess.Popen[str]:
    """Another process that asks and prints the id of the process that answered."""
    words = [sys.executable, "-c", ASKS, str(model), str(idle), question]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answered(process: subprocess.Popen[str]) -> int:
    said, error = process.communicate(timeout=30)
    assert process.returncode == 0, error
    return int(said)


def test_processes_that_start_at_once_ask_one_server_that_outlives_them(model: Path) -> None:
    askers = [another(model) for _ in range(3)]
    processes = {answered(asker) for asker in askers}
    assert len(processes) == 1
    assert ask(LocalServer(model)) in processes


def test_threads_of_one_process_ask_one_server(model: Path) -> None:
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(ask(LocalServer(model)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(seen), len(set(seen))) == (4, 1)


def test_starting_is_said_once(model: Path) -> None:
    lines: list[str] = []
    server = LocalServer(model)
    for _ in range(2):
        with server.asked(lines.append):
            pass
    assert lines == ["loading m, about 5 seconds, once"]


def test_nobody_asks_and_it_ends_and_is_started_again(model: Path, folder: Path) -> None:
    server = LocalServer(model, idle_seconds=0.4)
    first = ask(server)
    assert gone(first, within=5)
    assert (list(folder.glob("*.json")), server.process_id) == ([], None)
    assert ask(server) != first


def test_a_question_that_takes_longer_than_the_idle_time_is_answered(model: Path) -> None:
    server = LocalServer(model, idle_seconds=0.2)
    assert not gone(ask(server, "slow"), within=0)


def test_its_askers_are_killed_and_it_stays_for_the_others_but_not_for_nobody(model: Path) -> None:
    server = LocalServer(model, idle_seconds=1)
    first = ask(server)
    asker = another(model, question="slow")
    time.sleep(0.5)
    asker.kill()
    asker.communicate()
    assert ask(server) == first
    assert gone(first, within=6)


def test_its_starter_is_killed_while_it_loads_and_there_is_still_one(model: Path, folder: Path) -> None:
    starter = another(model)
    deadline = time.monotonic() + 20
    while not list(folder.glob("*.log")) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.1)  # The script has its line by now, and is not loaded yet or just so.
    starter.kill()
    starter.communicate()
    process = ask(LocalServer(model))
    assert answered(another(model)) == process
    running = [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(FAKE).encode() in read(p)]
    in_this_folder = [p for p in running if os.environ["XDG_RUNTIME_DIR"].encode() in read(p.with_name("environ"))]
    assert [int(p.parent.name) for p in in_this_folder] == [process]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_server_that_was_killed_is_replaced(model: Path) -> None:
    server = LocalServer(model)
    first = ask(server)
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while server.process_id is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    second = ask(server)
    assert (second != first, server.process_id) == (True, second)


def test_a_server_that_cannot_be_reached_is_ended_and_replaced(model: Path) -> None:
    server = LocalServer(model)
    first = ask(server)
    (file,) = server_folder().glob("*.json")
    about = json.loads(file.read_text())
    with file.open("r+") as written:  # The same file, which its server keeps locked, with an address of nobody.
        written.truncate()
        json.dump(about | {"address": "http://127.0.0.1:9"}, written)
    assert ask(server) != first
    assert gone(first, within=5)


def test_a_file_that_was_left_is_replaced(model: Path) -> None:
    server = LocalServer(model)
    server._file.write_text("half a li")
    assert ask(server) == server.process_id


def test_another_content_is_another_server_and_the_old_one_ends(model: Path) -> None:
    first = ask(LocalServer(model, idle_seconds=2))
    model.write_text("better")
    assert ask(LocalServer(model, idle_seconds=2)) != first
    assert gone(first, within=5)


def test_a_server_whose_file_was_removed_ends(model: Path, folder: Path) -> None:
    first = ask(LocalServer(model, idle_seconds=2))
    for file in folder.glob("*.json"):
        file.unlink()
    assert gone(first, within=5)


def test_what_does_not_load_is_one_line_and_leaves_no_server(model: Path) -> None:
    model.write_text("bad")
    server = LocalServer(model)
    with pytest.raises(ModelUnavailable, match=r"m\.gguf did not load: not a model\. Check that it is a GGUF file"):
        ask(server)
    assert server.process_id is None


def test_its_key_is_the_users_alone_and_on_no_command_line(model: Path, folder: Path) -> None:
    process = ask(LocalServer(model))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    (file,) = folder.glob("*.json")
    key = json.loads(file.read_text())["key"].encode()
    assert key not in read(Path(f"/proc/{process}/cmdline")) + read(Path(f"/proc/{process}/environ"))


def test_a_folder_that_others_may_look_into_is_refused(folder: Path, model: Path) -> None:
    folder.chmod(0o755)
    with pytest.raises(UserError, match="chmod 700"):
        LocalServer(model)
    folder.chmod(0o700)


def test_without_a_folder_of_the_login_it_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert server_folder() == tmp_path / "cache" / "hoplite" / "servers"
