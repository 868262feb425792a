"""What memory is worth, and what it must not do: `python -m evals.memory_eval`.

Thirty conversations (`evals/memory_sets.py`) are held over one workspace by two agents, with memory and without. The
model is a reader of rules, so that a run takes seconds and is the same each time: asked for an answer it gives the
value where a source in front of it says one, and asked for a step it searches for the names that it is told are new or
lacking. Retrieval, the locked child, citations and notes are the real ones.

A run's steps are its searches, its code steps, its model calls, and what it opened from memory.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from agent.build import make_agent
from agent.memory import Memory
from agent.models import FREE, Piece, Request, StreamedChat
from agent.settings import Settings
from agent.types import Answer, Answered, Event, Recalled, Remembered
from evals import metrics
from evals.memory_sets import Conversation, conversations, fillers
from evals.statistics import Difference, paired
from evals.tables import table
from retrieval.indexing import index
from retrieval.library import Library
from retrieval.workspace import Workspace, find

UNRELATED = (
    "Who painted the ceiling of the town hall?",
    "How is the proxy of the build server configured?",
    "Which author wrote the second chapter of the song book?",
    "What does a retry cost when the queue is full?",
    "Where do the winter swallows of the north rest?",
    "How many moons has Zorbal?",
)
"""Questions that no note is about."""

_SOURCE = re.compile(r"^\[(\d+)\] ", re.MULTILINE)
_NAMES = re.compile(r"(?:new names|lacking): ([^;\n]+)")
_HINT = re.compile(r"hint where to look:\n(.*?)</sources", re.DOTALL)
_MARKS = {"changed": "stale", "unindexed": "stale", "gone": "stale", "edited": "renewed", "commanded": "renewed"}


@dataclass(frozen=True, slots=True)
class Held:
    """How the later question of one conversation went, with memory and without.

    `rank` is the place of its note among those recalled, 0 for none. `marked`: whether the note was shown as it should
    be when its sources were first looked at again, by this question or one before it: stale, renewed or neither.
    `as_fact` says how an outdated value was used, "" where it was not. `right` tells whether the answer has the value
    that the sources have now, or says that they have none.
    """

    id: str
    kind: str
    rank: int
    marked: bool
    as_fact: str
    steps: tuple[int, int]
    right: tuple[bool, bool]
    seconds: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """What was measured; in pairs the first is with memory.

    `told` counts the conversations whose first question was answered, so that there is a note. `recall` and `first` are
    shares of those, less the forgotten ones, whose note was recalled, and as the best one; `marked` of those that were
    shown as they should be. `false` is the share of the questions that no note is about for which one was recalled, and
    of the forgotten notes that were. `saved` is steps without memory less steps with it, over the conversations of
    `recall`. `right` is the share of later answers that say what the sources say, `declined` that of the questions that
    no source answers to which no answer was given.
    """

    seed: int
    conversations: int
    told: int
    recall: float
    first: float
    false: float
    stale_as_fact: int
    marked: float
    steps: tuple[float, float]
    saved: Difference
    right: tuple[float, float]
    declined: tuple[float, float]
    notes: int
    seconds: float
    held: tuple[Held, ...] = field(repr=False)

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return asdict(self)


def measure(chosen: Sequence[Conversation], folder: Path, *, seed: int = 0, filler: int = 40) -> MemoryReport:
    """Hold the conversations over documents written to `folder`, which is empty, and measure them."""
    began = time.perf_counter()
    for path, text in fillers(seed, filler).items():
        _put(folder, path, text)
    for talk in chosen:
        for path, text in talk.documents.items():
            _put(folder, path, text)
    index([folder], workers=1)
    place = find(folder)
    reader = Reader({question: talk.said for talk in chosen for question in (talk.asked, talk.later)})
    notes: dict[str, int] = {}
    with _agents(place, reader) as (ask, _):
        for talk in chosen:
            notes[talk.id] = ask(talk.asked).noted
    memory = Memory(place.memory)
    for talk in chosen:
        if talk.kind == "forgotten":
            memory.forget(notes[talk.id])
    held = []
    marks: dict[int, str] = {}
    for unindexed in (True, False):
        now = [talk for talk in chosen if (talk.kind == "unindexed") == unindexed]
        _edit(now, folder)
        if not unindexed:
            index([folder], workers=1)
        with _agents(place, reader) as (ask, without):
            for talk in now:
                on, off = ask(talk.later), without(talk.later)
                marks |= on.marks
                held.append(_compared(talk, notes[talk.id], on, off, marks))
    with _agents(place, reader) as (ask, without):
        strange = [bool(ask(question).memory.notes) for question in UNRELATED]
        others = [(ask(talk.other).answer.abstained, without(talk.other).answer.abstained) for talk in chosen]
    there = [h for h in held if h.kind != "forgotten" and notes[h.id]]
    false = [*strange, *(h.rank > 0 for h in held if h.kind == "forgotten")]
    return MemoryReport(
        seed=seed,
        conversations=len(held),
        told=sum(note > 0 for note in notes.values()),
        recall=metrics.mean([float(h.rank > 0) for h in there]),
        first=metrics.mean([float(h.rank == 1) for h in there]),
        false=metrics.mean([float(f) for f in false]),
        stale_as_fact=sum(bool(h.as_fact) for h in held),
        marked=metrics.mean([float(h.marked) for h in there]),
        steps=_both([h.steps for h in there]),
        saved=paired([float(h.steps[1]) for h in there], [float(h.steps[0]) for h in there]),
        right=_both([h.right for h in held]),
        declined=_both(others),
        notes=len(memory.notes(1000)),
        seconds=time.perf_counter() - began,
        held=tuple(held),
    )


def _compared(talk: Conversation, note: int, on: Asked, off: Asked, marks: Mapping[int, str]) -> Held:
    ids = [each.id for each in on.memory.notes]
    return Held(
        talk.id,
        talk.kind,
        ids.index(note) + 1 if note in ids else 0,
        note not in ids or marks.get(note, "") == _MARKS.get(talk.kind, ""),
        _as_fact(talk, note, on),
        (on.steps, off.steps),
        (_right(talk, on.answer), _right(talk, off.answer)),
        (on.seconds, off.seconds),
    )


def _as_fact(talk: Conversation, note: int, asked: Asked) -> str:
    """How a value that no source holds any more was used: in the answer, in what a model was told from memory, or in
    what the note still says; "" where it was not."""
    for value in talk.outdated:
        if value in asked.answer.answer:
            return "answer"
        if any(value in hint for hint in asked.hints):
            return "hint"
        if any(value in fact.text for each in asked.memory.notes if each.id == note for fact in each.facts):
            return "note"
    return ""


def _right(talk: Conversation, answer: Answer) -> bool:
    if not talk.now:
        return answer.abstained
    accepted = talk.said.values() if talk.kind == "contradicted" else [talk.now]  # there both sources stand
    return not answer.abstained and any(value in answer.answer for value in accepted)


# One question ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """One run: its answer, what it recalled, what a model was told from that, the id of the note it left or 0."""

    answer: Answer
    memory: Recalled
    hints: tuple[str, ...]
    noted: int
    seconds: float

    @property
    def marks(self) -> dict[int, str]:
        """What was shown of each note that is not as it was."""
        return dict.fromkeys(self.memory.renewed, "renewed") | dict.fromkeys(self.memory.stale, "stale")

    @property
    def steps(self) -> int:
        """Searches, code steps, what was opened from memory, and model calls."""
        return len(self.answer.steps) + self.answer.usage.calls


class Reader:
    """A model of rules. `tells` maps each question to the sentences that answer it, each with its value; `hints` are
    what it was told from memory, as it was told it."""

    def __init__(self, tells: Mapping[str, Mapping[str, str]]) -> None:
        self._tells = tells
        self.hints: list[str] = []
        self.chat = StreamedChat("reader", self._stream, pricing=lambda: FREE)

    def _stream(self, request: Request) -> Generator[Piece, None, None]:
        told = request.messages[-1]["content"]
        self.hints += _HINT.findall(told)
        text = self._answer(told) if told.endswith("Answer:") else _step(told)
        yield Piece(text)
        yield Piece(
            input_tokens=sum(len(m["content"].split()) for m in request.messages), output_tokens=len(text.split())
        )

    def _answer(self, prompt: str) -> str:
        sources, _, question = prompt.rpartition("Question:")
        tells = self._tells.get(question.removesuffix("Answer:").strip(), {})
        labels = [(found.start(), found[1]) for found in _SOURCE.finditer(sources)]
        places = sorted((at, value) for line, value in tells.items() if (at := sources.find(line)) >= 0)
        for at, value in places:
            return f"{value} [{[label for start, label in labels if start < at][-1]}]"
        return "The sources do not say."


def _step(told: str) -> str:
    """Search for each name that is said to be new or lacking."""
    names = [name for found in _NAMES.findall(told)[-2:] for name in found.split(", ") if name != "nothing"]
    return f"```python\nsearch({json.dumps(names[:3])})\n```" if names else "```python\nfinal_answer('')\n```"


Ask = Callable[[str], Asked]


@contextmanager
def _agents(place: Workspace, reader: Reader) -> Iterator[tuple[Ask, Ask]]:
    """Open the workspace, and yield what asks with memory and what asks without."""
    with Library(place) as library:

        def asking(memory: bool) -> Ask:
            settings = Settings.model_validate({"model": "none", "memory": memory, "cache": False})
            agent = make_agent(library, settings, workspace=place, chat=reader.chat)
            return lambda question: _asked(list(agent.stream(question)), reader)

        yield asking(True), asking(False)


def _asked(events: Sequence[Event], reader: Reader) -> Asked:
    [recalled] = [event for event in events if isinstance(event, Recalled)]
    [answered] = [event for event in events if isinstance(event, Answered)]
    noted = [event.note for event in events if isinstance(event, Remembered) and event.note]
    hints, reader.hints = tuple(reader.hints), []
    return Asked(answered.answer, recalled, hints, noted[0].id if noted else 0, answered.answer.timings["total"])


# Files and figures ----------------------------------------------------------------------------------------------------


def _edit(chosen: Sequence[Conversation], folder: Path) -> None:
    for path, text in (pair for talk in chosen for pair in talk.then.items()):
        if text is None:
            (folder / path).unlink()
        else:
            _put(folder, path, text)


def _put(folder: Path, path: str, text: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text, encoding="utf-8")


def _both(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    with_it, without = zip(*pairs, strict=True)
    return metrics.mean(with_it), metrics.mean(without)


def memory_table(report: MemoryReport) -> str:
    """One line for each thing that may happen between the questions, then all together."""
    rows = [["between", "held", "recalled", "first", "marked", "as fact", "steps", "without", "right", "without"]]
    kinds = Counter(h.kind for h in report.held)
    for kind in (*kinds, ""):
        held = [h for h in report.held if kind in ("", h.kind)]
        steps, right = _both([h.steps for h in held]), _both([h.right for h in held])
        rows.append(
            [
                kind or "all", str(len(held)), str(sum(h.rank > 0 for h in held)), str(sum(h.rank == 1 for h in held)),
                str(sum(h.marked for h in held)), str(sum(bool(h.as_fact) for h in held)),
                f"{steps[0]:.2f}", f"{steps[1]:.2f}", f"{right[0]:.2f}", f"{right[1]:.2f}",
            ]
        )  # fmt: skip
    saved = report.saved
    return "\n".join(
        [
            *table(rows),
            f"recall of the right note {report.recall:.3f}, first {report.first:.3f}; "
            f"recalled where none is right {report.false:.3f}; stale notes as a fact {report.stale_as_fact}",
            f"steps saved by memory {saved.mean:.2f}, 95 % {saved.low:.2f} to {saved.high:.2f}; what no source says, "
            f"declined {report.declined[0]:.2f} and without memory {report.declined[1]:.2f}",
            f"seed {report.seed}, {report.conversations} conversations, {report.told} told, {report.notes} notes, "
            f"{report.seconds:.0f} s",
        ]
    )


@click.command()
@click.option("--seed", default=0, show_default=True, help="What the documents and their fates are drawn by.")
@click.option("--limit", type=click.IntRange(1), help="Only so many conversations.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the figures there, as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def main(seed: int, limit: int | None, out: Path | None, as_json: bool) -> None:
    """Measure what memory is worth over conversations with small invented documents."""
    with tempfile.TemporaryDirectory() as folder:
        report = measure(conversations(seed)[:limit], Path(folder), seed=seed)
    shown = json.dumps(report.as_json(), indent=1)
    if out:
        out.write_text(f"{shown}\n", encoding="utf-8")
    click.echo(shown if as_json else memory_table(report))


if __name__ == "__main__":
    main()
