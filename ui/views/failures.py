"""Reading a run's answers on the page, noting what is wrong with them, and sorting the notes into failure modes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from evals.agreement import LABELS
from evals.asked import name_of
from evals.coding import LONGEST_MODE, LONGEST_NOTE, MODES, NOTES, Coding
from evals.failure_groups import Group, suggested
from evals.judge import FILE, RUBRICS
from evals.run_files import ANSWERS
from evals.sampling import PICKS
from ingest.errors import HopliteError, UserError
from ui import answer_page, markup, sitting
from ui.render import counted, visible
from ui.sitting import Sitting
from ui.views.frame import EVENTS, shown

_LONGEST = 160  # characters of a note that is one of a group

Shown = dict[str, Any]
"""What changes on the page, by the names of the parts."""


class Place(Protocol):
    """Where the part finds what it is about."""

    def run(self, name: str) -> Path:
        """Return the folder of a run. Raises UserError for none."""
        ...

    @property
    def traces(self) -> Path:
        """The file of the workspace's traces."""
        ...

    @property
    def sets(self) -> Path:
        """The folder of question sets that are made here."""
        ...


class FailuresPart:
    """A part of the evaluation's view. Whatever is said is on disk at once, where `hoplite eval desk` finds it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.RLock()
        self._open: tuple[Path, tuple[int, ...], Coding] | None = None
        self.parts: dict[str, Any] = {}

    def build(self) -> None:
        """Make the components."""
        parts = self.parts
        parts["run"] = gr.State("")
        parts["sitting"] = gr.State(None)
        with gr.Column(visible=False, elem_id="reading") as whole:
            parts["head"] = shown("reading-head")
            with gr.Row(elem_classes="filter"):
                pick = gr.Dropdown(list(PICKS), value="random", label="Which answers", elem_id="pick", scale=2)
                count = gr.Number(20, label="How many", minimum=1, maximum=sitting.MOST, precision=0, min_width=80)
                seed = gr.Number(0, label="Seed", precision=0, min_width=80)
                draw = gr.Button("Draw", elem_id="draw", min_width=90)
            parts["said"] = shown("reading-said")
            with gr.Column(visible=False) as tools:
                parts["answer"] = shown("answer-read")
                note = parts["note"] = gr.Textbox(
                    label="What is wrong with it, in your own words", lines=2, max_length=LONGEST_NOTE, elem_id="note"
                )
                with gr.Row():
                    back = gr.Button("← Back", size="sm", min_width=80)
                    keep = gr.Button("Note it", size="sm", min_width=80, elem_id="note-it")
                    on = gr.Button("Note it and go on →", size="sm", variant="primary", elem_id="go-on")
                with gr.Row(elem_classes="filter"):
                    rubrics = parts["rubrics"] = gr.CheckboxGroup(
                        list(RUBRICS), value=["correct"], label="By the judge's rubrics", elem_id="rubrics", scale=3
                    )
                    passes = gr.Button("Passes", size="sm", min_width=70, elem_id="passes")
                    fails = gr.Button("Fails", size="sm", min_width=70, elem_id="fails")
                    judge = gr.Button("Show the judge's verdict", size="sm", elem_id="verdict")
                with gr.Row(elem_classes="filter"):
                    mode = parts["mode"] = gr.Dropdown(
                        [], label="Failure mode", allow_custom_value=True, elem_id="mode", scale=3
                    )
                    has = gr.Button("Has it", size="sm", min_width=70, elem_id="has-mode")
                    has_not = gr.Button("Has it not", size="sm", min_width=70)
            parts["tools"] = tools
            with gr.Accordion("Failure modes", open=True, elem_id="modes-panel"):
                parts["modes"] = shown("modes")
                suggest = gr.Button("Group the notes that have no mode yet", size="sm", elem_id="suggest")
                with gr.Column(visible=False) as groups:
                    group = parts["group"] = gr.Dropdown([], label="Notes that are alike", elem_id="group")
                    members = parts["members"] = gr.CheckboxGroup([], label="Its notes; untick what is another thing")
                    called = parts["called"] = gr.Textbox(
                        label="Name of the failure mode", max_length=LONGEST_MODE, elem_id="mode-name"
                    )
                    take = gr.Button("Take them as this failure mode", size="sm", elem_id="take")
                parts["groups"] = groups
                with gr.Row(elem_classes="filter"):
                    old = parts["old"] = gr.Dropdown([], label="A mode", elem_id="old-mode", scale=2)
                    new = gr.Textbox(label="New name, or that of another to merge with", scale=3)
                    rename = gr.Button("Rename", size="sm", min_width=70)
                    make_set = gr.Button("Make a question set of it", size="sm", elem_id="make-set")
        parts["whole"] = whole
        run, sat = parts["run"], parts["sitting"]
        self._on(draw.click, self.draw, [run, pick, count, seed])
        self._on(back.click, self.back, [run, sat, note])
        self._on(keep.click, self.note, [run, sat, note])
        self._on(on.click, self.go_on, [run, sat, note])
        self._on(passes.click, lambda run, sat, said: self.label(run, sat, said, passes=True), [run, sat, rubrics])
        self._on(fails.click, lambda run, sat, said: self.label(run, sat, said, passes=False), [run, sat, rubrics])
        self._on(judge.click, self.reveal, [run, sat])
        self._on(has.click, lambda run, sat, mode: self.assign(run, sat, mode, has=True), [run, sat, mode])
        self._on(has_not.click, lambda run, sat, mode: self.assign(run, sat, mode, has=False), [run, sat, mode])
        self._on(suggest.click, self.suggest, [run])
        self._on(group.input, self.suggest, [run, group])
        self._on(take.click, self.take, [run, sat, members, called])
        self._on(rename.click, self.rename, [run, sat, old, new])
        self._on(make_set.click, self.export, [run, old])

    def as_components(self, values: Shown) -> dict[Any, Any]:
        """Return what changes by the components, as Gradio takes it."""
        return {self.parts[name]: value for name, value in values.items()}

    def _on(self, event: Any, handler: Callable[..., Shown], inputs: list[Any]) -> None:
        def handled(*words: Any) -> dict[Any, Any]:
            try:
                return self.as_components(handler(*words))
            except HopliteError as error:
                return self.as_components({"said": _bad(error)})

        event(handled, inputs, list(self.parts.values()), **EVENTS)

    # What a person does -----------------------------------------------------------------------------------------------

    def close(self) -> Shown:
        """Show nothing of it."""
        return {"whole": gr.update(visible=False)}

    def open(self, name: str) -> Shown:
        """Show a run's notes and modes, with nothing drawn yet. Raises UserError where it cannot be read."""
        coding = self._coding(name)
        link = markup.opens("evaluation", f"run/{name}", name)
        return {
            "whole": gr.update(visible=True),
            "run": name,
            "sitting": None,
            "head": f"<h3>Answers of {link}</h3><p class=note>Read whole answers, note what is wrong in your own "
            "words, and sort the notes afterwards. The judge's verdict is hidden until you have given your label.</p>",
            "tools": gr.update(visible=False),
            "groups": gr.update(visible=False),
            **self._sorted(coding),
        }

    def draw(self, name: str, pick: str, count: float, seed: float) -> Shown:
        """Draw answers, and open the first that was not read."""
        if pick not in PICKS:
            raise UserError(f"There is no way to pick {pick!r}. There are {', '.join(PICKS)}.")
        coding = self._coding(name)
        sat = sitting.begin(coding, name, pick, int(count or 1), int(seed or 0), self._place.traces)
        return self._page(coding, sat, f"{counted(len(sat.names), 'answer')} drawn.")

    def note(self, name: str, sat: Sitting | None, text: str) -> Shown:
        """Note something of the open answer."""
        with self._lock:
            coding, sat = self._sitting(name, sat)
            sitting.noted(coding, sat, text)
            return self._page(coding, sat, "Noted.")

    def go_on(self, name: str, sat: Sitting | None, text: str) -> Shown:
        """Note it, and open the next."""
        return self._move(name, sat, text, 1)

    def back(self, name: str, sat: Sitting | None, text: str) -> Shown:
        """Note it, where there is anything to note, and open the one before."""
        return self._move(name, sat, text, -1)

    def label(self, name: str, sat: Sitting | None, rubrics: list[str], *, passes: bool) -> Shown:
        """Say whether the open answer passes rubrics."""
        with self._lock:
            coding, sat = self._sitting(name, sat)
            sitting.labelled(coding, sat, rubrics or [], passes=passes)
            return self._page(coding, sat, f"{', '.join(rubrics)}: {'pass' if passes else 'fail'}.")

    def reveal(self, name: str, sat: Sitting | None) -> Shown:
        """Show what the judge says; labels that are given after that are marked so."""
        coding, sat = self._sitting(name, sat)
        there = sitting.verdicts_of(coding, coding.line(sat.name))
        return self._page(coding, sitting.seen(sat), "" if there else "The judge said nothing of it.")

    def assign(self, name: str, sat: Sitting | None, mode: str | None, *, has: bool) -> Shown:
        """Say that the open answer has a failure mode, or has it not."""
        with self._lock:
            coding, sat = self._sitting(name, sat)
            coding.assign([coding.line(sat.name)], mode or "", has=has)
            return self._page(coding, sat, "")

    def suggest(self, name: str, chosen: str | None = None) -> Shown:
        """Show the groups of notes that are alike, one of them open with a name made of their words."""
        found = suggested(self._coding(name))
        if not found:
            return {
                "groups": gr.update(visible=False),
                "said": "<p class=note>Every note has a mode, or there is none.</p>",
            }
        named = {_title(number, group): group for number, group in enumerate(found, 1)}
        title = chosen if chosen in named else next(iter(named))
        group = named[title]
        lines = [
            (visible(f"{name_of(line)}: {' '.join(note.split())}"[:_LONGEST]), name_of(line))
            for line, note in group.lines
        ]
        return {
            "said": "",
            "groups": gr.update(visible=True),
            "group": gr.update(choices=list(named), value=title),
            "members": gr.update(choices=lines, value=[each for _, each in lines]),
            "called": visible(group.name),
        }

    def take(self, name: str, sat: Sitting | None, members: list[str], called: str) -> Shown:
        """Say that the answers of these notes have a failure mode, and show what is left."""
        with self._lock:
            coding = self._coding(name)
            if not members:
                raise UserError("Tick the notes that are of this failure mode.")
            coding.assign([coding.line(each) for each in members], called)
            return {**self._page(coding, sat, f"{counted(len(members), 'answer')}: {called}."), **self.suggest(name)}

    def rename(self, name: str, sat: Sitting | None, old: str | None, new: str) -> Shown:
        """Give a failure mode another name, or make it one with another."""
        with self._lock:
            coding = self._coding(name)
            coding.rename(old or "", new)
            return self._page(coding, sat, "Renamed.")

    def export(self, name: str, mode: str | None) -> Shown:
        """Make a question set of a failure mode."""
        path = sitting.exported(self._coding(name), mode or "", self._place.sets)
        link = f'<a href="/evaluation/sets/{path.name}">Download it</a>'
        return {"said": f"<p>Question set <b>{markup.escaped(path.name)}</b>, to be asked under New run. {link}</p>"}

    # ------------------------------------------------------------------------------------------------------------------

    def _move(self, name: str, sat: Sitting | None, text: str, by: int) -> Shown:
        with self._lock:
            coding, sat = self._sitting(name, sat)
            sitting.noted(coding, sat, text)
            return self._page(coding, sitting.moved(sat, by), "")

    def _sitting(self, name: str, sat: Sitting | None) -> tuple[Coding, Sitting]:
        if sat is None or sat.run != name:
            raise UserError("Draw some answers first.")
        return self._coding(name), sat

    def _page(self, coding: Coding, sat: Sitting | None, said: str) -> Shown:
        told: Shown = {"said": f"<p class=note>{markup.escaped(said)}</p>" if said else "", **self._sorted(coding)}
        if sat is None:
            return told
        return {
            **told,
            "sitting": sat,
            "tools": gr.update(visible=True),
            "answer": answer_page.answer(coding, sat),
            "note": coding.note_of(coding.line(sat.name)) or "",
        }

    def _sorted(self, coding: Coding) -> Shown:
        there = [(visible(mode), mode) for mode in coding.modes]
        return {
            "modes": answer_page.modes(coding.counts(), len(coding.read), coding.chosen),
            "mode": gr.update(choices=there),
            "old": gr.update(choices=there),
        }

    def _coding(self, name: str) -> Coding:
        """The reading of a run, from disk again where somebody else wrote to it meanwhile."""
        folder = self._place.run(name)
        with self._lock:
            now = _sizes(folder)
            if self._open is None or self._open[:2] != (folder, now):
                self._open = (folder, now, Coding(folder))
            return self._open[2]


def _title(number: int, group: Group) -> str:
    return visible(f"{number}. {group.name}, {counted(len(group.lines), 'note')}")


def _sizes(folder: Path) -> tuple[int, ...]:
    """The sizes of what a reading is made of; its files only grow."""
    return tuple(
        path.stat().st_size if (path := folder / name).exists() else 0 for name in (ANSWERS, NOTES, MODES, LABELS, FILE)
    )


def _bad(error: HopliteError) -> str:
    return f"<p class=bad>{markup.escaped(str(error))}</p>"
