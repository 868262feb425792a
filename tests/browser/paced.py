"""Serves the chat over the folder named on the command line with an agent that keeps to a pace, for what is measured.

A question with "steps" in it takes six steps, each with the time at which it happened in its text; one with "slowly"
writes a word every 50 ms until it is stopped; one with "unclear" is asked back.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from agent.plan import Plan
from agent.plan_edit import announced
from agent.testing import ScriptedModel
from agent.types import Answer, Answered, AnswerToken, Citation, Clarify, Event, Planned, Searched, Usage
from ingest.load import load
from retrieval.types import Passage
from tests.ui import station
from ui import app
from ui.access import access
from ui.line import Lines
from ui.sources import Resolve

QUOTE = "HERON_RETENTION = 45"
FOUND = Passage(
    "1", "src/settings.py", "src/settings.py", 3, 3, QUOTE, QUOTE, ("hop: HERON_RETENTION",), 1.0, ("Heron Rock",)
)
CITED = Citation("1", "src/settings.py", 3, 3, QUOTE, True)


class Paced:
    """One question, answered at a pace of its own."""

    def __init__(self, name: str | None) -> None:
        self.chat = ScriptedModel([], name=name) if name else None
        self._stopped = False

    def clarify(self, question: str) -> Clarify | None:
        unclear = "unclear" in question and "(" not in question
        return Clarify("Which one is meant?", ("a.py:one", "b.py:one")) if unclear else None

    def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
        yield announced(plan) if plan else Planned("look it up")
        for _ in range(6 if "steps" in question else 1):
            time.sleep(0.2)
            yield Searched(f"at {time.time() * 1000:.0f}.", (FOUND,), 0.2)
        for number in range(400 if "slowly" in question else 3):
            if self._stopped:
                break
            time.sleep(0.05)
            yield AnswerToken(f"word{number} ")
        stopped = "stop" if self._stopped else None
        said = f"The retention is 45 days [1]. Asked: {question}"
        yield Answered(
            Answer(question, said, False, (CITED,), passages=(FOUND,), stopped=stopped, usage=Usage(1, 10, 0, 5))
        )

    def stop(self) -> None:
        self._stopped = True


class Desk:
    """What the chat needs, over a folder that is not indexed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lines = Lines()

    @property
    def resolve(self) -> Resolve:
        return lambda path: load(self._folder / path, path)

    @property
    def workspace(self) -> None:
        """There is none."""

    @property
    def sessions(self) -> Path:
        return self._folder / "sessions.sqlite"

    def agent(self, form: str = "auto", collection: str = "") -> Paced:
        return Paced(None)

    def about(self) -> str:
        return "station: 3 documents"

    def examples(self) -> tuple[str, ...]:
        return ("What does sweep() do?",)


def main(folder: Path) -> None:
    """Print the address when the page can be reached."""
    from ui.views.chat import ChatView

    desk = Desk(station.write(folder))
    app.views = lambda desk: (ChatView(desk),)  # type: ignore[assignment,arg-type]
    who = access("127.0.0.1", (), None, {})
    app.serve(desk, access=who, port=0, on_ready=click.echo)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
