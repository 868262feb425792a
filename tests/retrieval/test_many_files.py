"""Folders with many files: what did not change costs nothing, and memory does not grow with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.ids import digest
from retrieval import indexing
from retrieval.protocols import Vectors
from tests.retrieval.made import HashEmbedder

ROOT = Path(__file__).parents[2]


def write(folder: Path, files: int) -> Path:
    for number in range(files):
        part = folder / f"part{number % 97}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"note{number}.md").write_text(f"# Note {number}\n\n{f'The heron of number {number} waits. ' * 20}\n")
    return folder


class Counting(HashEmbedder):
    def __init__(self) -> None:
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return super().embed(texts)


def test_a_thousand_unchanged_files_cost_no_vector_no_write_and_no_second(tmp_path: Path) -> None:
    folder, embedder = write(tmp_path / "notes", 1_000), Counting()
    indexing.index([folder], workers=1, embedder=embedder)

    def written() -> dict[Path, str]:
        """The text and the vectors; the engine writes its own files at each opening."""
        kept = [p for p in (folder / ".hoplite" / "store").rglob("*") if p.suffix in (".sqlite", ".i64", ".f32")]
        assert len(kept) == 3
        return {path: digest(path.read_bytes()) for path in kept}

    before, embedded = written(), embedder.texts
    assert embedded >= 1_000
    began = time.process_time()
    report = indexing.index([folder], workers=1, embedder=embedder)
    assert time.process_time() - began < 1
    assert (report.applied.unchanged, report.applied.written) == (1_000, 0)
    assert embedder.texts == embedded
    assert written() == before


@pytest.mark.slow
def test_ten_thousand_files_are_indexed_within_a_gigabyte(tmp_path: Path) -> None:
    folder = write(tmp_path / "notes", 10_000)
    command = [sys.executable, "-m", "tests.security.hostile_run", str(folder), "60", "heron"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOPLITE_MODELS": "/nonexistent"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert len(told["outcomes"]) == 10_000
    assert set(told["outcomes"].values()) == {"indexed"}
    assert told["peak_mb"] < 1_000
