"""A run killed at any moment: it is resumed, no evidence is lost, and no step that was completed is repeated."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from retrieval.indexing import index
from tests.ui import station

ROOT = Path(__file__).parents[2]
SEED = 20_262
KILLS = 20
FILES = {
    "notes/heron.md": "# Heron\n\nHeron keeps letters in `ReedStore`, under the harbour.\n",
    "notes/reed.md": "# ReedStore\n\nReedStore is a wooden cupboard.\n",
    "notes/lodgers.md": "# Lodgers\n\nLodgers who owe money are listed in `Cupboard`.\n",
    "notes/tides.md": "# Tides\n\nThe tide turns twice.\n",
    "src/cupboard.py": '"""Cupboards."""\n\n\nclass Cupboard:\n    """ReedStore."""\n\n    LODGERS_KEEP = 41  # days\n',
}


class Runs:
    """Runs in processes that another one forks."""

    def __init__(self, folder: Path, cache: Path, seed: int) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed), "XDG_CACHE_HOME": str(cache)}
        self._forks = subprocess.Popen(
            [sys.executable, "tests/agent/killed_run.py", str(folder)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._told() == "ready"

    def run(self, named: str = "", *, dies: int | None = None, after: float | None = None) -> int:
        """Ask, or resume a run; kill it so long `after` the journal's first record. Returns the exit status."""
        assert self._forks.stdin
        self._forks.stdin.write(json.dumps([named, dies]) + "\n")
        self._forks.stdin.flush()
        said = self._told()
        if said.startswith("noted"):
            if after is not None:
                time.sleep(after)
                with suppress(ProcessLookupError):  # it was over before
                    os.kill(int(said.split()[1]), signal.SIGKILL)
            said = self._told()
        return int(said.removeprefix("over "))

    def _told(self) -> str:
        assert self._forks.stdout
        return self._forks.stdout.readline().strip()

    def close(self) -> None:
        self._forks.communicate(timeout=20)


@contextmanager
def runs(folder: Path, seed: int) -> Iterator[Runs]:
    made = Runs(folder, folder.parent / "cache", seed)
    try:
        yield made
    finally:
        made.close()


def outcome(folder: Path) -> dict[str, Any]:
    """All of an answer but what differs from run to run: its times, tokens and fence, and the name of its trace."""
    answer = json.loads(re.sub(r"sources [0-9a-f]{8}", "sources", folder.with_suffix(".answer").read_text()))
    for name in ("timings", "usage", "trace_id", "bytes"):
        del answer[name]
    return answer


def begun(folder: Path) -> list[tuple[int, str, str]]:
    """What was asked of library, model and sandbox: by which process, its kind, and all of it."""
    lines = [json.loads(line) for line in folder.with_suffix(".log").read_text().splitlines()]
    return [(pid, json.loads(what)[0], what) for state, pid, what in lines if state == "begun"]


def recorded(journal: Path) -> Counter[str]:
    """The kinds of the calls that a journal holds as completed."""
    whole = [line for line in journal.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    found = Counter(json.loads(line.partition(b" ")[2]).get("did", "") for line in whole)
    return Counter({kind: number for kind, number in found.items() if kind not in ("", "recall")})


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_twenty_runs_killed_anywhere_resume_with_all_evidence_and_repeat_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.without_weights(monkeypatch)
    folder, chance = tmp_path / "corpus", random.Random(SEED)
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    index([folder], workers=1)
    journals = folder / ".hoplite" / "journals"

    def fresh() -> None:
        folder.with_suffix(".log").unlink(missing_ok=True)
        folder.with_suffix(".answer").unlink(missing_ok=True)
        (folder / ".hoplite" / "memory.sqlite").unlink(missing_ok=True)

    with runs(folder, 1) as first, runs(folder, 2) as again:
        assert first.run() == 0  # the workspace's files are warm
        fresh()
        started = time.monotonic()
        assert first.run() == 0
        length = time.monotonic() - started
        size = json.loads(folder.with_suffix(".answer").read_text())["bytes"]
        whole, steps = outcome(folder), Counter(kind for _, kind, _ in begun(folder))
        assert whole["answer"] == "41 [6]"
        assert steps["code"] == 2
        assert steps["search"] == 3

        killed = rounds = twice = 0
        while killed < KILLS:
            rounds += 1
            assert rounds < 2 * KILLS, "the runs end before they are killed"
            fresh()
            if rounds % 2:
                status = first.run(dies=chance.randrange(size // 20, size - size // 20))
            else:
                status = first.run(after=chance.uniform(0, 0.8 * length))
            unfinished = list(journals.glob("*.jsonl"))
            if not unfinished:  # the answer was kept before the kill came
                continue
            assert status == -signal.SIGKILL
            killed += 1
            [journal] = unfinished
            if rounds % 4 == 1:  # the resumed run is killed too
                rest = size - journal.stat().st_size
                twice += again.run("last", dies=chance.randrange(1, max(2, rest // 2))) != 0
            known = recorded(journal)
            assert known == known & steps, "a completed step was repeated"
            assert again.run(journal.stem[:6]) == 0
            resumer = begun(folder)[-1][0] if known != steps else None
            now = Counter(kind for pid, kind, _ in begun(folder) if pid == resumer)
            assert now == steps - known, "what was completed is not done again, and all else is"
            assert outcome(folder) == whole
            assert json.loads(folder.with_suffix(".answer").read_text())["trace_id"] == journal.stem
            assert not journal.exists()
        assert twice > 0
