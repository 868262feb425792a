"""`hoplite ask` as a process, stopped with Ctrl-C while the model's code runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.tracing import trace, traces

ROOT = Path(__file__).parents[2]
QUESTION = (
    "Readings older than how many days are deleted every night by `Zorilla`?"  # a name nobody has: so there are steps
)


def descendants(process: int) -> set[int]:
    """The processes that it started, and those that they started, which still live."""
    found: set[int] = set()
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, listed.read_text().split()):
            found |= {child, *descendants(child)}
    return found


def seconds_of(process: int) -> float:
    """The processor time that a process has used."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def asking(indexed: Path) -> Iterator[subprocess.Popen[str]]:
    """A question whose step is under way and will never end by itself."""
    words = ["ask", QUESTION, "--sandbox", "strong", "--no-cache", "--workspace", str(indexed / ".hoplite")]
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.ui.stubborn", *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 40
    while not any(seconds_of(child) > 0.3 for child in descendants(run.pid)):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline, "the step does not run"
        time.sleep(0.01)
    yield run
    run.kill()
    run.wait()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_the_code_and_leaves_a_closed_trace(
    asking: subprocess.Popen[str], indexed: Path, times: int
) -> None:
    children = descendants(asking.pid)
    for _ in range(times):
        asking.send_signal(signal.SIGINT)
        time.sleep(0.001)  # two at once are one for the kernel
    shown, said = asking.communicate(timeout=20)
    assert asking.returncode == 130
    assert "Traceback" not in said
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    (summary,) = [each for each in traces(indexed / ".hoplite" / "traces.sqlite") if each.question]
    spans = trace(indexed / ".hoplite" / "traces.sqlite", summary.id)
    assert [record.span.name for record in spans if record.depth == 0] == ["invoke_agent hoplite"]
    if times == 1:
        assert "Stopped early (stop): this is the best answer so far." in shown
        assert spans[0].span.attributes["hoplite.stopped"] == "stop"
