"""The lock holds whole or the child does not run, and the child never outlives its use."""

from __future__ import annotations

import errno
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ingest.errors import UserError
from ingest.locked import process
from ingest.locked.clock import Limits
from ingest.locked.levels import line, probe
from ingest.locked.outcome import ChildDied
from ingest.locked.process import LockedChild, readable_paths
from ingest.locked.report import ATTEMPTS, MECHANISMS, Level, SandboxMissing, judge

ROOT = Path(__file__).parents[2]


def python(script: str) -> list[str]:
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"]


def gone(pid: int, *, within: float) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_every_mechanism_holds_and_every_attempt_is_blocked() -> None:
    report = probe()
    assert report.level == "strong"
    assert report.mechanisms == dict.fromkeys(MECHANISMS["strong"], "ok")
    assert report.attempts == dict.fromkeys(ATTEMPTS, "blocked")


@pytest.mark.parametrize(
    ("lacks", "error"),
    [("landlock", errno.ENOSYS), ("landlock", errno.EOPNOTSUPP), ("seccomp", errno.EINVAL), ("seccomp", errno.ENOSYS)],
)
def test_a_kernel_without_one_mechanism_gives_the_interpreter_aloud_or_nothing(lacks: str, error: int) -> None:
    level, _, told = on_an_older_kernel(lacks, error, "auto").partition("\n")
    assert level == "interpreter"
    assert "Sandbox: interpreter (strong cannot be had: " in told
    assert f"{lacks}: {os.strerror(error)}" in told
    assert "\n" not in told
    refused = on_an_older_kernel(lacks, error, "strong")
    assert "level strong cannot be had" in refused
    assert f"{lacks}: {os.strerror(error)}" in refused


def test_where_no_level_can_be_had_the_start_is_refused_with_the_next_step() -> None:
    refused = on_an_older_kernel("landlock", errno.ENOSYS, "auto", "without-monty")
    assert "landlock: Function not implemented" in refused
    assert "monty: not installed" in refused
    assert "`--max-steps 0` answers without running code; `--sandbox off` runs it without isolation" in refused


def test_off_is_had_where_it_was_typed_and_said_aloud() -> None:
    level, _, told = on_an_older_kernel("landlock", errno.ENOSYS, "off").partition("\n")
    assert (level, told) == ("off", line(probe("off")))
    assert "OFF" in told


def on_an_older_kernel(*told: object) -> str:
    script = Path(__file__).with_name("older_kernel.py")
    run = subprocess.run(
        [sys.executable, str(script), *map(str, told)], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert run.stderr == ""
    return run.stdout


def test_a_lock_that_says_ok_and_lets_a_file_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "readable_paths", lambda: [*readable_paths(), "/etc"])
    with pytest.raises(SandboxMissing, match="files: open"):
        probe("strong")


def test_off_is_reported_as_off_and_keeps_the_ceilings() -> None:
    with LockedChild({}, level="off") as child:
        assert child.report.level == "off"
        assert child.report.mechanisms == {"rlimits": "ok"}
        assert child.report.attempts["files"] == "open"
        assert "MemoryError" in str(child.run("bytearray(1 << 30)").error)


def test_an_interpreter_that_does_not_start_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no libpython here' >&2\nexit 127\n")
    broken.chmod(0o700)
    monkeypatch.setattr(process, "interpreter", lambda: str(broken))
    with pytest.raises(UserError, match=r"did not start: no libpython here.*doctor"):
        probe()


def test_a_self_test_that_finds_a_way_out_is_a_refusal_of_the_interpreter_too() -> None:
    found = dict.fromkeys(ATTEMPTS, "blocked") | {"files": "open"}
    with pytest.raises(SandboxMissing, match=r"level interpreter cannot be had .*files: open"):
        judge("interpreter", {"rlimits": "ok", "monty": "ok"}, found, 1.0)


def test_the_worker_of_the_interpreter_has_no_environment_and_no_wire_and_the_ceilings() -> None:
    with LockedChild({}, level="interpreter", limits=Limits(memory_mb=256)) as child:
        worker = Path(f"/proc/{child._worker}")
        assert child._worker != child._process.pid
        assert (worker / "environ").read_bytes() == b""
        held = {os.readlink(entry) for entry in (worker / "fd").iterdir()}
        assert not [each for each in held if not each.startswith("pipe:")]  # the wire is a socket
        limits = (worker / "limits").read_text()
        for ceiling in ("Max file size +0 +0", "Max processes +0 +0", "Max open files +32", "Max core file size +0"):
            assert re.search(ceiling, limits), ceiling
        assert int(re.search(r"Max address space +(\d+)", limits)[1]) <= 768 << 20  # type: ignore[index]


def test_a_program_called_monty_elsewhere_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "monty").write_text("#!/bin/sh\ntouch pwned\n")
    (tmp_path / "monty").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MONTY_BIN", str(tmp_path / "monty"))
    assert not str(process.monty()["monty"]).startswith(str(tmp_path))
    assert probe("interpreter").level == "interpreter"


def test_starting_is_quick(record_property: pytest.RecordProperty, capsys: pytest.CaptureFixture[str]) -> None:
    median = statistics.median(probe("strong").start_ms for _ in range(9))
    record_property("start_ms", median)
    with capsys.disabled():
        sys.stdout.write(f"\nlocked child ready after {median:.0f} ms (median of 9)\n")
    assert median <= 250  # 22 ms on two cores, where the aim is 60; the rest is for a busy machine


@pytest.mark.parametrize("level", ["strong", "interpreter", "off"])
@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)", "10 ** 10 ** 8"])
def test_an_interrupt_from_another_thread_ends_the_step_within_300_ms(code: str, level: Level) -> None:
    with LockedChild({}, level=level) as child:
        asked: list[float] = []
        timer = threading.Timer(0.2, lambda: (asked.append(time.monotonic()), child.interrupt()))
        timer.start()
        with pytest.raises(ChildDied, match="stopped"):
            child.run(code)
        assert time.monotonic() - asked[0] < 0.3
        timer.join()
    assert gone(child._worker, within=1)


def test_a_child_outlives_the_thread_that_started_it() -> None:
    started: list[LockedChild] = []
    thread = threading.Thread(target=lambda: started.append(LockedChild({})))
    thread.start()
    thread.join()
    time.sleep(0.1)
    with started[0] as child:
        assert child.run("1 + 1").value == 2


@pytest.mark.parametrize("level", ["strong", "interpreter"])
def test_a_child_dies_with_a_parent_that_is_killed(level: Level) -> None:
    script = (
        "from ingest.locked.process import LockedChild\n"
        "def tell(args, kwargs): sys.stdout.write(f'{child._worker}\\n') and sys.stdout.flush()\n"
        f"child = LockedChild({{'tell': tell}}, level={level!r})\n"
        "child.run('tell()\\nimport time\\nwhile True: pass')"
    )
    with subprocess.Popen(python(script), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        time.sleep(0.3)  # until it spins: one that waits for the parent's answer ends by itself
        parent.send_signal(signal.SIGKILL)
    assert gone(child, within=1)


def test_ctrl_c_is_the_parents_to_hear() -> None:
    with LockedChild({}) as child:
        assert os.getsid(child._process.pid) == child._process.pid
