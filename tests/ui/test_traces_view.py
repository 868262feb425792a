"""Traces on the page: what was asked is listed, opened and compared; what is not there is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.tracing import traces
from tests.ui.conftest import Hoplite

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported


class Desk:
    def __init__(self, file: Path) -> None:
        self.traces = file


def test_runs_are_listed_opened_and_compared(indexed: Path, hoplite: Hoplite, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.views.traces import TracesView

    monkeypatch.chdir(indexed)
    for question in ("What does sweep() do?", "Where is <b>HERON_RETENTION</b> set?"):
        assert hoplite("ask", question, "--model", "none").exit_code == 0
    file = indexed / ".hoplite" / "traces.sqlite"
    view = TracesView(Desk(file))
    listed = view.listed("", "Questions")
    assert "sweep() do" in listed
    assert "<b>HERON" not in listed
    assert "sweep() do" not in view.listed("heron", "Questions")
    assert "index.run" in view.listed("", "Indexing and searches")
    second, first = (each.id for each in traces(file, only="questions"))
    assert "search.bm25" in view.opened(first)
    compared = view.opened(f"{first} {second}")
    assert compared.count('class="waterfall"') == 2
    assert f"{first} {second}".replace(" ", "%20") in view.listed("", "Questions", first)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    from ui.views.traces import TracesView

    view = TracesView(Desk(tmp_path / "traces.sqlite"))
    assert "no traces" in view.listed()
    assert "no traces" in view.opened("ab")
    assert view.opened(" ") == ""
