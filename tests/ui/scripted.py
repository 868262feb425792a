"""Agents for the page that do what a test says, and a desk that hands them out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.plan import Plan
from agent.plan_edit import announced
from agent.testing import ScriptedModel
from agent.types import Answer, Answered, Clarify, Event, Planned, Searched
from ingest.errors import WorkspaceMissing
from ui.line import Lines
from ui.sources import Resolve


class Waits:
    """An agent that plans, searches, waits until it is told to go on or stopped, and answers."""

    def __init__(self, *, model: str | None = None, choices: tuple[str, ...] = (), patient: bool = True) -> None:
        self.chat = ScriptedModel([], name=model) if model else None
        self.go = threading.Event()
        self.begun = threading.Event()
        self.asked: list[tuple[str, Plan | None, bool]] = []
        self._stopped = False
        self._choices = choices
        self._patient = patient

    def clarify(self, question: str) -> Clarify | None:
        return Clarify("Which one?", self._choices) if self._choices and "(" not in question else None

    def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
        self._stopped = False
        self.asked.append((question, plan, fresh))
        yield announced(plan) if plan else Planned(f"plan for {question}")
        yield Searched(question, (), 0.1)
        self.begun.set()
        if self._patient:
            assert self.go.wait(10)
            self.go.clear()
        said = f"so far on {question}" if self._stopped else f"answer to {question}"
        yield Answered(Answer(question, said, False, stopped="stop" if self._stopped else None))

    def stop(self) -> None:
        self._stopped = True
        self.go.set()


class Desk:
    """A desk that has `make` make an agent for each question; `agents` keeps them. Without a folder nothing is kept."""

    def __init__(self, make: Callable[[], Waits] = Waits, folder: Path | None = None) -> None:
        self.agents: list[Waits] = []
        self.lines = Lines()
        self.forms: list[str] = []
        self._make = make
        self._folder = folder

    @property
    def resolve(self) -> Resolve:
        return lambda path: None

    @property
    def sessions(self) -> Path:
        if self._folder is None:
            raise WorkspaceMissing("There is no workspace.")
        return self._folder / "sessions.sqlite"

    def agent(self, form: str = "auto", collection: str = "") -> Waits:
        self.forms.append(form)
        self.agents.append(self._make())
        return self.agents[-1]

    def about(self) -> str:
        return "station: 3 documents"

    def examples(self) -> tuple[str, ...]:
        return ("What does sweep() do?",)
