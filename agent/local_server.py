"""The process that holds the local language model: llama.cpp's server, on loopback, behind a key.

One process serves all of a user's. It is of its own because loading holds Python's lock for five seconds, and because
it must be possible to kill it. Run by `agent.local_model` as a script with `-I`, so that it imports nothing of ours. It
reads one JSON line, leaves its starter, loads, writes the file that says where it listens, and writes "ready".

It ends when nobody has asked for so long as it was told, when the model's file changed, and when its own file is gone.
Two locks, which the kernel lets go of however a process dies, make that safe: it keeps its own file locked while it
lives, so that a file whose lock is free is a dead server's; and who asks shares a lock that it must have for itself to
end.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from typing import Any


def main() -> None:
    """Serve until nobody asks any more."""
    answer = os.dup(1)
    os.dup2(2, 1)  # llama.cpp logs on both; only what we say may reach the starter.
    wanted = json.loads(sys.stdin.readline())
    if os.fork():
        os._exit(0)  # So that its starter need not wait for it, and leaves no zombie.
    signal.alarm(wanted["load_seconds"])  # Ends this process by default, whatever llama.cpp is doing.
    os.chdir("/")
    address, _server = load(wanted)  # It serves for as long as somebody holds it.
    signal.alarm(0)
    announced = announce(wanted["file"], {"address": address, "key": wanted["key"], "pid": os.getpid()})
    with contextlib.suppress(BrokenPipeError):  # The starter is gone; others may come.
        os.write(answer, b"ready\n")
    os.close(answer)
    os.close(wanted["starting"])  # The starter's lock, kept until here, so that its death starts no second server.
    watch(wanted, announced)
    if present(wanted["file"], announced):
        os.unlink(wanted["file"])
    os._exit(0)  # At once: nothing else is kept on disk.


def load(wanted: dict[str, Any]) -> tuple[str, object]:
    """Load the model, and return the address at which it is asked, and what serves there."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = wanted["model"]
    params.api_keys = [wanted["key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # Any free one.
    params.n_ctx = wanted["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = wanted["writing_threads"]
    params.cpuparams_batch.n_threads = wanted["reading_threads"]
    params.cache_ram_mib = (
        512  # Beginnings of other conversations kept for their return, 28 KB a token; 8 GB unless told.
    )
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 1  # Errors only.
    server = xllamacpp.Server(params)
    return server.listening_address, server


def announce(path: str, about: dict[str, Any]) -> int:
    """Put the file that says where the server listens in its place, whole and locked; return its descriptor."""
    fresh = f"{path}.{os.getpid()}"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    os.write(file, json.dumps(about).encode())
    os.replace(fresh, path)
    return file


def watch(wanted: dict[str, Any], announced: int) -> None:
    """Return when the server is to end, with the lock of those who ask held, so that nobody is asking."""
    used = os.open(wanted["used"], os.O_RDWR | os.O_CREAT, 0o600)
    last, since = 0, time.monotonic()
    while True:
        time.sleep(min(5.0, wanted["idle_seconds"] / 4))
        touched = os.fstat(used).st_mtime_ns
        if touched != last:
            last, since = touched, time.monotonic()
        idle = time.monotonic() - since >= wanted["idle_seconds"]
        if idle or not present(wanted["file"], announced) or stamp(wanted["model"]) != wanted["stamp"]:
            try:
                fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return


def present(path: str, file: int) -> bool:
    """Whether the open file is still the one at this path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except OSError:
        return False


def stamp(path: str) -> list[int]:
    """Return what changes with a file's content: its size and time of change; nothing where it is gone."""
    try:
        about = os.stat(path)
    except OSError:
        return []
    return [about.st_size, about.st_mtime_ns]


if __name__ == "__main__":
    main()
