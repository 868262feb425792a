"""Many files at once, some of them bad."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ingest import crew, pipeline
from ingest.errors import UserError
from ingest.pipeline import read
from ingest.reading import FileRead
from ingest.walk import FoundFile, walk

Tree = Callable[[dict[str, str | bytes]], Path]
WORK = crew.work
MANY = {f"f{i:03}.py": f"def f{i}():\n    return g{i}()\n" for i in range(60)}


def killing_work(pipe: multiprocessing.connection.Connection, prepare: None) -> None:
    """A worker that one file kills and another one holds up for ever."""
    answer = crew.answer

    def deadly(file: FoundFile, prepare: None) -> FileRead | Exception:
        if file.path == "f007.py":
            os.kill(os.getpid(), signal.SIGKILL)
        if file.path == "f031.py":
            signal.pause()
        return answer(file)

    crew.answer = deadly
    WORK(pipe, prepare)


def paths(results: Sequence[FileRead]) -> list[str]:
    return [result.path for result in results]


def test_a_few_files_are_read_in_this_process_and_in_order(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "Crew", None)  # a worker would fail
    results = list(read(walk(tree({"b.md": "# B", "a.py": "x = 1\n"})).files, workers=2))
    assert [(r.path, r.language, len(r.chunks), r.error) for r in results] == [
        ("a.py", "python", 1, None), ("b.md", "markdown", 1, None)
    ]  # fmt: skip


def test_workers_give_what_this_process_gives_in_the_same_order(tree: Tree) -> None:
    files = walk(tree(MANY)).files
    assert list(read(files, workers=2)) == list(read(files, workers=1))


def test_a_file_that_kills_or_holds_its_worker_fails_alone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "work", killing_work)
    files = walk(tree(MANY)).files
    results = list(read(files, workers=2, patience=3.0))
    assert paths(results) == [file.path for file in files]
    assert {r.path: r.error.reason for r in results if r.error} == {"f007.py": "crash", "f031.py": "timeout"}
    assert sum(len(r.chunks) for r in results) == 58


def test_a_bad_file_is_told_with_its_reason_and_the_others_are_read(tree: Tree) -> None:
    results = list(read(walk(tree({"a.ipynb": "{", "b.md": "# B\n\ntext"})).files))
    assert [(r.path, r.error and r.error.reason, len(r.chunks)) for r in results] == [
        ("a.ipynb", "syntax", 0),
        ("b.md", None, 1),
    ]


def dying_work(pipe: multiprocessing.connection.Connection, prepare: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_cannot_start_are_no_failure_of_the_files(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "work", dying_work)
    with pytest.raises(UserError, match=r"ended with status -9 before it had started.*run the same command again"):
        list(read(walk(tree(MANY)).files, workers=2))
    assert multiprocessing.active_children() == []


def test_workers_rest_while_nobody_takes_what_they_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "AHEAD", 10)
    files = walk(tree({f"f{i:03}.py": "x = 1\n" for i in range(200)})).files
    hands = crew.Crew(files, 2, 30.0)
    try:
        first = next(hands.results())
        time.sleep(1.0)
        assert first.path == "f000.py"
        assert 0 < len(hands._results) < 100
        assert paths(list(hands.results())) == [file.path for file in files[1:]]
    finally:
        hands.end()


def test_stopping_early_leaves_no_process_behind(tree: Tree) -> None:
    results = read(walk(tree(MANY)).files, workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


def test_no_worker_ever_hears_ctrl_c(tree: Tree) -> None:
    """Not even the first one of a process, in whose start multiprocessing unblocks the signal."""
    code = f"""
import multiprocessing, pathlib, signal
from ingest.pipeline import read
from ingest.walk import walk
results = read(walk(pathlib.Path({str(tree(MANY))!r})).files, workers=2)
next(results)
for worker in multiprocessing.active_children():
    status = pathlib.Path(f"/proc/{{worker.pid}}/status").read_text()
    print(int(status.split("SigBlk:")[1].split()[0], 16) >> (signal.SIGINT - 1) & 1)
results.close()
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("1\n1\n", "")
