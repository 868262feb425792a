"""Evaluation: question sets asked, what came of it in numbers and question by question, two runs compared, answers
read."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import gradio as gr
from fastapi.responses import Response

from agent.settings import load_settings
from evals.agreement import judged_with_agreement
from evals.batch import asked_with, new_folder
from evals.compare import compare
from evals.datasets import drawn, load_questions
from evals.report import heading_of, markdown, write
from evals.run_asked import Asked, Conduct, read_asked
from ingest.errors import HopliteError, UserError
from ui import markup, run_page
from ui.batches import Batches, chosen_for
from ui.commands.ask import leaving
from ui.commands.evaluate.report import trees
from ui.line import Lines
from ui.question_sets import KEPT, set_named, sets
from ui.run_list import ORDERS, PAGE, Run, Runs, read_rows, rows
from ui.views.failures import FailuresPart
from ui.views.frame import EVENTS, Frame, shown

if TYPE_CHECKING:
    from agent.settings import Settings
    from retrieval.library import Library
    from retrieval.workspace import Workspace

_PAUSE = 0.5  # seconds between two looks at a batch
_FIRST = '<p class="empty">Choose a run at the left to see its numbers, or ask a question set.</p>'

Shown = dict[str, Any]


class Desk(Protocol):
    """What the view needs of a workspace."""

    @property
    def lines(self) -> Lines:
        """The lines before the models."""
        ...

    def library(self) -> AbstractContextManager[Library]:
        """Give the open library, which stays as it is until the end. Raises UserError where it cannot be had now."""
        ...

    def home(self) -> Workspace:
        """Return the workspace. Raises UserError, with what to do first, where there is none."""
        ...

    @property
    def chosen(self) -> Mapping[str, Any]:
        """The settings as the command line has them."""
        ...


class EvaluationView:
    """The runs of the workspace, and at most one batch that adds to them. What is open is the browser's."""

    name = run_page.VIEW
    title = "Evaluation"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._runs = Runs()
        self._failures = FailuresPart(self)
        self.batches = Batches(desk.lines)

    # The page -----------------------------------------------------------------------------------------------------

    def build(self, frame: Frame) -> None:
        """Make the form, the batch, the list and the place of what is open."""
        parts: dict[str, Any] = {"open": gr.State("")}
        with gr.Row(elem_id="evaluation"):
            with gr.Column(scale=4, min_width=280):
                with gr.Accordion("New run", open=True, elem_id="new-run"):
                    chosen = parts["set"] = gr.Dropdown(
                        [], label="Question set", info="Choose one, or type the path of a file in the indexed folder.",
                        allow_custom_value=True, elem_id="set",
                    )  # fmt: skip
                    model = gr.Textbox(
                        label="Model", placeholder="as set; none answers with quotes alone", max_length=300,
                        elem_id="run-model",
                    )  # fmt: skip
                    with gr.Row():
                        limit = gr.Number(
                            0, label="Questions (0: all)", minimum=0, precision=0, min_width=110, elem_id="limit"
                        )
                        how = gr.Dropdown(
                            ["the first", "drawn at random"], value="the first", label="Which", min_width=110
                        )
                        seed = gr.Number(0, label="Seed", precision=0, min_width=70)
                    with gr.Row():
                        repeat = gr.Number(1, label="Times each", minimum=1, maximum=50, precision=0, min_width=80)
                        retries = gr.Number(0, label="Retries", minimum=0, maximum=20, precision=0, min_width=80)
                        seconds = gr.Number(0, label="Seconds each (0: any)", minimum=0, min_width=120)
                    baseline = gr.Checkbox(label="One call over the five best passages, without the agent")
                    parts["leaving"] = shown("batch-leaving")
                    start = gr.Button("Ask them", variant="primary", elem_id="start-batch")
                parts["batch"] = shown("batch")
                stop = parts["stop"] = gr.Button("Stop the batch", visible=False, size="sm", elem_id="stop-batch")
                parts["list"] = shown("run-list")
            with gr.Column(scale=7, min_width=320):
                parts["said"] = shown("evaluation-said")
                parts["head"] = shown("run-head")
                resume = parts["resume"] = gr.Button("Go on with it", visible=False, elem_id="resume", size="sm")
                parts["numbers"] = shown("run-numbers")
                parts["questions"] = shown("run-questions")
                self._failures.build()
        everything = [*parts.values(), *self._failures.parts.values()]

        def as_components(values: Shown) -> dict[Any, Any]:
            reading = values.pop("reading", {})
            return {parts[name]: value for name, value in values.items()} | self._failures.as_components(reading)

        async def watch(opened: str) -> AsyncIterator[dict[Any, Any]]:
            async for values in self.watch(opened):
                yield as_components(values)

        async def loaded() -> AsyncIterator[dict[Any, Any]]:
            yield as_components(await asyncio.to_thread(self.fresh))
            if self.batches.under_way:
                async for values in self.watch(""):
                    yield as_components(values)

        def then_watch(event: Any) -> None:
            event.then(watch, parts["open"], everything, concurrency_limit=None, trigger_mode="multiple", **EVENTS)

        asked = [chosen, model, limit, how, seed, repeat, retries, seconds, baseline]
        begun = start.click(lambda *words: as_components(self.start(*words)), asked, everything, **EVENTS)
        then_watch(begun)
        gone_on = resume.click(lambda name: as_components(self.resume(name)), parts["open"], everything, **EVENTS)
        then_watch(gone_on)
        stop.click(lambda: as_components(self.stop()), None, everything, queue=False, **EVENTS)
        gr.on(
            [model.change, baseline.change], lambda said: as_components(self.leaving(said)), model, everything, **EVENTS
        )
        frame.opener(self.name, lambda what: as_components(self.opened(what)), everything)
        frame.on_load(loaded, everything, concurrency_limit=None)
        frame.serves("/evaluation/{key}/report.html", self.page)
        frame.serves("/evaluation/{key}/report.md", self.lines)
        frame.serves("/evaluation/sets/{name}.jsonl", self.file)

    def fresh(self) -> Shown:
        """Return what a page shows that was just opened."""
        try:
            workspace = self._desk.home()
            names = [each.name for each in sets(workspace)]
        except HopliteError as error:
            return {"list": f'<p class="empty">{markup.escaped(str(error))}</p>'}
        return {"set": gr.update(choices=names), "said": _FIRST, **self.leaving(""), **self._stand("")}

    def leaving(self, model: str) -> Shown:
        """Return what will leave this machine where a model is asked, or why it cannot be."""
        try:
            line = self._leaving(chosen_for(model))
        except HopliteError as error:
            return {"leaving": _bad(error)}
        return {"leaving": f"<p class=note>{markup.escaped(line or 'Nothing leaves this machine.')}</p>"}

    async def watch(self, opened: str) -> AsyncIterator[Shown]:
        """Yield how the batch stands, whenever that is another thing, until it is over."""
        last = ""
        while self.batches.under_way:
            now = self._batch()
            if now["batch"] != last:
                last = now["batch"]
                yield now
            await asyncio.sleep(_PAUSE)
        yield self._stand(opened)

    # A batch ------------------------------------------------------------------------------------------------------

    def start(
        self,
        chosen: str | None,
        model: str = "",
        limit: float | None = None,
        how: str = "the first",
        seed: float | None = 0,
        repeat: float | None = 1,
        retries: float | None = 0,
        seconds: float | None = None,
        baseline: bool = False,
    ) -> Shown:
        """Begin to ask a question set."""
        try:
            workspace = self._desk.home()
            named = set_named(workspace, chosen or "")
            questions = load_questions(named.path)
            if not questions:
                raise UserError(f"{named.name} holds no question. Choose another set.")
            count = int(limit) if limit and limit >= 1 else len(questions)
            if how != "the first":
                questions = tuple(drawn(questions, count, int(seed or 0)))
            conduct = Conduct(max(1, int(repeat or 1)), max(0, int(retries or 0)), timeout=seconds or None)
            settings = self._settings(chosen_for(model))
            asked = Asked(named.name, questions[:count], conduct)
            self.batches.start(self._desk.library, settings, asked, new_folder(workspace.runs), baseline=bool(baseline))
        except HopliteError as error:
            return {"batch": self._batch()["batch"] + _bad(error)}
        return self._batch()

    def resume(self, name: str) -> Shown:
        """Go on with a run that lacks answers."""
        try:
            run = self._run(name)
            asked = read_asked(run.folder)
            if asked is None:
                raise UserError(
                    "The run does not say what it asks. `hoplite eval run SET --out … --resume` goes on with it."
                )
            settings = self._settings(asked_with(run.folder))
            self.batches.start(self._desk.library, settings, asked, run.folder, baseline=run.baseline, resume=True)
        except HopliteError as error:
            return {"batch": self._batch()["batch"] + _bad(error)}
        return {**self._batch(), "resume": gr.update(visible=False)}

    def stop(self) -> Shown:
        """End the batch."""
        self.batches.stop()
        return self._batch()

    def _batch(self) -> Shown:
        return {
            "batch": run_page.going(self.batches.going),
            "stop": gr.update(visible=self.batches.under_way, interactive=not self._stopping),
        }

    @property
    def _stopping(self) -> bool:
        return self.batches.going is not None and self.batches.going.phase == "stopping"

    # What is open -------------------------------------------------------------------------------------------------

    def opened(self, what: str) -> Shown:
        """Return what a link opens: a run, some of its questions, two runs beside each other, or its answers to read.
        It was in the page, so it is looked at like any other text."""
        kind, *rest = what.split("/")
        try:
            match kind, rest:
                case "run", [name]:
                    return self._one(name)
                case "run", [name, order, page] if order in ORDERS and page.isascii() and page.isdecimal():
                    return {"said": "", **self._questions(self._run(name), order, int(page[:9]))}
                case "compare", [first, second]:
                    return self._compared(first, second)
                case "read", [name]:
                    return {**self._nothing(), **self._stand(name), "open": name, "reading": self._failures.open(name)}
        except HopliteError as error:
            return {**self._nothing(), "said": _bad(error)}
        return {**self._nothing(), "said": _FIRST}

    def _one(self, name: str) -> Shown:
        run = self._run(name)
        assert run.summary is not None, "a run without a problem was read"
        judged = judged_with_agreement(run.folder)
        goes_on = self.batches.under_way or not run.missing or run.total is None
        line = "" if goes_on else self._leaving(asked_with(run.folder))
        return {
            **self._nothing(),
            **self._stand(name),
            "open": name,
            "head": run_page.head(run, line),
            "resume": gr.update(visible=not goes_on),
            "numbers": run_page.numbers(heading_of(run.folder), run.summary, judged) + run_page.failures(run.summary),
            **self._questions(run, "worst", 0),
        }

    def _questions(self, run: Run, order: str, page: int) -> Shown:
        ordered = rows(run, order)
        page = min(page, max(0, (len(ordered) - 1) // PAGE))
        shown_ones = read_rows(run, ordered[page * PAGE : (page + 1) * PAGE])
        return {"questions": run_page.questions(run, shown_ones, order, page, len(ordered))}

    def _compared(self, first: str, second: str) -> Shown:
        one, other = self._run(first), self._run(second)
        found = compare(one.folder, other.folder)
        return {**self._nothing(), **self._stand(first), "open": first, "numbers": run_page.compared(found)}

    def _nothing(self) -> Shown:
        return {
            "said": "",
            "head": "",
            "numbers": "",
            "questions": "",
            "resume": gr.update(visible=False),
            "reading": self._failures.close(),
        }

    def _stand(self, opened: str) -> Shown:
        return {**self._batch(), "list": run_page.listed(self._runs.all(self._desk.home().runs), opened)}

    # Downloads ----------------------------------------------------------------------------------------------------

    def page(self, key: str) -> Response:
        """Return a run's report as an HTML file."""
        try:
            run = self._keyed(key)
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "report.html"
                write(run.folder, out, trees(self.traces))
                return _attached(out.read_bytes(), f"{run.name}.html", "text/html")
        except HopliteError as error:
            return Response(str(error), 404, media_type="text/plain")

    def lines(self, key: str) -> Response:
        """Return a run's numbers as a Markdown file."""
        try:
            run = self._keyed(key)
            return _attached(markdown(run.folder).encode(), f"{run.name}.md", "text/markdown")
        except HopliteError as error:
            return Response(str(error), 404, media_type="text/plain")

    def file(self, name: str) -> Response:
        """Return a question set that was made here."""
        try:
            found = next((each for each in self.sets.glob("*.jsonl") if each.stem == name and each.is_file()), None)
            data = found.read_bytes() if found else b""
        except (HopliteError, OSError) as error:
            return Response(str(error), 404, media_type="text/plain")
        if not data:
            return Response("There is no such question set.", 404, media_type="text/plain")
        return _attached(data, f"{name}.jsonl", "application/jsonl")

    # What the desk of failures needs ------------------------------------------------------------------------------

    def run(self, name: str) -> Path:
        """Return the folder of a run. Raises UserError for none."""
        return self._run(name).folder

    @property
    def traces(self) -> Path:
        """The file of the workspace's traces."""
        return self._desk.home().traces

    @property
    def sets(self) -> Path:
        """The folder of question sets that are made here."""
        return self._desk.home().folder / KEPT

    def _run(self, name: str) -> Run:
        return self._runs.one(self._desk.home().runs, name)

    def _keyed(self, key: str) -> Run:
        return self._runs.keyed(self._desk.home().runs, key)

    def _settings(self, apart: Mapping[str, Any]) -> Settings:
        return load_settings(self._desk.home().folder, {**self._desk.chosen, **apart}).settings

    def _leaving(self, apart: Mapping[str, Any]) -> str:
        with self._desk.library() as library:
            return leaving(library, self._settings(apart))


def _attached(data: bytes, name: str, kind: str) -> Response:
    """A file that a browser keeps and does not open here."""
    about = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(data, media_type=kind, headers={"content-disposition": about})


def _bad(error: HopliteError) -> str:
    return f"<p class=bad>{markup.escaped(str(error))}</p>"
