"""Runs in processes of their own, to be killed: `python tests/agent/killed_run.py FOLDER`.

Each line on standard input is a run: `[NAME, DIES]`. NAME resumes that run, "" asks; with DIES the process kills itself
when it has written so many bytes to the journal, in the middle of a line as a rule. The process of a run is forked, so
that a killed one costs no imports. It says "noted" and its id once something is in the journal; what it asks of others
goes to `FOLDER.log` as it begins and ends, the answer to `FOLDER.answer`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent import build, code_steps, journal, journal_file, journals, loop, span_export  # noqa: F401  for all forks
from agent.executor import SandboxExecutor
from agent.journaled import Places, Ran
from agent.memory import Recollection
from agent.models import Completion, Message
from agent.settings import Settings
from agent.testing import ScriptedModel
from agent.tracing import start_tracing
from agent.types import Answered
from retrieval.types import Passage, SearchResult
from retrieval.workspace import find
from tests.ui import station

QUESTION = "For how many days does the store that the heron guide names preserve letters of unpaid harbour lodgers?"
STEPS = (
    'search(["reed cupboard letters", "lodgers who owe"])\nread("notes/tides.md", 1, 3)',
    'grep("LODGERS")\nsymbols("Cupboard")\nlist_files("*.py")',
)
PAUSE = 0.005  # seconds that whatever is asked takes


class Log:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    @contextmanager
    def doing(self, *what: Any) -> Iterator[None]:
        self._say("begun", what)
        time.sleep(PAUSE)
        yield
        self._say("ended", what)

    def _say(self, state: str, what: Sequence[Any]) -> None:
        os.write(self._file, f"{json.dumps([state, os.getpid(), json.dumps(what, default=str)])}\n".encode())


class Logged:
    """A library whose searches and look-ups are logged."""

    def __init__(self, library: Any, log: Log) -> None:
        self._library = library
        self._log = log

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._library, name)
        if name not in ("search", "leads", "passages", "read", "grep", "symbols", "callers", "chunk_with"):
            return real

        def call(*args: Any, **options: Any) -> Any:
            asked = [getattr(arg, "query", arg) if isinstance(arg, str | int) else type(arg).__name__ for arg in args]
            with self._log.doing(name, asked, options):
                return real(*args, **options)

        return call


class LoggedExecutor(SandboxExecutor):
    log: Log

    def __call__(self, code_action: str) -> Any:
        with self.log.doing("code", code_action):
            return super().__call__(code_action)


class Talking(ScriptedModel):
    """Says by the conversation what a run of two code steps needs, a word at a time."""

    def __init__(self, log: Log) -> None:
        super().__init__([self._line] * 99)
        self._log = log

    def complete(self, messages: Sequence[Message], **options: Any) -> Any:
        asked = re.sub(r"sources [0-9a-f]{8}", "sources", json.dumps(messages))
        with self._log.doing("model", asked):
            return super().complete(messages, **options)

    def _line(self, messages: Sequence[Message]) -> str:
        time.sleep(PAUSE)
        if "Write one short Python block" in messages[0]["content"]:
            return f"```python\n{STEPS[sum(m['role'] == 'assistant' for m in messages)]}\n```"
        told = messages[-1]["content"]
        label = re.search(r"\[(\d+)\][^\[]*LODGERS_KEEP = 41", told)
        return f"41 [{label[1]}]" if label else "The sources do not say."


def run(folder: Path, named: str, dies: int | None) -> None:
    log = Log(folder.with_suffix(".log"))
    _watch_writes(dies)
    LoggedExecutor.log = log
    build._executor = lambda sandbox: LoggedExecutor(level=sandbox.level)  # type: ignore[assignment]
    with build.open_library(find(folder)) as library:
        tracing = start_tracing(library.workspace.traces)
        settings = Settings(cache=False, breadth=2)
        agent = build.make_agent(
            Logged(library, log),  # type: ignore[arg-type]
            settings,
            workspace=library.workspace,
            chat=Talking(log),
        )
        events = agent.resume(build.journals(library.workspace).open(named)) if named else agent.stream(QUESTION)
        [answer] = [event.answer for event in list(events) if isinstance(event, Answered)]
        tracing.close()
    told = asdict(answer) | {"bytes": _written}
    folder.with_suffix(".answer").write_text(json.dumps(told))


_written = 0


def _watch_writes(dies: int | None) -> None:
    """Say when the journal has its first records, and die in the middle of a write."""
    real: Callable[[int, bytes], None] = journal_file._write
    noted: list[bool] = []

    def write(file: int, line: bytes) -> None:
        global _written
        if dies is not None and _written + len(line) > dies:
            real(file, line[: dies - _written])
            os.kill(os.getpid(), signal.SIGKILL)
        real(file, line)
        if b'"did"' in line and b'"head"' not in line and not noted:
            noted.append(True)
            _say(f"noted {os.getpid()}")
        _written += len(line)

    journal_file._write = write  # type: ignore[assignment]


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _in_a_child(work: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, state = os.waitpid(child, 0)
    _say(f"over {os.waitstatus_to_exitcode(state)}")


if __name__ == "__main__":
    station.without_weights(pytest.MonkeyPatch())
    build._tested("auto")  # once, for all that are forked
    for form in (SearchResult, list[Passage], Passage, Completion, Recollection, Ran, Places):
        journal._adapter(form)
    _say("ready")
    for asked in sys.stdin:
        _in_a_child(partial(run, Path(sys.argv[1]), *json.loads(asked)))
