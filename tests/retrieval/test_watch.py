"""What changes is told in bursts, and nothing that is ignored or lies elsewhere."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.errors import UserError
from retrieval import watch
from retrieval.watch import changes

Burst = frozenset[str] | None


class Told:
    """Listens in a thread, as long as the folder is there."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._bursts: queue.Queue[Burst] = queue.Queue()
        self._changes = changes([folder], but=folder / "index", say=self.lines.append)
        assert next(self._changes) is None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def next(self) -> set[str] | None:
        """The next burst, as paths relative to the folder."""
        burst = self._bursts.get(timeout=20)
        return None if burst is None else {os.path.relpath(path, self.folder) for path in burst}

    def silent(self) -> bool:
        """Whether nothing is told of for longer than a burst takes to be told."""
        time.sleep(3 * watch.STEP_MS / 1000)
        return self._bursts.empty()

    def end(self) -> None:
        self.folder.rename(self.folder.with_name("ended"))
        self._thread.join(20)

    def _listen(self) -> None:
        with suppress(UserError):
            for burst in self._changes:
                self._bursts.put(burst)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    (made / "sub").mkdir(parents=True)
    (made / "index").mkdir()
    (made / "node_modules").mkdir()
    (made / "sub" / "a.md").write_text("a")
    return made


@pytest.fixture
def told(folder: Path) -> Iterator[Told]:
    listening = Told(folder)
    yield listening
    listening.end()


def test_a_changed_file_is_named(told: Told) -> None:
    (told.folder / "sub" / "a.md").write_text("other")
    assert told.next() == {"sub/a.md"}


def test_a_renamed_file_is_named_by_both_names(told: Told) -> None:
    (told.folder / "sub" / "a.md").rename(told.folder / "b.md")
    assert told.next() == {"sub/a.md", "b.md"}


def test_a_file_in_a_new_folder_is_told_of_and_so_are_later_ones(told: Told) -> None:
    (told.folder / "new" / "deep").mkdir(parents=True)
    (told.folder / "new" / "deep" / "a.md").write_text("a")
    first = told.next()
    assert first is not None
    assert {"new", "new/deep", "new/deep/a.md"} & first
    (told.folder / "new" / "deep" / "b.md").write_text("b")
    assert told.next() == {"new/deep/b.md"}


def test_a_folder_that_was_renamed_is_watched_under_its_new_name(told: Told) -> None:
    (told.folder / "sub").rename(told.folder / "other")
    assert told.next() == {"sub", "other"}
    (told.folder / "other" / "a.md").write_text("changed")
    assert told.next() == {"other/a.md"}


def test_a_thousand_changes_are_one_burst(told: Told) -> None:
    for number in range(1_000):
        (told.folder / "sub" / f"{number}.md").write_text("x")
    assert len(told.next() or ()) == 1_000
    assert told.silent()


def test_more_changes_than_the_kernel_may_remember_are_anything(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MANY", 10)
    for number in range(11):
        (told.folder / "sub" / f"{number}.md").write_text("x")
    assert told.next() is None


def test_what_is_ignored_elsewhere_or_the_index_itself_is_not_told_of(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    told = Told(folder)
    (folder / "node_modules" / "a.js").write_text("x")
    (folder / "index" / "a.sqlite").write_text("x")
    (outside / "a.md").write_text("x")
    assert told.silent()
    told.end()


def test_a_changed_gitignore_may_change_anything_and_is_followed(told: Told) -> None:
    (told.folder / ".gitignore").write_text("sub/\n")
    assert told.next() is None
    (told.folder / "sub" / "a.md").write_text("other")
    assert told.silent()
    (told.folder / ".gitignore").write_text("")
    assert told.next() is None
    (told.folder / "sub" / "a.md").write_text("again")
    assert told.next() == {"sub/a.md"}


def test_a_single_file_is_watched_without_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("a")
    bursts = changes([tmp_path / "a.md"], but=tmp_path / ".hoplite")
    next(bursts)
    (tmp_path / "b.md").write_text("b")
    (tmp_path / "a.md").write_text("other")
    assert next(bursts) == {str(tmp_path / "a.md")}


def test_where_the_system_tells_nothing_changes_are_looked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = watch.RustNotify

    def limited(paths: list[str], debug: bool, polls: bool, *others: object) -> object:
        if not polls:
            raise OSError('OS file watch limit reached. about ["/x"]')
        return real(paths, debug, polls, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "RustNotify", limited)
    monkeypatch.setattr(watch, "POLL_MS", 100)
    os.utime(folder / "sub" / "a.md", (1, 1))  # looking tells whole seconds apart
    told = Told(folder)
    (folder / "sub" / "a.md").write_text("other")
    found = told.next()
    assert found is not None
    assert "sub/a.md" in found
    assert len(told.lines) == 1
    assert "(OS file watch limit reached)" in told.lines[0]
    told.end()


def test_a_caller_with_other_work_is_not_made_to_wait_and_told_of_changes_all_the_same(tmp_path: Path) -> None:
    bursts = changes([tmp_path], but=tmp_path / ".hoplite", busy=lambda: True)
    next(bursts)
    assert next(bursts) == frozenset()
    (tmp_path / "a.md").write_text("words")
    assert next(burst for burst in bursts if burst) == {str(tmp_path / "a.md")}
