"""Close one layer of the lock, `one_layer.py landlock|seccomp FOLDER PORT`, and print which acts still succeed."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ingest.locked import landlock, seccomp
from ingest.locked.process import readable_paths

layer, folder, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
secret = f"{folder}/secret"

ACTS: dict[str, Callable[[], object]] = {
    "read": lambda: os.open(secret, os.O_RDONLY),
    "overwrite": lambda: os.open(secret, os.O_WRONLY),
    "overwrite the library": lambda: os.open(os.__file__, os.O_WRONLY),
    "create": lambda: os.open(f"{folder}/created", os.O_WRONLY | os.O_CREAT),
    "truncate": lambda: os.open(secret, os.O_RDONLY | os.O_TRUNC),
    "remove": lambda: os.unlink(secret),
    "run": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": lambda: os.fork() or os._exit(0),
    "tcp": lambda: socket.create_connection(("127.0.0.1", port)),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "signal": lambda: os.kill(os.getppid(), signal.SIGWINCH),
}


def succeeds(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    Path(secret).write_text("x")
    sys.stdout.write(f"{landlock.abi(libc)}\n")
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    closed = landlock.restrict(libc, readable_paths()) if layer == "landlock" else seccomp.install(libc)
    assert closed == "ok", closed
    sys.stdout.write(",".join(name for name, act in ACTS.items() if succeeds(act)))
