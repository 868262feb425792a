"""Many runs in one process, and how much memory they leave behind: `python -m tests.agent.soak FOLDER`.

Each run searches, takes a code step in a locked child of its own, writes an answer, remembers it and is traced. Prints
one JSON object: the megabytes that the process held after the first runs and after the last one.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.executor import SandboxExecutor
from agent.loop import Agent
from agent.memory import Memory
from agent.models import Message
from agent.testing import ScriptedModel
from agent.tracing import start_tracing
from agent.types import Limits
from tests.agent.fake_library import FakeLibrary

FIRST = 20
"""Runs after which everything is imported and every cache that will be is there."""

RUNS = 200
FILES = {
    f"note{n}.md": f"# Heron {n}\nHeron number {n} keeps the letters of harbour {n} in `Reed{n}`.\n"
    for n in range(RUNS + FIRST)
}


def _line(messages: Sequence[Message]) -> str:
    gathers = messages[0]["content"].startswith("You gather")
    return '```python\nsearch("letters harbour")\n```' if gathers else "Heron keeps the letters [1]"


def _megabytes() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def soak(folder: Path) -> dict[str, float]:
    tracing = start_tracing(folder / "traces.sqlite")
    made = Agent(
        FakeLibrary(FILES),
        chat=ScriptedModel([_line] * 10 * (RUNS + FIRST)),
        executor=SandboxExecutor,
        memory=Memory(folder / "memory.sqlite"),
        limits=Limits(max_steps=1),
    )
    begun = 0.0
    for run in range(FIRST + RUNS):
        if run == FIRST:
            begun = _megabytes()
        made.ask(f"For how many days does the store Reed{run} of Heron {run} preserve mail safely underground?")
    ended = _megabytes()
    tracing.close()
    return {"begun": begun, "ended": ended}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(soak(Path(sys.argv[1]))))
