"""Progress: a line now and then where no terminal is, bars where one is."""

from __future__ import annotations

import io

import pytest

from ui import progress
from ui.progress import Meter


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_what_is_quickly_done_leaves_no_line() -> None:
    stream = io.StringIO()
    with Meter(unit="files", stream=stream) as meter:
        meter.show("indexing", 1, 2)
    assert stream.getvalue() == ""


def test_elsewhere_than_in_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    stream = io.StringIO()
    with Meter(unit="bytes", stream=stream) as meter:
        meter.show("weights", 3_000_000, 9_000_000, "from the hub")
    assert stream.getvalue().startswith("weights: 3 of 9 MB, ")
    assert stream.getvalue().endswith(" a second, from the hub\n")


def test_what_was_done_before_counts_for_neither_rate_nor_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 10.0])
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    with Meter(unit="chunks", stream=stream) as meter:
        meter.show("embedding", 900, 1_200)
        meter.show("embedding", 1_000, 1_200)
    assert stream.getvalue().splitlines()[1] == "embedding: 1,000 of 1,200 chunks, 10 a second, 0:20 left"


def test_each_thing_has_its_own_clock_and_a_long_time_its_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 500.0, 510.0])
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    with Meter(unit="questions", stream=stream) as meter:
        meter.show("embedding", 0, 10)
        meter.show("searching", 1, 1_002)
        meter.show("searching", 2, 1_002)
    assert stream.getvalue().splitlines()[2] == "searching: 2 of 1,002 questions, 0.1 a second, 2:46:40 left"


def test_quiet_shows_nothing_even_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    stream = Terminal()
    with Meter(stream=stream, quiet=True) as meter:
        meter.show("indexing", 1, 2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("unit", ["files", "bytes"])
def test_a_terminal_gets_a_bar(unit: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with Meter(unit=unit, stream=Terminal()) as meter:
        meter.show("indexing", 1, 2, "7 chunks")
    shown = capfd.readouterr().err
    assert "indexing" in shown
    assert "7 chunks" in shown


def test_a_phase_stands_in_the_place_of_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    stream = io.StringIO()
    with Meter(unit="files", stream=stream) as meter:
        meter.show("indexing", 1, 2, "7 chunks, 1 failed", phase="sweeping")
    assert stream.getvalue().startswith("sweeping: 1 of 2 files, ")
    assert stream.getvalue().endswith(", 7 chunks, 1 failed\n")
