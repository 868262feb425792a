"""A process that answers for days does not grow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_hundred_runs_in_one_process_leave_less_than_fifty_megabytes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.agent.soak", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    held = json.loads(ran.stdout)
    assert held["ended"] - held["begun"] < 50
