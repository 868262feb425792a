"""An index run killed at any moment: what was acknowledged stays, nothing is there twice, the next run goes on."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from retrieval import indexing, library
from retrieval.library import Library
from retrieval.manifest import Manifest
from retrieval.store_edge import EdgeStore
from retrieval.types import Scope
from retrieval.workspace import Workspace, find
from tests.retrieval import killed
from tests.retrieval.contents import contents
from tests.retrieval.made import HashEmbedder

ROOT = Path(__file__).parents[2]
WORDS = "heron stork egret crane ibis night river reading station retention number keeps".split()
SEED = 20_261
KILLS = 20


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (indexing, library):
        monkeypatch.setattr(module, "embedder_named", lambda name: HashEmbedder())
    monkeypatch.setenv("HOPLITE_MODELS", "/nonexistent")


class Corpus:
    """Generated files that change from round to round."""

    def __init__(self, folder: Path, files: int, seed: int) -> None:
        self.folder = folder
        self._random = random.Random(seed)
        self._made = 0
        folder.mkdir()
        for _ in range(files):
            self._add()

    def change(self, files: int) -> None:
        """Write some files anew, add some, and take some away."""
        here = sorted(path for path in self.folder.rglob("*.*") if path.is_file() and ".hoplite" not in path.parts)
        chosen = self._random.sample(here, files)
        for path in chosen[: files // 5]:
            path.unlink()
            self._add()
        for path in chosen[files // 5 :]:
            self._write(path)

    def _add(self) -> None:
        self._made += 1
        folder = self.folder / f"part{self._made % 7}"
        folder.mkdir(exist_ok=True)
        self._write(folder / f"file{self._made}.{'md' if self._made % 2 else 'py'}")

    def _write(self, path: Path) -> None:
        parts = range(self._random.randint(1, 4))
        if path.suffix == ".md":
            text = "".join(f"# About {self._word()} {i}\n\n{self._words(30)} `{self._word()}_{i}`.\n\n" for i in parts)
        else:
            text = "".join(
                f'def {self._word()}_{i}():\n    """{self._words(20)}"""\n    return {i}\n\n\n' for i in parts
            )
        path.write_text(text)

    def _words(self, count: int) -> str:
        return " ".join(self._word() for _ in range(count))

    def _word(self) -> str:
        return self._random.choice(WORDS)


class Run:
    """An index run in another process."""

    def __init__(self, folder: Path, workers: int, *seam: str) -> None:
        command = [sys.executable, "-m", "tests.retrieval.killed", str(folder), str(workers), *seam]
        self._child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == "begun\n"
        self.begun = time.monotonic()

    def kill_after(self, seconds: float) -> bool:
        """Kill it and tell whether it was still running."""
        time.sleep(seconds)
        running = self._child.poll() is None
        self._child.kill()
        return running

    def end(self) -> dict[str, str]:
        """Return the digests of the documents that were acknowledged."""
        told, _ = self._child.communicate(timeout=60)
        self.code = self._child.returncode
        return dict(json.loads(line) for line in told.splitlines() if line.startswith("[") and line.endswith("]"))


def state(workspace: Workspace) -> dict[str, Any]:
    return contents(workspace, WORDS, [f"{word}_{i}" for word in WORDS for i in range(4)])


def check(workspace: Workspace, acknowledged: dict[str, str]) -> None:
    """Whatever was killed: it opens, what was acknowledged is there, and nothing is there twice."""
    if indexing.documents_in(workspace):
        with Library(workspace) as opened:
            assert len(opened.search("heron stork", rerank=False).hits) > 0
    with (
        closing(Manifest(workspace.manifest)) as manifest,
        closing(EdgeStore(workspace.store, HashEmbedder.dim)) as store,
    ):
        for path, digest in acknowledged.items():
            entry = manifest.entry(path)
            assert entry is not None, f"{path} was acknowledged, and is gone"
            assert entry.digest == digest
        owned = [number for ids in manifest.owned(manifest.paths()).values() for number in ids]
        assert len(owned) == len(set(owned))
        assert store.chunks(owned).keys() == store.vectors(owned).keys() == set(owned)
        for word in WORDS:
            found = [hit.id for hit in store.lexical([word], limit=10_000, scope=Scope())]
            assert len(found) == len(set(found))
        assert store.counts().vectors == len(store.vectors(sorted(store.ids())))


def same_as_uninterrupted(folder: Path) -> None:
    """Go on in this process, and compare with an index that was made at once."""
    indexing.index([folder], workers=1)
    workspace = find(folder)
    resumed = state(workspace)
    shutil.rmtree(workspace.folder)
    indexing.index([folder], workers=1)
    assert resumed == state(workspace)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_killed_twenty_times_anywhere_loses_and_doubles_nothing(tmp_path: Path) -> None:
    corpus, chance = Corpus(tmp_path / "corpus", 200, SEED), random.Random(SEED)
    whole = Run(corpus.folder, 2)
    assert len(whole.end()) == 200
    length = time.monotonic() - whole.begun
    shutil.rmtree(corpus.folder / ".hoplite")
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        assert rounds < 3 * KILLS, "the runs end before they are killed"
        run = Run(corpus.folder, 2 if rounds == 1 else 1)
        was_killed = run.kill_after(chance.uniform(0, length / 2))
        acknowledged = run.end()
        kills += was_killed
        if not was_killed:  # the machine may be faster than it was
            length = min(length, time.monotonic() - run.begun)
        if acknowledged or (corpus.folder / ".hoplite" / "manifest.sqlite").exists():
            check(find(corpus.folder), acknowledged)
        corpus.change(40)
    same_as_uninterrupted(corpus.folder)


@pytest.mark.parametrize("seam", killed.SEAMS)
def test_a_run_killed_at_a_seam_loses_and_doubles_nothing(tmp_path: Path, seam: str) -> None:
    corpus = Corpus(tmp_path / "corpus", 60, SEED)
    indexing.index([corpus.folder], workers=1)
    corpus.change(30)
    run = Run(corpus.folder, 1, seam)
    acknowledged = run.end()
    assert run.code == -9
    check(find(corpus.folder), acknowledged)
    same_as_uninterrupted(corpus.folder)
