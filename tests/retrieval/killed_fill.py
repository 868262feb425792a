"""A fill in a process of its own, to be killed: `python -m tests.retrieval.killed_fill FOLDER BATCH CALLS`.

It kills itself in the middle of a write, between the vectors and their ids, or earlier: after so many calls of fsync.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from retrieval import dense, rows
from retrieval.workspace import find
from tests.retrieval.made import SecondEmbedder

if __name__ == "__main__":
    left = int(sys.argv[3])
    real = rows._sync

    def dying(file: BinaryIO) -> None:
        global left
        real(file)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    rows._sync = dying
    for _ in dense.fill(find(Path(sys.argv[1])), SecondEmbedder(), batch=int(sys.argv[2])):
        pass
