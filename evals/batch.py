"""Asking a question set of the agent: the workers that answer it, and all that their answers depend on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from agent.build import GONE_BY, limits, make_agent, on_this_machine, way_out
from agent.loop import Agent
from agent.models import make_chat
from agent.settings import Settings
from evals.agent_answers import run_answer
from evals.baselines import one_call
from evals.datasets import Question
from evals.fingerprint import fingerprint
from evals.run_asked import Conduct
from evals.run_files import read_run
from evals.run_report import RunReport
from evals.runner import Progress, Worker, run
from evals.scoring import Similar
from evals.similarity import similarity
from evals.types import RunAnswer
from ingest.errors import UserError
from retrieval.library import Library

SIDE_BY_SIDE = 4
"""Workers, unless told otherwise, where the models are elsewhere. A model on this machine takes one question at a
time, and so does a memory, in which one question finds what another left."""

BASELINE = "one call"

Turn = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What answers questions, one worker at a time each, and what the answers depend on."""

    workers: Sequence[Worker]
    fingerprint: Mapping[str, str]
    similar: Similar | None

    def ask(
        self,
        questions: Sequence[Question],
        folder: Path,
        *,
        name: str = "",
        resume: bool = False,
        conduct: Conduct | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> RunReport:
        """Ask the questions that the folder has no answer to yet. See `evals.runner.run`."""
        return run(
            questions,
            self.workers,
            folder,
            fingerprint=self.fingerprint,
            name=name,
            resume=resume,
            conduct=conduct,
            similar=self.similar,
            on_progress=on_progress,
            stop=stop,
        )


def make_batch(
    library: Library,
    settings: Settings,
    *,
    names: Mapping[str, str] | None = None,
    workers: int | None = None,
    baseline: bool = False,
    say: Callable[[str], None] = lambda line: None,
    turn: Turn = nullcontext,
) -> Batch:
    """Return what asks the library by these settings, whose `memory` says whether runs recall and note.

    `names` are the records that shown paths stand for, where they are not their own names; `baseline` is one call over
    the five best passages. `say` gets each line once that a person should read; `turn` is what each question waits for.
    """
    one_by_one = settings.memory or on_this_machine(settings)
    count = workers or (1 if one_by_one else SIDE_BY_SIDE)
    make = _one_calls if baseline else _agents
    answering, sandbox = make(library, names or {}, settings, count, _once(say))
    compared, similar = similarity()
    made = fingerprint(library, settings, sandbox=sandbox, with_memory=settings.memory, similarity=compared)
    return Batch(
        [replace(each, turn=turn) for each in answering],
        made | ({"baseline": BASELINE} if baseline else {}),
        similar,
    )


def new_folder(runs: Path) -> Path:
    """Return the folder of a run that begins now; one that is not there yet."""
    named = runs / time.strftime("%Y%m%d-%H%M%S")
    while named.exists():  # another began in this second
        time.sleep(0.1)
        named = runs / time.strftime("%Y%m%d-%H%M%S")
    return named


def asked_with(folder: Path) -> dict[str, object]:
    """Return the settings that a run was begun with and is resumed with. What protects, such as the sandbox, is not
    among them: it is as it is set now. Raises UserError where the folder holds no run, or does not say."""
    made = read_run(folder).fingerprint
    try:
        found = json.loads(made.get("settings", ""))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{folder} does not say what it was asked with, so that nothing can go on with it. Begin anew.")
    chosen = {name: found[name] for name in GONE_BY if name in found}
    return {**chosen, "memory": made.get("with_memory") == "yes", "cache": False}


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    said: set[str] = set()

    def told(line: str) -> None:
        if line not in said:
            say(line)
        said.add(line)

    return told


def _agents(
    library: Library, names: Mapping[str, str], settings: Settings, count: int, say: Callable[[str], None]
) -> tuple[list[Worker], str]:
    """So many agents, each a worker, and the level at which their code runs."""

    def worker(agent: Agent) -> Worker:
        return Worker(lambda question: run_answer(agent.ask(question.question), names), agent.stop)

    # Without a memory nothing is kept of a question but its line: no journal either, which it would have to wait for.
    workspace = library.workspace if settings.memory else None
    agents = [make_agent(library, settings, workspace=workspace, say=say) for _ in range(count)]
    return [worker(agent) for agent in agents], agents[0].sandbox


def _one_calls(
    library: Library, names: Mapping[str, str], settings: Settings, count: int, say: Callable[[str], None]
) -> tuple[list[Worker], str]:
    """The baseline of `_agents`: the model in one call."""
    profile = limits(settings).profile

    def worker() -> Worker:
        chat = make_chat(settings.model, say=say, outgoing=way_out(settings, library))

        def answer(question: Question) -> RunAnswer:
            given = one_call(library, chat, question, profile=profile)
            return replace(given, shown=tuple(dict.fromkeys(names.get(path, path) for path in given.shown)))

        return Worker(answer)

    return [worker() for _ in range(count)], "no code"
