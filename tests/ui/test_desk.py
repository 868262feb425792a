"""The desk lets the library go for indexing and takes it back: nothing that runs is cut short, nothing new is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.types import Answer, Answered
from ingest.errors import UserError, WorkspaceMissing
from retrieval.collections import save
from retrieval.workspace import find
from ui.desk import Workdesk
from ui.intake import Intake, Wanted

QUESTION = "Readings older than how many days are deleted every night?"


@pytest.fixture
def desk(indexed: Path) -> Iterator[Workdesk]:
    with Workdesk(indexed / ".hoplite", {"model": "none", "memory": False, "cache": False}) as desk:
        yield desk


def answer_of(desk: Workdesk, **chosen: str) -> Answer:
    return next(e.answer for e in desk.agent(**chosen).stream(QUESTION) if isinstance(e, Answered))  # type: ignore[arg-type]


def test_what_is_indexed_meanwhile_is_found_by_the_next_question(desk: Workdesk, indexed: Path) -> None:
    seat = desk.agent()
    (indexed / "guide.md").write_text("# Keeping readings\n\nReadings older than 99 days are deleted every night.\n")
    intake = Intake(desk)
    intake.begin(Wanted(paths=(indexed,)))
    intake.join(60)
    assert intake.job is not None
    assert (intake.job.over, intake.job.failed) == (True, "")
    assert "1 changed" in intake.job.said
    given = next(e.answer for e in seat.stream(QUESTION) if isinstance(e, Answered))
    assert "99 days" in given.answer, "an agent that was made before asks the library that is open now"


def test_indexing_waits_for_a_question_and_the_question_ends_as_it_would_have(desk: Workdesk, indexed: Path) -> None:
    run = desk.agent().stream(QUESTION)
    next(run)
    intake = Intake(desk)
    intake.begin(Wanted(paths=(indexed,)))
    intake.join(0.3)
    assert intake.job is not None
    assert "waiting for questions" in intake.line()
    with pytest.raises(UserError, match="is being indexed"):
        desk.agent()
    answer = next(e.answer for e in run if isinstance(e, Answered))
    assert "HERON" in answer.answer
    list(run)
    intake.join(60)
    assert intake.job.over
    assert answer_of(desk).citations


def test_while_something_is_indexed_questions_are_told_so_and_files_can_still_be_read(desk: Workdesk) -> None:
    with desk.set_aside(lambda: "X is being indexed."):
        for asks in (desk.agent, desk.about, desk.examples, lambda: desk.search("x", 3)):
            with pytest.raises(UserError, match=r"X is being indexed\. Try again"):
                asks()
        with pytest.raises(UserError, match="One thing at a time"), desk.set_aside(lambda: "Y is."):
            pass
        document = desk.resolve("guide.md")
        assert document is not None
        assert desk.traces.name == "traces.sqlite"
    assert "3 documents" in desk.about()


def test_what_is_done_while_it_is_set_aside_and_fails_leaves_the_desk_as_it_was(desk: Workdesk, indexed: Path) -> None:
    intake = Intake(desk)
    intake.begin(Wanted(paths=(indexed / "nowhere",)))
    intake.join(60)
    assert intake.job is not None
    assert "There is no file or folder at" in intake.job.failed
    assert answer_of(desk).citations


def test_one_thing_is_indexed_at_a_time_and_stopping_before_it_began_does_nothing(
    desk: Workdesk, indexed: Path
) -> None:
    intake = Intake(desk)
    with desk.library():
        intake.begin(Wanted(paths=(indexed,)))
        with pytest.raises(UserError, match="One thing at a time: wait, or stop it"):
            intake.begin(Wanted(paths=(indexed,)))
        assert intake.stop()
        intake.join(5)
        assert intake.job is not None
        assert (intake.job.over, intake.job.failed) == (True, "")
        assert "Stopped. 3 documents" in intake.job.said
    assert not intake.stop()
    assert "3 documents" in desk.about()


def test_a_stop_in_the_middle_keeps_what_was_indexed_and_says_so(desk: Workdesk, indexed: Path) -> None:
    for n in range(60):
        (indexed / f"note{n}.md").write_text(f"# Note {n}\n\nSome words.\n")
    intake = Intake(desk)
    told: list[int] = []
    counted = intake._counted

    def count(unit: str, phase: str, done: int, total: int, **more: int) -> None:
        told.append(done)
        if done >= 30:
            intake.stop()
        counted(unit, phase, done, total, **more)

    intake._counted = count  # type: ignore[method-assign]
    intake.begin(Wanted(paths=(indexed,)))
    intake.join(60)
    assert intake.job is not None
    assert "Stopped. 3 documents can be searched; adding the same again goes on from there." in intake.job.said
    assert max(told) == 30
    assert "3 documents" in desk.about()


def test_progress_has_a_rate_and_the_time_that_is_left() -> None:
    now = [0.0]
    intake = Intake(None, clock=lambda: now[0])  # type: ignore[arg-type]
    from ui.intake import Job

    intake._job = Job("x")
    now[0] = 100.0
    intake._counted("files", "reading", 50, 250, chunks=7, failures=2)
    now[0] = 110.0
    intake._counted("files", "reading", 150, 250, chunks=9, failures=2)
    assert intake.line() == "reading: 150 of 250 files, 10 a second, 0:10 left, 9 passages, 2 failed"


def test_questions_of_many_threads_and_indexing_neither_fail_nor_lose_anything(desk: Workdesk, indexed: Path) -> None:
    """Each question is answered, or told that something is indexed; the library is whole after it."""
    answered, told, wrong = [], [], []

    def ask() -> None:
        for _ in range(3):
            try:
                answered.append(answer_of(desk))
            except UserError as error:
                (told if "is being indexed" in str(error) else wrong).append(error)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    intake = Intake(desk)
    for thread in threads:
        thread.start()
    for n in range(3):
        (indexed / f"more{n}.md").write_text(f"# More {n}\n\nWords.\n")
        intake.begin(Wanted(paths=(indexed,)))
        intake.join(60)
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(answered) + len(told) == 9
    assert "6 documents" in desk.about()


def test_without_a_workspace_the_page_makes_one_beside_what_is_added(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with Workdesk(None, {"model": "none"}) as desk:
        with pytest.raises(WorkspaceMissing):
            desk.about()
        assert desk.workspace is None
        intake = Intake(desk)
        intake.begin(Wanted(paths=(folder,)))
        intake.join(60)
        assert "3 documents" in desk.about()
        assert desk.home() == find(folder)


def test_a_question_in_a_collection_is_answered_from_it_alone(desk: Workdesk, indexed: Path) -> None:
    save(desk.home().collections, "code", ["src/*"])
    assert [each.name for each in desk.collections()] == ["code"]
    assert {cited.path for cited in answer_of(desk).citations} == {"guide.md"}
    assert {cited.path for cited in answer_of(desk, collection="code").citations} <= {"src/settings.py", "src/store.py"}
    with pytest.raises(UserError, match="There is no collection 'docs'"):
        desk.agent(collection="docs")
