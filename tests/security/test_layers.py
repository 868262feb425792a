"""What each layer stops by itself: the whole lock would hide a hole in one of them."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def still_possible(layer: str, folder: Path) -> tuple[int, set[str]]:
    """Return the kernel's Landlock version and the acts that succeed under this layer alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).with_name("one_layer.py")),
                layer,
                str(folder),
                str(server.getsockname()[1]),
            ],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    assert run.stderr == ""
    version, _, acts = run.stdout.partition("\n")
    return int(version), set(acts.split(","))


def test_landlock_alone_closes_files_tcp_and_signals(tmp_path: Path) -> None:
    version, possible = still_possible("landlock", tmp_path)
    if version < 6:
        pytest.skip(f"this kernel's Landlock is version {version}; signals are covered from 6 on")
    assert possible == {"fork", "udp"}


def test_seccomp_alone_closes_all_but_reading(tmp_path: Path) -> None:
    assert still_possible("seccomp", tmp_path)[1] == {"read"}
