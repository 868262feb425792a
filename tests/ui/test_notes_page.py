"""Notes as Markdown, and in a line: all that is not ours is escaped, and every mark is shown."""

from __future__ import annotations

from agent.types import Citation, Fact, Note, Past, Recalled, Remembered
from ui import chat, render
from ui.notes_page import notes_page
from ui.steps import shown_step

EVIL = "![x](https://evil.example/a) <b>\u202e"
FACT = Fact(f"Heron {EVIL}", (Citation("1", "a`b.md", 3, 4, f"Heron {EVIL}", True),))
NOTE = Note(
    7, f"Who? {EVIL}", (FACT,), (), {}, 0.0, 86_400.0, also=(EVIL,), history=(Past(FACT, 0.0, 1.0, "a.md is gone"),)
)


def test_a_page_has_the_facts_the_places_and_the_history_and_no_markup_of_theirs() -> None:
    page = notes_page([NOTE])
    assert "``a`b.md:3-4``" in page
    assert "until 1970-01-01: a.md is gone" in page
    assert "from text that is not your own" in page
    assert not [bad for bad in ("![x]", "<b>", "\u202e") if bad in page]


def test_times_that_no_calendar_has_are_no_error() -> None:
    assert [render.day(t) for t in (0.0, 1e300, float("nan"), float("-inf"))] == ["1970-01-01", *["an unknown day"] * 3]


def test_what_was_recalled_is_told_with_its_marks_in_the_terminal_and_on_the_page() -> None:
    own = Note(8, "Where?", (FACT,), (), {}, 0.0, 0.0, untrusted=False)
    event = Recalled((NOTE, own), frozenset({7}), frozenset({8}), "a note cannot be read")
    stale, renewed, problem = render.recalled(event)
    assert stale.endswith("(its sources changed since; from text that is not your own)")
    assert renewed == "asked before: Where? (its sources changed and still say it)"
    assert problem == "a note cannot be read"
    step = shown_step(event)
    assert step is not None
    told, page = render.event(event) or "", chat._step(step, "memory", opened=True)
    for line in ("its sources changed since", "still say it", "a note cannot be read"):
        assert (line in told, line in page) == (True, True)
    assert "<b>\u202e" not in page
    assert (render.event(Recalled(())), shown_step(Recalled(()))) == (None, None)


def test_how_a_note_was_written_is_told() -> None:
    assert render.noted(Remembered(NOTE)) == "noted for the next time"
    assert render.noted(Remembered(NOTE, how="replaced")).endswith("in the place of what was noted before")
    assert render.noted(Remembered(None, "nothing was concluded")) == "not noted: nothing was concluded"
