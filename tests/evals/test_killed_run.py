"""A run of fifty questions by the real agent, killed at any of them and gone on with, comes to what it would have."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.loop import Agent
from agent.models import Message
from agent.testing import ScriptedModel
from agent.types import Limits
from evals.datasets import Question
from evals.run_files import answers
from evals.runner import run
from evals.types import Finished, RunAnswer
from tests.agent.fake_library import FakeLibrary

ROOT = Path(__file__).parents[2]
FILES = {f"heron{n}.md": f"# Heron {n}\nHeron{n} keeps the letters of harbour{n} in a box.\n" for n in range(50)}
QUESTIONS = [
    Question(f"q{n}", f"Who keeps the letters of harbour{n}?", (f"Heron{n}",), (f"heron{n}.md",), "bridge")
    for n in range(50)
]
MODEL = {"model": "scripted"}

CHILD = """
import os, signal, sys, pathlib
from tests.evals.test_killed_run import MODEL, QUESTIONS, answering
from evals.runner import run
def dies(number):
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
run(QUESTIONS, answering(dies), pathlib.Path(sys.argv[1]), fingerprint=MODEL, resume=True)
"""

# Says so before its first question, and then takes its time: its parent kills it whenever it likes.
SLOW_CHILD = """
import pathlib, sys, time
from tests.evals.test_killed_run import MODEL, QUESTIONS, answering
from evals.runner import Worker, run
print("ready", flush=True)
workers = [Worker(answering(lambda number: time.sleep(0.02))) for _ in range(3)]
run(QUESTIONS, workers, pathlib.Path(sys.argv[1]), fingerprint=MODEL, resume=True)
"""


def answering(asked: Callable[[int], None]) -> Callable[[Question], RunAnswer]:
    """Return what answers a question with the agent; `asked` hears of each call of the model before it is answered."""

    def answer(question: Question) -> RunAnswer:
        number = int(question.id[1:])

        def line(messages: Sequence[Message]) -> str:
            asked(number)
            return f"Heron{number} [1]"

        made = Agent(FakeLibrary(FILES), chat=ScriptedModel([line] * 3), limits=Limits(max_steps=0))
        given = made.ask(question.question)
        cited = tuple(citation.path for citation in given.citations)
        shown = tuple(passage.path for passage in given.passages)
        return RunAnswer(given.answer, given.abstained, shown, cited, {"calls": given.usage.calls})

    return answer


def timeless(out: Path) -> list[Finished]:
    return [replace(line, seconds=0.0) for line in answers(out)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run(QUESTIONS, answering(lambda number: None), out, fingerprint=MODEL).metrics["em"] == 1.0
    return out


@pytest.mark.parametrize("dies_at", [0, 1, 24, 48, 49])
def test_what_is_missing_is_asked_again_and_the_results_are_equal(tmp_path: Path, whole: Path, dies_at: int) -> None:
    out = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.run([sys.executable, "-c", CHILD, str(out), str(dies_at)], cwd=ROOT, env=environment)
    assert child.returncode == -signal.SIGKILL
    assert len(answers(out)) == dies_at
    asked: list[int] = []
    resumed = run(QUESTIONS, answering(asked.append), out, fingerprint=MODEL, resume=True)
    assert asked == list(range(dies_at, 50))
    assert (resumed.questions, resumed.errors) == (50, 0)
    assert timeless(out) == timeless(whole)


def test_a_run_of_three_workers_killed_five_times_at_random_is_the_uninterrupted_one(
    tmp_path: Path, whole: Path
) -> None:
    out, chance, lengths = tmp_path / "run", random.Random(1977), [0]
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", SLOW_CHILD, str(out)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        ) as child:  # fmt: skip
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            file, more = out / "answers.jsonl", lengths[-1] + chance.randint(300, 6_000)  # bytes
            while child.poll() is None and (not file.exists() or file.stat().st_size < more):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.03))
            child.kill()
        lengths.append(file.stat().st_size)
        assert child.returncode == -signal.SIGKILL, "it was done before it was killed: give it less to write"
    left = 50 - len(answers(out))
    asked: list[int] = []
    resumed = run(QUESTIONS, answering(asked.append), out, fingerprint=MODEL, resume=True)
    assert lengths == sorted(set(lengths))
    assert 0 < len(asked) == left
    uninterrupted = run(QUESTIONS, answering(asked.append), whole, fingerprint=MODEL, resume=True)
    assert replace(resumed, timings={}) == replace(uninterrupted, timings={})
    assert sorted(timeless(out), key=lambda line: line.id) == sorted(timeless(whole), key=lambda line: line.id)
