from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.errors import WorkspaceBusy, WorkspaceMissing
from retrieval.workspace import Lock, find
from ui.borrowed import KEPT_SECONDS, Borrowed


def free(folder: Path) -> bool:
    """Whether another could have the workspace now."""
    try:
        Lock(find(folder), wait=0).release()
    except WorkspaceBusy:
        return False
    return True


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether it holds before so many seconds are over."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path) -> None:
    with Borrowed(tmp_path) as borrowed, pytest.raises(WorkspaceMissing), borrowed.library():
        pass


def test_a_library_is_held_while_it_is_used_and_let_go_of_after(indexed: Path) -> None:
    with Borrowed(indexed / ".hoplite", kept=0.1) as borrowed:
        with borrowed.library() as library:
            assert library.paths()
            time.sleep(0.2)
            assert not free(indexed)
        assert within(2, lambda: free(indexed))


def test_whoever_comes_meanwhile_gets_the_open_one(indexed: Path) -> None:
    with Borrowed(indexed / ".hoplite", kept=30) as borrowed:
        with borrowed.library() as first, borrowed.library() as second:
            assert first is second
        with borrowed.library() as third:
            assert third is first
    assert free(indexed)


def test_one_who_comes_as_it_is_about_to_close_keeps_it_open(indexed: Path) -> None:
    with Borrowed(indexed / ".hoplite", kept=0.05) as borrowed:
        for _ in range(20):
            with borrowed.library() as library:
                time.sleep(0.01)
                assert library.paths()
            time.sleep(0.045)


def test_closing_waits_for_the_last_who_uses_it(indexed: Path) -> None:
    borrowed = Borrowed(indexed / ".hoplite")
    done, inside = threading.Event(), threading.Event()

    def use() -> None:
        with borrowed.library() as library:
            inside.set()
            done.wait(10)
            assert library.paths()

    using = threading.Thread(target=use)
    using.start()
    assert inside.wait(10)
    borrowed.close()
    assert not free(indexed)
    done.set()
    using.join()
    assert free(indexed)


def test_it_is_let_go_of_before_a_waiting_command_gives_up() -> None:
    waits = inspect.signature(Lock).parameters["wait"].default
    assert waits >= 2 * KEPT_SECONDS
