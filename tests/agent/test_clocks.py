"""The wall clock may jump: limits are kept by clocks that do not, and only what a person reads has its time."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from fake_library import FakeLibrary

from agent.budget import Budget
from agent.executor import SandboxExecutor
from agent.loop import Agent
from agent.models import Completion, Message
from agent.retries import seconds_asked
from agent.testing import ScriptedModel
from agent.types import Limits
from ingest.locked.clock import Limits as StepLimits
from retrieval.workspace import Lock, WorkspaceBusy, create

ROOT = Path(__file__).parents[2]
FILES = {"heron.md": "# Heron\nHeron keeps the letters of the harbour office in `ReedStore`.\n"}
QUESTION = "For how many days does the store of Heron preserve mail safely underground?"

WALL = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "date.today",
}
STAMPS = {
    "agent/answer_cache.py": "when an answer was first given, and that it is a month old",
    "agent/code_steps.py": "a field of smolagents' that nobody reads",
    "agent/journals.py": "when a run began, and which journals are too old to be kept",
    "agent/memory.py": "when a note was made, and how old it is",
    "agent/retries.py": "how far away the date in a Retry-After header is",
    "agent/scores.py": "when a score was given, and which are too old to be kept",
    "agent/trace_file.py": "which traces are too old to be kept",
    "agent/trace_stats.py": "which traces are of the last days",
    "agent/tracing.py": "when an answer was rated",
    "evals/benchmark_results.py": "on which day something was measured",
    "evals/report.py": "when a run ended, in the reader's time zone",
    "ingest/pipeline.py": "when a span of a trace began",
    "ingest/reading.py": "when a span of a trace began",
    "retrieval/indexing.py": "when a span of a trace began",
    "retrieval/manifest.py": "when a document was indexed",
    "retrieval/server_link.py": "how far away the date in a Retry-After header is",
    "retrieval/sources.py": "when something was fetched",
    "ui/commands/trace.py": "when a trace began, in the reader's time zone",
    "ui/run_list.py": "when a run ended, in the reader's time zone",
    "ui/sessions.py": "when a conversation was last added to",
    "ui/traced.py": "when a trace began, in the reader's time zone",
    "ui/uploads.py": "which uploads nobody took and are too old to be kept",
}
"""Where the wall clock is read, and for what. None of it is a limit."""


def readers() -> Iterator[str]:
    for floor in ("ingest", "retrieval", "agent", "evals", "ui"):
        for path in sorted((ROOT / floor).rglob("*.py")):
            tree = ast.parse(path.read_text() if any(name in path.read_text() for name in WALL) else "")
            names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            if names & WALL:
                yield path.relative_to(ROOT).as_posix()


def test_the_wall_clock_is_read_for_stamps_alone() -> None:
    assert sorted(readers()) == sorted(STAMPS)


@pytest.fixture(params=[86_400.0, -86_400.0], ids=["on by a day", "back by a day"])
def jumping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock moves by a day each time it is looked at."""
    jumps, now, now_ns = count(1), time.time(), time.time_ns()
    monkeypatch.setattr(time, "time", lambda: now + request.param * next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: now_ns + int(request.param * 1e9) * next(jumps))


@pytest.mark.usefixtures("jumping")
def test_a_run_neither_ends_early_nor_lasts_longer_when_the_clock_jumps() -> None:
    script = ["```python\nwhile True: pass\n```", '```python\nsearch("heron letters")\n```']

    def line(messages: Sequence[Message]) -> str:
        return script.pop(0) if messages[0]["content"].startswith("You gather") else "Heron keeps the letters [1]"

    made = Agent(
        FakeLibrary(FILES),
        chat=ScriptedModel([line] * 9),
        executor=lambda: SandboxExecutor(limits=StepLimits(cpu_seconds=0.3, wall_seconds=3)),
        limits=Limits(breadth=1, max_steps=2, max_seconds=20),
    )
    began = time.monotonic()
    answer = made.ask(QUESTION)
    assert time.monotonic() - began < 10
    assert (answer.stopped, answer.abstained) == (None, False)
    assert [bool(step.error) for step in answer.steps if step.kind == "code"] == [True, False]
    assert all(0 <= seconds < 10 for seconds in answer.timings.values())


class Silent:
    """A model that says nothing until it is let go."""

    name, price = "silent", None

    def __init__(self) -> None:
        self.over = threading.Event()

    def complete(self, *_: object, **__: object) -> Completion:
        self.over.wait(10)
        return Completion("", 0, 0, 0, 0.0, 0.0)


@pytest.mark.usefixtures("jumping")
def test_the_cap_on_seconds_holds_when_the_clock_jumps() -> None:
    model, began = Silent(), time.monotonic()
    answer = Agent(FakeLibrary(FILES), chat=model, limits=Limits(max_seconds=0.4, max_steps=0)).ask(QUESTION)
    model.over.set()
    assert answer.stopped == "seconds"
    assert 0.4 <= time.monotonic() - began < 5


@pytest.mark.usefixtures("jumping")
def test_a_lock_is_waited_for_as_long_as_was_said_when_the_clock_jumps(tmp_path: Path) -> None:
    workspace = create(tmp_path / ".hoplite", tmp_path)
    with Lock(workspace):
        began = time.monotonic()
        with pytest.raises(WorkspaceBusy):
            Lock(workspace, wait=0.2)
        assert 0.2 <= time.monotonic() - began < 3


@pytest.mark.usefixtures("jumping")
def test_a_budget_counts_real_seconds_when_the_clock_jumps() -> None:
    budget = Budget(60)
    time.time()
    assert budget.spent is None
    assert 59 < budget.left <= 60


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "Pacific/Auckland"])
def test_a_date_to_come_back_at_is_the_same_in_every_time_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        soon = datetime.now(UTC) + timedelta(seconds=30)
        asked = seconds_asked(soon.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert asked is not None
    assert 28 <= asked <= 30
