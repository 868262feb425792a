"""Memory: the notes of earlier runs, what they cite and whether it still stands; worded anew, approved, forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from agent.memory import Memory
from agent.notes import rechecked
from agent.types import Citation, Fact, Note
from ingest.errors import HopliteError, UserError
from ui import markup
from ui.render import day, note_marks, place
from ui.sources import Resolve
from ui.views.frame import EVENTS, Frame, shown

LISTED = 200
"""Notes in the list at most."""

_FIRST = (
    '<p class="empty">Nothing is noted yet. A question that was answered leaves a note: what it came to, with the '
    "quotes that bear it. Ask one in Chat.</p>"
)


_STANDS, _FALLEN = "<span class=good>✓ stands</span>", "<span class=bad>✗ its source changed</span>"


class Desk(Protocol):
    """What the view needs of a workspace."""

    @property
    def memory(self) -> Path:
        """The file of its notes. Raises UserError, with what to do first, where there is no workspace."""
        ...

    @property
    def resolve(self) -> Resolve: ...


class MemoryView:
    """A list of notes, and the one that is open. They are hints where to look, never evidence, and the page says so."""

    name = "memory"
    title = "Memory"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def build(self, frame: Frame) -> None:
        """Make the list, the note, and what can be done with it."""
        gr.Markdown(
            "Notes of earlier runs: hints where to look, never evidence. Each is looked up again before it is used."
        )
        opened = gr.State("")
        with gr.Row():
            with gr.Column(scale=4):
                with gr.Row():
                    wanted = gr.Textbox(label="Note has", placeholder="a word of it", elem_id="note-wanted")
                found = shown("note-list")
            with gr.Column(scale=7):
                detail = shown("note")
                with gr.Group(visible=False) as tools:
                    question = gr.Textbox(label="Its question, by which it is found", elem_id="note-question")
                    with gr.Row():
                        reword = gr.Button("Save the question", size="sm")
                        approve = gr.Button("Approve: I have read it", size="sm", elem_id="note-approve")
                        forget = gr.Button("Forget the note", size="sm", variant="stop", elem_id="note-forget")
                    with gr.Row():
                        number = gr.Number(label="Fact", value=1, minimum=1, precision=0, scale=1)
                        drop = gr.Button("Remove this fact", size="sm", scale=2)
        everything = [detail, tools, question, opened, found]
        frame.opener(self.name, lambda what: self.opened(what), everything)
        wanted.change(self.listed, [wanted, opened], found, **EVENTS)
        reword.click(self.reworded, [opened, question], everything, **EVENTS)
        approve.click(self.approved, opened, everything, **EVENTS)
        forget.click(self.forgotten, opened, everything, **EVENTS)
        drop.click(self.without, [opened, number], everything, **EVENTS)
        frame.on_show(self.listed, [wanted, opened], found)

    def listed(self, wanted: str = "", opened: str = "") -> str:
        """Return the list as HTML."""
        try:
            memory = Memory(self._desk.memory)
            notes = [note for note in memory.notes(LISTED) if wanted.strip().lower() in _words(note)]
        except HopliteError as error:
            return f'<p class="empty">{markup.escaped(str(error))}</p>'
        if not notes:
            return _FIRST if not wanted.strip() else '<p class="empty">No note has that in it.</p>'
        lost = memory.unreadable
        bad = f"<p class=bad>{lost} rows of the memory are no notes and are left out.</p>" if lost else ""
        return f"{bad}<ul class=traces>{''.join(_line(note, opened) for note in notes)}</ul>"

    def opened(self, what: str, said: str = "") -> tuple[str, Any, str, str, str]:
        """Return the note of this number as HTML, whether it can be changed, its question, its number, and the list."""
        try:
            note = self._note(what)
            now = rechecked(note, self._desk.resolve, note.checked)
        except HopliteError as error:
            return f'<p class="empty">{markup.escaped(str(error))}</p>', gr.update(visible=False), "", "", self.listed()
        html = _html(note, now) + (f"<p class=good>{markup.escaped(said)}</p>" if said else "")
        return html, gr.update(visible=True), note.question, str(note.id), self.listed(opened=str(note.id))

    def reworded(self, what: str, question: str) -> tuple[str, Any, str, str, str]:
        """Write the note's question in other words."""
        return self._changed(what, lambda memory, number: memory.reword(number, question), "The question is saved.")

    def approved(self, what: str) -> tuple[str, Any, str, str, str]:
        """Take the mark off that says where the note's text came from."""
        return self._changed(what, lambda memory, number: memory.approve(number), "Approved.")

    def without(self, what: str, fact: float) -> tuple[str, Any, str, str, str]:
        """Move a fact, counted from 1, to the note's history."""
        return self._changed(
            what, lambda memory, number: memory.drop(number, int(fact or 0) - 1), "The fact is removed."
        )

    def forgotten(self, what: str) -> tuple[str, Any, str, str, str]:
        """Delete the note with its history."""
        try:
            gone = Memory(self._desk.memory).forget(self._note(what).id)
        except HopliteError as error:
            return f'<p class="empty">{markup.escaped(str(error))}</p>', gr.update(), "", "", self.listed()
        said = f"Note {what} is forgotten." if gone else f"Note {what} was forgotten already."
        return f'<p class="empty">{markup.escaped(said)}</p>', gr.update(visible=False), "", "", self.listed()

    def _changed(self, what: str, change: Callable[[Memory, int], Note], said: str) -> tuple[str, Any, str, str, str]:
        try:
            change(Memory(self._desk.memory), self._note(what).id)
        except HopliteError as error:
            html, *rest = self.opened(what)
            return f"<p class=bad>{markup.escaped(str(error))}</p>{html}", *rest
        return self.opened(what, said)

    def _note(self, what: str) -> Note:
        number = int(what) if what.isascii() and what.isdecimal() and len(what) < 12 else -1
        held = Memory(self._desk.memory).notes(1_000_000)
        if (note := next((note for note in held if note.id == number), None)) is None:
            raise UserError("That note is not there any more. Choose one from the list.")
        return note


