"""The memory of a workspace: what comes back for which question, what is forgotten, and what a bad file does."""

from __future__ import annotations

import json
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from fake_library import FakeLibrary
from note_parts import ASKED, FILE, KEEPS, cited, draft, fact

from agent.memory import Memory, recollect
from agent.note_file import VERSION
from agent.types import Note, Origin
from ingest.errors import UserError

EGRET = draft("Who guards the Reed Bridge?", fact("Egret", cited("Egret guards the Reed Bridge.", "b.md")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.sqlite"


@pytest.fixture
def memory(path: Path) -> Memory:
    return Memory(path)


def recalled(memory: Memory, question: str) -> list[str]:
    return [found.note.question for found in memory.recall(question)]


def test_a_note_comes_back_as_it_was_written(memory: Memory) -> None:
    source = Origin("https://h/o/r", "ab" * 20, "2026-01-01T00:00:00+00:00")
    written, how = memory.remember(draft(ASKED, fact("Heron", cited(source=source, page=2))))
    assert (how, [found.note for found in memory.recall(ASKED)]) == ("new", [written])
    assert written.facts[0].citations[0].source == source


def test_other_words_recall_it_and_another_subject_does_not(memory: Memory) -> None:
    memory.remember(draft())
    memory.remember(EGRET)
    assert recalled(memory, "Who looks after the mail of the harbour office?")[0] == ASKED
    assert recalled(memory, "What is done at the Reed Bridge?")[0] == EGRET.question
    assert recalled(memory, "How is the proxy configured?") == []


def test_what_is_known_is_merged_and_not_noted_twice(memory: Memory) -> None:
    for question in (ASKED, ASKED, "Where does the mail of the harbour office go?"):
        note, how = memory.remember(draft(question))
    assert (how, note.also, len(memory.notes())) == ("merged", (ASKED,), 1)


def test_an_old_note_is_kept_but_not_recalled(path: Path) -> None:
    now = [0.0]
    memory = Memory(path, clock=lambda: now[0])
    memory.remember(draft())
    now[0] = 100 * 86_400.0
    assert (memory.recall(ASKED), len(memory.notes())) == ([], 1)


def test_what_is_forgotten_is_gone_from_the_file_and_its_number_is_not_given_again(memory: Memory, path: Path) -> None:
    note, _ = memory.remember(draft())
    assert (memory.forget(note.id), memory.forget(note.id), memory.notes()) == (True, False, [])
    assert b"Heron" not in path.read_bytes()
    assert memory.remember(EGRET)[0].id > note.id
    assert (memory.forget_all(), memory.notes()) == (1, [])


def test_a_note_that_was_forgotten_meanwhile_is_not_brought_back(memory: Memory) -> None:
    note, _ = memory.remember(draft())
    memory.forget(note.id)
    memory.renew([note])
    assert memory.notes() == []


def test_a_person_words_a_note_anew_and_the_old_words_still_find_it(memory: Memory) -> None:
    note, _ = memory.remember(draft())
    changed = memory.reword(note.id, "  Where do   letters go? ")
    assert (changed.question, changed.also) == ("Where do letters go?", (ASKED,))
    assert recalled(memory, ASKED) == ["Where do letters go?"]
    with pytest.raises(UserError, match="has a question"):
        memory.reword(note.id, "  ")


def test_a_person_vouches_for_a_note(memory: Memory) -> None:
    note, _ = memory.remember(draft())
    assert note.untrusted
    memory.approve(note.id)
    assert [found.untrusted for found in memory.notes()] == [False]
    with pytest.raises(UserError, match="no note 9"):
        memory.approve(9)


def test_a_fact_that_a_person_removes_goes_to_the_history(memory: Memory) -> None:
    note, _ = memory.remember(draft())
    changed = memory.drop(note.id, 0)
    assert (changed.facts, changed.history[0].fact, changed.history[0].why) == ((), note.facts[0], "you removed it")
    with pytest.raises(UserError, match="none of the number 2"):
        memory.drop(note.id, 1)


def test_reading_a_memory_that_is_not_there_makes_no_file(tmp_path: Path) -> None:
    absent = Memory(tmp_path / "none.sqlite")
    assert (absent.recall("anything"), absent.forget(1), absent.forget_all()) == ([], False, 0)
    assert not list(tmp_path.iterdir())


def test_the_file_is_private(memory: Memory, path: Path) -> None:
    memory.remember(draft())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Looked at again ------------------------------------------------------------------------------------------------------


def test_what_was_looked_at_again_is_written_down(memory: Memory) -> None:
    library = FakeLibrary(FILE)
    memory.remember(draft(ASKED, fact(), **{"a.md": library.digest("a.md") or ""}))
    assert recollect(memory, ASKED, library.resolve).renewed == frozenset()
    library.files["a.md"] += "More.\n"
    renewed = recollect(memory, ASKED, library.resolve)
    assert (len(renewed.renewed), renewed.stale, renewed.notes[0].stale) == (1, frozenset(), False)
    assert recollect(memory, ASKED, library.resolve).renewed == frozenset()
    library.files["a.md"] = "Nothing of it.\n"
    stale = recollect(memory, ASKED, library.resolve)
    assert (len(stale.stale), stale.notes[0].facts, memory.notes()[0].facts) == (1, (), ())


# Files that are not as they should be ---------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_one_clear_error(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    for use in (lambda: Memory(path).recall("anything"), lambda: Memory(path).remember(draft())):
        with pytest.raises(UserError, match=r"memory\.sqlite cannot be .* move the file away"):
            use()


def test_rows_edited_into_nonsense_are_left_out_and_counted(memory: Memory, path: Path) -> None:
    memory.remember(draft())
    with closing(sqlite3.connect(path)) as db, db:
        for body in (
            "",
            "{",
            "[]",
            '{"question": 3}',
            json.dumps({"question": "x", "facts": [{"text": None}]}),
            b"\xff",
        ):
            db.execute("INSERT INTO note (checked, body) VALUES (1e12, ?)", (body,))
        db.execute("INSERT INTO note (checked, body) VALUES ('soon', ?)", ("x" * 2_000_000,))
    assert (recalled(memory, ASKED), memory.unreadable) == ([ASKED], 7)
    assert recollect(memory, ASKED, FakeLibrary(FILE).resolve).problem == "7 notes cannot be read and are left out"
    assert memory.remember(EGRET)[1] == "new"
    assert memory.forget_all() == 9


def test_a_note_of_a_newer_version_is_refused_and_left_as_it_is(memory: Memory, path: Path) -> None:
    memory.remember(draft())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    for use in (memory.notes, lambda: memory.remember(EGRET), memory.forget_all):
        with pytest.raises(UserError, match="newer Hoplite, in format 3; this one reads 2"):
            use()
    assert path.read_bytes() == before


def test_a_memory_in_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        Memory(tmp_path / "gone" / "memory.sqlite").remember(draft())


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_clear_error_and_what_was_noted_stays(memory: Memory, path: Path) -> None:
    memory.remember(draft())
    big = [fact(f"Egret {i}", cited(f"Egret {i} guards the bridge. {'x' * 380}", "b.md", i)) for i in range(1, 13)]
    with no_file_larger_than(path.stat().st_size), pytest.raises(UserError, match="Check the disk"):
        memory.remember(draft("Who guards the Reed Bridge?", *big))
    assert [n.question for n in memory.notes()] == [ASKED]


def test_a_memory_that_can_only_be_read_is_read(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeLibrary({"a.md": "Nothing of it.\n"})
    memory.remember(draft())
    refused = PermissionError(13, "Permission denied")

    def refuse(*_: object) -> int:
        raise refused

    monkeypatch.setattr("agent.note_file.os.open", refuse)  # rights do not hold root back
    found = recollect(memory, ASKED, library.resolve)
    assert (found.notes[0].stale, "cannot be written (Permission denied)" in found.problem) == (True, True)


# The first version ----------------------------------------------------------------------------------------------------

_FIRST = """
CREATE TABLE notes (
    id INTEGER PRIMARY KEY, question TEXT NOT NULL, conclusion TEXT NOT NULL, citations TEXT NOT NULL,
    digests TEXT NOT NULL, created REAL NOT NULL, untrusted INTEGER NOT NULL
)"""


@pytest.fixture
def first(path: Path) -> Path:
    """A memory as it was before there were facts: a short note, a long one, one without a quote, and nonsense."""
    quotes = json.dumps([asdict(cited()), asdict(cited("Not there.", verified=False))])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(_FIRST)
        rows = [
            (3, ASKED, "Heron", quotes, '{"a.md": "00"}', 5.0, 1),
            (4, "Tell me of Heron", f"{KEEPS} It is old. " * 30, quotes, '{"a.md": "00"}', 6.0, 1),
            (5, "Empty?", "Egret", "[]", "{}", 7.0, 1),
            (6, "Broken?", "Egret", "{", "{}", 8.0, 1),
        ]
        db.executemany("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return path


def kept(notes: list[Note]) -> list[tuple[int, list[str], float]]:
    return [(n.id, [f.text for f in n.facts], n.created) for n in notes]


def test_notes_of_the_first_version_are_read_as_facts_without_writing(first: Path) -> None:
    before = first.read_bytes()
    memory = Memory(first)
    assert kept(memory.notes()) == [(4, [KEEPS], 6.0), (3, ["Heron"], 5.0)]
    assert (memory.unreadable, first.read_bytes() == before) == (1, True)


def test_the_first_write_brings_them_into_the_new_table(first: Path) -> None:
    memory = Memory(first)
    memory.remember(EGRET)
    assert kept(memory.notes())[1:] == [(4, [KEEPS], 6.0), (3, ["Heron"], 5.0)]
    with closing(sqlite3.connect(first)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert (db.execute("PRAGMA user_version").fetchone()[0], tables) == (VERSION, {"note", "sqlite_sequence"})
