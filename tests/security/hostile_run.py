"""Index a folder with words hashed instead of embedded, and tell what became of each file.

As a program it takes the folder, the seconds that one file may take, and the words to search for; it prints one JSON
object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ingest import pipeline
from ingest.walk import walk
from retrieval import indexing, library
from retrieval.library import Library
from retrieval.workspace import find
from tests.retrieval.made import HashEmbedder


@dataclass(frozen=True, slots=True)
class Ran:
    """What an index run said, and what a search finds then.

    `outcomes` are by shown path, as in `hostile_files`; `skipped` counts by reason; `found` holds, for each word, the
    paths of the hits that have it in their text or header; `seconds` are of this process's work,
    which no other process on the machine makes longer; `peak_mb` is the most memory it ever had.
    """

    outcomes: dict[str, str]
    skipped: dict[str, int]
    found: dict[str, list[str]]
    seconds: float
    peak_mb: float


def run(root: Path, words: Sequence[str] = ()) -> Ran:
    outcomes = {p: f"skipped:{why}" for why, paths in walk(root).skipped_paths.items() for p in paths}
    begun = time.process_time()
    report = indexing.index([root])
    seconds = time.process_time() - begun
    outcomes |= {failure.path: f"failed:{failure.reason}" for failure in report.failures}
    with Library(find(root)) as opened:
        outcomes |= dict.fromkeys(opened.paths(), "indexed")
        found = {
            word: [
                hit.chunk.path for hit in opened.search(word, k=20).hits if word in hit.chunk.header + hit.chunk.text
            ]
            for word in words
        }
    return Ran(outcomes, dict(report.skipped), found, seconds, _peak_mb())


def _peak_mb() -> float:
    """Not `ru_maxrss`, which begins with what the process had that started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1_000


if __name__ == "__main__":
    folder, patience, *sought = sys.argv[1:]
    for module in (indexing, library):
        module.embedder_named = lambda name: HashEmbedder()  # type: ignore[attr-defined]
    pipeline.read = partial(pipeline.read, patience=float(patience))
    sys.stdout.write(json.dumps(asdict(run(Path(folder), sought))))
