"""An index run in a process of its own, to be killed: `python -m tests.retrieval.killed FOLDER WORKERS [SEAM]`.

It says "begun" when the run begins and names every document that is acknowledged, a line each. At a seam it kills
itself.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from retrieval import indexing
from retrieval.index import Indexer
from retrieval.manifest import Manifest
from retrieval.shard import Shard
from retrieval.store_edge import EdgeStore
from tests.retrieval.made import HashEmbedder

BATCH = 40
"""Chunks a batch: a small corpus then has as many seams as a large one."""

SEAMS: dict[str, tuple[type, str, bool]] = {
    "after the vectors": (Shard, "upsert", True),
    "after the text": (EdgeStore, "write", True),
    "before the manifest": (Manifest, "record", False),
    "after the manifest": (Manifest, "record", True),
    "removing, after the manifest": (Manifest, "forget", True),
    "removing, between text and vectors": (Shard, "remove", False),
}
"""What is called there, and whether it is over."""


def _dying(seam: str) -> None:
    owner, name, after = SEAMS[seam]
    real: Callable[..., Any] = getattr(owner, name)

    def method(self: Any, first: Any, *others: Any) -> Any:
        if first and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(self, first, *others)
        if first:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, method)


def _telling() -> None:
    real = Manifest.record

    def record(self: Manifest, entries: Any) -> None:
        real(self, entries)
        for entry in entries:
            _say(json.dumps([entry.path, entry.digest]))

    Manifest.record = record  # type: ignore[method-assign]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    indexing.embedder_named = lambda name: HashEmbedder()
    indexing.Indexer = functools.partial(Indexer, batch=BATCH)  # type: ignore[misc, assignment]
    _telling()
    if len(sys.argv) > 3:
        _dying(sys.argv[3])
    _say("begun")
    indexing.index([Path(sys.argv[1])], workers=int(sys.argv[2]))
    _say("done")
