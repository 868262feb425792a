"""Traces: what each run did and what it cost, one opened as a waterfall, or two side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import gradio as gr

from agent.scores import scores
from agent.tracing import Only, trace, traces
from ingest.errors import HopliteError
from ui import markup, waterfall
from ui.views.frame import EVENTS, Frame, shown

LISTED = 100
"""Traces in the list at most."""

_ONLY: dict[str, Only] = {
    "Everything": "all",
    "Questions": "questions",
    "Evaluations": "evaluations",
    "Indexing and searches": "other",
    "Failed": "failed",
    "Without an answer": "declined",
    "Rated bad": "bad",
}


class Desk(Protocol):
    """What the view needs of a workspace."""

    @property
    def traces(self) -> Path:
        """The file of its traces. Raises UserError, with what to do first, where there is no workspace."""
        ...


class TracesView:
    """A list to filter, and what is open of it. What is open is the browser's: one id, or two to be compared."""

    name = "traces"
    title = "Traces"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def build(self, frame: Frame) -> None:
        """Make the filter, the list and the place of what is open."""
        with gr.Row(elem_classes="filter"):
            asked = gr.Textbox(label="Question has", placeholder="a word of it", scale=4, elem_id="trace-asked")
            only = gr.Dropdown(list(_ONLY), value="Everything", label="Show", scale=2, elem_id="trace-only")
            again = gr.Button("Refresh", scale=1, min_width=90)
        opened = gr.State("")
        with gr.Row():
            with gr.Column(scale=4):
                found = shown("trace-list")
            with gr.Column(scale=7):
                detail = shown("trace")
        chosen = [asked, only, opened]
        gr.on([asked.change, only.change, again.click], self.listed, chosen, found, **EVENTS)
        frame.opener(
            self.name,
            lambda what: (self.opened(what), what),
            [detail, opened],
        ).then(self.listed, chosen, found, **EVENTS)
        frame.on_show(self.listed, chosen, found)

    def listed(self, asked: str = "", only: str = "Everything", opened: str = "") -> str:
        """Return the list as HTML."""
        try:
            found = traces(self._desk.traces, LISTED, only=_ONLY.get(only, "all"), asked=asked.strip())
        except HopliteError as error:
            return f'<p class="empty">{markup.escaped(str(error))}</p>'
        return waterfall.listed(found, opened.split()[0] if opened.strip() else "")

    def opened(self, what: str) -> str:
        """Return one trace, or two with a space between their ids, as HTML."""
        ids = what.split()[:2]
        if not ids:
            return ""
        try:
            file = self._desk.traces
            records = [trace(file, each) for each in ids]
            given = scores(file, records[0][0].span.trace_id)
        except HopliteError as error:
            return f'<p class="empty">{markup.escaped(str(error))}</p>'
        if len(records) == 2:
            return waterfall.beside(*records)
        return waterfall.waterfall(records[0], given)
