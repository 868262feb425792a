"""The process that holds the local language model: llama.cpp's server, on loopback, behind a key.

A process of its own because loading holds Python's lock for five seconds, and because it must be possible to kill it.
Run by `agent.local_model` as a script with `-I`, so that it imports nothing of ours. It reads one JSON line, writes one
with its address, and ends when its standard input does: when its parent stops it or dies, however it dies. (A parent
death signal would come when the *thread* that started it ends.)
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Serve until standard input ends."""
    answer = os.dup(1)
    os.dup2(2, 1)  # llama.cpp logs on both; only the address may reach the parent.
    wanted = json.loads(sys.stdin.readline())

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
    os.write(answer, (json.dumps({"address": server.listening_address}) + "\n").encode())
    sys.stdin.read()
    os._exit(0)  # At once: nothing is kept on disk, and an orderly end waits for the answer in progress.


if __name__ == "__main__":
    main()
