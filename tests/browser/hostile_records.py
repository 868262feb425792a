"""What a workspace holds beside its index, written so that each of its texts is a trick: spans, scores, notes, runs.

Everything is written as the program itself writes it, but past the checks by which a text would be dropped or cut
before: a workspace, a trace file or a run's folder may come from somebody else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

from agent import scores, trace_file
from agent.note_file import NoteFile
from agent.scores import Score
from agent.trace_rollup import SpanRow
from agent.types import Citation, Fact, Note, Past
from evals.agreement import LABELS, Label
from evals.coding import MODES, NOTES, ModeLabel
from evals.coding import Note as Reading
from evals.judge import FILE, RUBRICS, Verdict
from evals.line_file import append
from evals.types import Cited, Shown
from retrieval.manifest import Manifest
from retrieval.types import Source
from retrieval.workspace import Workspace
from tests.browser.tricks import file_name, mark, tricks
from tests.evals.made_run import finished, write_run
from ui.question_sets import KEPT

TRACE = f"3{0:031x}"
"""The trace that has every trick."""

RUN, OTHER = "hostile", "hostile-again"
"""The run that has every trick, and one over the same questions to compare it with."""


def write_all(workspace: Workspace, port: int) -> None:
    """Write all of it."""
    said = marked(port)
    write_sources(workspace.manifest, said)
    write_traces(workspace.traces, said)
    write_notes(workspace.memory, said)
    write_runs(workspace, said, port)


def marked(port: int) -> dict[str, str]:
    """Return every trick by its name, with the word before it by which it is found on the page."""
    return {name: f"{mark(name)} {text}" for name, text in tricks(port).items()}


def write_sources(path: Path, said: Mapping[str, str]) -> None:
    """Say of paths that they were read from addresses that are tricks."""
    kinds: tuple[Literal["git", "web"], ...] = ("git", "web")
    read = "2026-01-01T00:00:00+00:00"
    made = [
        Source(f"{kind} {text}", kind, text, f"{kind} {text}", read, text, text)
        for kind in kinds
        for text in said.values()
    ]
    with closing(Manifest(path)) as manifest:
        manifest.note_sources(made)


# Traces ---------------------------------------------------------------------------------------------------------------


def write_traces(path: Path, said: Mapping[str, str]) -> None:
    """Write a failed trace and one that was stopped for each trick, and the newest with a span for each."""
    texts = list(said.values())
    now = time.time_ns()
    rows = []
    for number, text in enumerate(texts):
        for kind, begun in ((1, now - 2 * 10**9), (2, now - 3 * 10**9)):
            about = {"gen_ai.operation.name": "invoke_agent", "input.value": text, "hoplite.stopped": text}
            failed = ("ERROR", text) if kind == 1 else ("OK", "")
            rows.append(_span(f"{kind}{number:031x}", 0, text, begun, failed, about))
    asked = {"gen_ai.operation.name": "invoke_agent", "input.value": " ".join(texts)}
    rows.append(_span(TRACE, 0, texts[0], now, ("ERROR", " ".join(texts)), asked))
    for number, text in enumerate(texts, start=1):
        about = {text: text, "list": [text], "openinference.span.kind": text}
        rows.append(_span(TRACE, number, text, now + number, ("ERROR", text), about))
    with closing(trace_file.open_for_writing(path)) as connection:
        trace_file.insert(connection, rows)
    scores.keep(path, [Score(TRACE, text, 0.0, text, time.time()) for text in texts])


def _span(
    trace: str, number: int, name: str, begun: int, ended: tuple[str, str], about: Mapping[str, object]
) -> SpanRow:
    parent = f"{0:016x}" if number else None
    events = [{"name": name, "attributes": {name: name}}]
    return SpanRow(trace, f"{number:016x}", parent, name, name, name, begun, begun + 10**9, *ended, about, events)


# Notes ----------------------------------------------------------------------------------------------------------------


def write_notes(path: Path, said: Mapping[str, str]) -> None:
    """Write a note for each trick, and the newest with all of them as its facts, its other questions and its past."""
    now = time.time()
    texts = tuple(said.values())
    facts = tuple(Fact(text, (Citation("1", f"{text}.md", 1, 2, text, verified=True),)) for text in texts)
    past = tuple(Past(fact, now, now, text) for fact, text in zip(facts, texts, strict=True))
    notes = [
        Note(0, text, (fact,), (text,), {text: text}, now - 60, now - 60)
        for text, fact in zip(texts, facts, strict=True)
    ]
    notes.append(Note(0, " ".join(texts), facts, texts, dict.fromkeys(texts, ""), now, now, also=texts, history=past))
    NoteFile(path).change(lambda held: notes, 1)


# Runs -----------------------------------------------------------------------------------------------------------------


def write_runs(workspace: Workspace, said: Mapping[str, str], port: int) -> None:
    """Write two runs whose every text is a trick, a run and a question set named with each, and damaged runs, too."""
    (workspace.folder / KEPT).mkdir()
    for number, (name, text) in enumerate(said.items()):
        called = f"{mark(name)} {file_name(name, number, port)}"  # the list shows the beginning of a name
        write_run(workspace.runs / called, [finished("q", question=text)], model=text)
        damaged = write_run(workspace.runs / f"damaged {called}", [finished("q")])
        (damaged / "run.json").write_text(json.dumps({"run": text, "fingerprint": {text: 1}, text: text}))
        (workspace.folder / KEPT / f"{called}.jsonl").write_text(json.dumps({"question": text}) + "\n")
    for folder, right in ((workspace.runs / OTHER, 0.0), (workspace.runs / RUN, 1.0)):
        _write_run(folder, said, right)


def _write_run(folder: Path, said: Mapping[str, str], right: float) -> None:
    texts = list(said.values())
    every = "\n\n".join(texts)
    cited = tuple(Cited(text, text, 1, 2, text, verified=True) for text in texts)
    shown = tuple(Shown(text, text, 1, 2, text) for text in texts)
    answered = [
        finished(
            text, question=text, answer=every if right else f"{text} {every}"[:4_000], shown=tuple(texts),
            cited=tuple(texts), usage=dict.fromkeys(texts, 1.0), trace_id=text, note=every, type=text,
            scores={"f1": (right + number) % 2, "em": (right + number) % 2, **dict.fromkeys(texts, 0.5)},
            tags=tuple(texts), answers=tuple(texts), supporting=tuple(texts), citations=cited, passages=shown,
            places=tuple(texts),
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip
    failed = [
        finished(f"failed {text}", question=text, answer="", scores={}, error=text, type=text, tags=(text,))
        for text in texts
    ]
    write_run(folder, [*answered, *failed])
    (folder / "run.json").write_text(json.dumps({"run": folder.name, "fingerprint": said}))
    for rubric in RUBRICS:
        append(
            folder / FILE,
            *(Verdict(id=each, rubric=rubric, verdict="fail", reason=every, judge=every, prompt="1") for each in texts),
        )
    append(folder / LABELS, *(Label(id=text, rubric="correct", label="fail") for text in texts))
    append(folder / NOTES, *(Reading(id=text, note=every[:4_000], pick="random") for text in texts))
    # Of an answer without a note, so that the notes are still to be sorted.
    append(folder / MODES, *(ModeLabel(id=failed[0].id, mode=text[:80], has=True) for text in texts))
