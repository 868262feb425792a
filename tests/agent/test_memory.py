"""Notes are hints: recalled by likeness, replaced, forgotten, never trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.memory import Memory
from agent.types import Citation, Origin
from ingest.errors import UserError

CITED = (
    Citation("1", "a.md", 1, 2, "text", True),
    Citation(
        "2", "h/o/r/b.md", 1, 2, "text", True, source=Origin("https://h/o/r", "ab" * 20, "2026-01-01T00:00:00+00:00")
    ),
)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "memory.sqlite")


def test_a_note_comes_back_as_it_was_written(memory: Memory) -> None:
    note = memory.remember("Who keeps the letters?", "Heron", CITED, {"a.md": "0" * 64})
    assert memory.recall("Who keeps the letters?") == (note,)
    assert (note.citations, note.untrusted) == (CITED, True)


def test_a_like_question_recalls_and_an_unlike_one_does_not(memory: Memory) -> None:
    memory.remember("Who keeps the letters of the harbour office?", "Heron", CITED, {})
    assert memory.recall("Who keeps letters in the harbour office?")
    assert not memory.recall("Who painted the bridge?")


def test_a_new_note_on_the_same_question_replaces_the_old_one(memory: Memory) -> None:
    for conclusion in ("Egret", "Heron"):
        memory.remember("Who keeps the letters?", conclusion, CITED, {})
    assert [n.conclusion for n in memory.notes()] == ["Heron"]


def test_an_old_note_is_kept_but_not_recalled(tmp_path: Path) -> None:
    now = [0.0]
    memory = Memory(tmp_path / "memory.sqlite", clock=lambda: now[0])
    memory.remember("Who keeps the letters?", "Heron", CITED, {})
    now[0] = 100 * 86_400.0
    assert memory.recall("Who keeps the letters?") == ()
    assert len(memory.notes()) == 1


def test_a_forgotten_note_is_gone(memory: Memory) -> None:
    note = memory.remember("Who keeps the letters?", "Heron", CITED, {})
    assert memory.forget(note.id)
    assert not memory.forget(note.id)
    assert memory.notes() == []


def test_reading_a_memory_that_is_not_there_makes_no_file(tmp_path: Path) -> None:
    assert Memory(tmp_path / "none.sqlite").recall("anything") == ()
    assert not list(tmp_path.iterdir())


def test_a_damaged_memory_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match="Move it away"):
        Memory(path).recall("anything")
