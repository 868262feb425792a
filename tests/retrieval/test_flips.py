"""Bits that flip on a disk: an index either answers or says that it is damaged and which command mends it."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from ingest.errors import UserError
from retrieval import indexing, library
from retrieval.library import Library
from retrieval.workspace import Workspace, find
from tests.retrieval.made import HashEmbedder

SEED = 20_262
LARGEST = 2_000_000
"""Bytes. What is larger is room that the engine keeps and has not written to yet."""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for module in (indexing, library):
        monkeypatch.setattr(module, "embedder_named", lambda name: HashEmbedder())
    monkeypatch.setenv("HOPLITE_MODELS", "/nonexistent")
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(40):
        (docs / f"note{n}.md").write_text(
            f"# Note {n}\n\nThe heron of number {n} keeps `KEY_{n}`. {f'word{n} ' * 30}\n"
        )
    indexing.index([docs], workers=1)
    return find(docs)


def files(workspace: Workspace, *suffixes: str) -> list[Path]:
    """The index's files, those of the suffixes where there are any."""
    parts = [workspace.manifest, *(path for path in sorted(workspace.store.rglob("*")) if path.is_file())]
    return [p for p in parts if 0 < p.stat().st_size < LARGEST and (not suffixes or p.suffix in suffixes)]


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def outcome(workspace: Workspace) -> str:
    """Open and search, and say how that ended. Whatever else is raised fails the test."""
    try:
        with Library(workspace) as opened:
            for query in ("heron number 3", "KEY_7", "word9"):
                opened.search(query, k=5)
            opened.symbols("KEY_7")
            opened.status()
    except UserError as damaged:
        return "damaged" if re.fullmatch(r".*`hoplite index PATH.*", str(damaged)) else f"not one line: {damaged}"
    return "answers"


def test_fifty_flipped_bits_at_once_are_told_with_the_repair_which_mends_them(workspace: Workspace) -> None:
    chance = random.Random(SEED)
    for _ in range(50):
        flip(chance.choice(files(workspace)), chance)
    assert outcome(workspace) == "damaged"
    indexing.index([workspace.base], workers=1, rebuild=True)
    assert outcome(workspace) == "answers"


def test_a_flipped_bit_is_told_or_the_index_still_answers(workspace: Workspace, tmp_path: Path) -> None:
    chance, seen, sound = random.Random(SEED), Counter[str](), tmp_path / "sound"
    for _ in range(80):
        victim = chance.choice(files(workspace, ".sqlite", ".json", ".i64", ".f32", ".info"))
        shutil.copyfile(victim, sound)
        flip(victim, chance)
        seen[outcome(workspace)] += 1
        shutil.copyfile(sound, victim)
    assert outcome(workspace) == "answers"
    assert seen.keys() == {"damaged", "answers"}