def _words(note: Note) -> str:
    return " ".join([note.question, *note.also, *(fact.text for fact in note.facts)]).lower()


def _line(note: Note, opened: str) -> str:
    current = " class=current" if str(note.id) == opened else ""
    about = f"{day(note.checked)} · {len(note.facts)} {'fact' if len(note.facts) == 1 else 'facts'}{note_marks(note)}"
    return (
        f"<li{current}>{markup.opens('memory', str(note.id), note.question[:110])} <i>{markup.escaped(about)}</i></li>"
    )


def _html(note: Note, now: Note) -> str:
    """A note as it was written, each fact with whether its quotes stand in their files as these are now."""
    standing = {fact.text for fact in now.facts}
    also = "".join(f"<li>{markup.escaped(question)}</li>" for question in note.also)
    about = f"Noted {day(note.created)}, last looked at {day(note.checked)}{note_marks(note)}."
    facts = "".join(
        f"<li>{markup.escaped(fact.text)} {_STANDS if fact.text in standing else _FALLEN}{_cited(fact)}</li>"
        for fact in note.facts
    )
    gone = "".join(
        f"<li>{markup.escaped(past.fact.text)} <i>until {day(past.ended)}: {markup.escaped(past.why)}</i></li>"
        for past in reversed(note.history)
    )
    return (
        f"<h3>{markup.escaped(note.question)}</h3><p class=note>{markup.escaped(about)}</p>"
        + (f"<p class=note>Also asked:</p><ul>{also}</ul>" if also else "")
        + (
            f"<ol>{facts}</ol>"
            if facts
            else "<p>Nothing that it said stands any more; it may still lead to its files.</p>"
        )
        + (markup.folded("What it said before", f"<ul>{gone}</ul>", name="step") if gone else "")
    )


def _cited(fact: Fact) -> str:
    cited = dict.fromkeys(fact.citations)
    return "".join(f"<br><code>{_place(each)}</code> <q>{markup.escaped(each.quote)}</q>" for each in cited)


def _place(cited: Citation) -> str:
    return markup.escaped(place(cited.path, cited.start_line, cited.end_line, cited.page))
