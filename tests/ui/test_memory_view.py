"""The memory on the page: notes are listed, opened with what stands of them, and changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.memory import Memory
from agent.notes import Draft
from agent.types import Citation, Fact
from ingest.load import load
from ingest.types import Document
from ui.sources import Resolve

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = folder / "memory.sqlite"

    @property
    def resolve(self) -> Resolve:
        def resolved(path: str) -> Document | None:
            file = self.folder / path
            return load(file, path) if file.is_file() else None

        return resolved


QUOTE = "Heron <b>keeps</b> letters."


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "a.md").write_text(f"# Heron\n\n{QUOTE}\n")
    desk = Desk(tmp_path)
    fact = Fact(QUOTE, (Citation("1", "a.md", 3, 3, QUOTE, True),))
    Memory(desk.memory).remember(Draft("Who keeps <i>letters</i>?", (fact,), {"a.md": "0"}))
    return desk


def test_a_note_is_opened_with_what_still_stands_and_without_markup_of_its_own(desk: Desk) -> None:
    from ui.views.memory import MemoryView

    view = MemoryView(desk)
    html, _, question, number, found = view.opened("1")
    assert (question, number) == ("Who keeps <i>letters</i>?", "1")
    assert "✓ stands" in html
    assert "<b>keeps" not in html
    assert "<i>letters" not in html + found
    (desk.folder / "a.md").write_text("Gone.\n")
    assert "✗ its source changed" in view.opened("1")[0]


def test_a_note_is_worded_anew_approved_and_forgotten(desk: Desk) -> None:
    from ui.views.memory import MemoryView

    view = MemoryView(desk)
    assert "not your own" in view.opened("1")[0]
    assert "not your own" not in view.approved("1")[0]
    assert view.reworded("1", "Where are letters?")[2] == "Where are letters?"
    assert "What it said before" in view.without("1", 1)[0]
    assert "is forgotten" in view.forgotten("1")[0]
    assert "Nothing is noted yet" in view.listed()


def test_what_is_not_there_is_said(desk: Desk) -> None:
    from ui.views.memory import MemoryView

    view = MemoryView(desk)
    for what in ("", "7", "1 or 1", "¹"):
        assert "not there any more" in view.opened(what)[0]
    assert "none of the number 4" in view.without("1", 4)[0]
    assert "No note has that" in view.listed("zebra")
    assert "letters" in view.listed("LETTERS")
