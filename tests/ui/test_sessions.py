"""Conversations that are kept: what was written comes back, and nothing that was not written here."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from agent.types import Answer, Citation
from retrieval.types import Passage
from ui.chat import Turn
from ui.sessions import LONGEST_NAME, VERSION, Sessions
from ui.steps import ShownStep

A, B = "a" * 32, "b" * 32
PASSAGE = Passage("1", "a.md", "a.md", 3, 5, "text", "text", ("hop: HERON",), 1.0)
ANSWER = Answer("q", "45 [1]", False, (Citation("1", "a.md", 3, 3, "45", True),), passages=(PASSAGE,))
TURN = Turn(
    "Which herons?", (ShownStep("search", "q", found=(("a.md:3-5", "bm25"),)),), "dr", ANSWER, seconds=1.5, rating=1
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


def test_turns_come_back_as_they_were_and_the_file_is_private(file: Path) -> None:
    Sessions(file).keep(A, "Which herons?", [TURN, Turn("And?", answer=ANSWER)])
    assert Sessions(file).turns(A) == (TURN, Turn("And?", answer=ANSWER))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_conversations_are_found_by_their_names_and_questions(file: Path) -> None:
    kept = Sessions(file, clock=iter(range(9)).__next__)
    kept.keep(A, "Birds", [TURN])
    kept.keep(B, "Other", [Turn("100% egrets?", answer=ANSWER)])
    assert [each.id for each in kept.found()] == [B, A]
    assert [each.id for each in kept.found("herons bird")] == [A]
    assert [each.id for each in kept.found("0% e")] == [B]
    assert kept.found("0%x") == ()


def test_a_conversation_is_renamed_and_deleted(file: Path) -> None:
    kept = Sessions(file)
    kept.keep(A, "x" * 200, [TURN])
    assert len(kept.name(A) or "") == LONGEST_NAME
    kept.rename(A, "  Herons \n of the  north ")
    kept.rename(A, "  ")
    assert kept.name(A) == "Herons of the north"
    kept.delete(A)
    assert (kept.found(), kept.turns(A), kept.name(A)) == ((), (), None)


def test_those_longest_unused_go_beyond_the_most(file: Path) -> None:
    kept = Sessions(file, clock=iter(range(9)).__next__, most=2)
    for id in (A, B, "c" * 32):
        kept.keep(id, id, [TURN])
    assert [each.id for each in kept.found()] == ["c" * 32, B]
    assert kept.turns(A) == ()


def test_what_somebody_else_wrote_is_no_conversation(file: Path) -> None:
    kept = Sessions(file)
    kept.keep(A, "mine", [TURN])
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE turns SET body = CAST(replace(body, '45', '46') AS BLOB)")
    assert kept.turns(A) == ()
    assert not kept.problem


@pytest.mark.parametrize("spoil", ["newer", "damaged", "folder"])
def test_a_file_that_cannot_be_used_is_one_line_and_nothing_is_kept(file: Path, spoil: str) -> None:
    if spoil == "newer":
        with closing(sqlite3.connect(file)) as db, db:
            db.execute(f"PRAGMA user_version = {VERSION + 1}")
    elif spoil == "damaged":
        file.write_bytes(b"no database" * 100)
    else:
        file.mkdir()
    kept = Sessions(file)
    kept.keep(A, "mine", [TURN])
    assert (kept.found(), kept.turns(A)) == ((), ())
    assert kept.problem.startswith("Conversations are not kept: sessions.sqlite")
    assert "\n" not in kept.problem
