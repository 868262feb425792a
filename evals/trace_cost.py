"""What tracing costs: `python -m evals.trace_cost WORKSPACE`.

Questions of the shipped set are searched for, and answered with a scripted model that writes two code steps, each with
tracing and without, in one process, because two processes that do the same differ by several per cent. Which comes
first changes from pair to pair. The first pair of a question is thrown away: it fills the caches that the others then
have. What is told is the median of the paired differences beside the median without tracing: of the wall clock, and of
the processor's time of the thread that works and of the writing. The processor's time of the whole process would say
little, because onnxruntime's threads spin on for a while after their work. On a machine with other work the differences
scatter by more than they are; so the spans of the last one are opened and written alone, too.

Then so many runs as asked for are stored, and `hoplite trace list` is timed as a process of its own.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from statistics import median

import click
from opentelemetry import trace

from agent import trace_file
from agent.build import make_agent, open_library
from agent.models import Message
from agent.settings import load_settings
from agent.testing import ScriptedModel
from agent.trace_rollup import SpanRow
from agent.tracing import Tracing, reading, spans_of, start_tracing, traces
from evals.datasets import load_questions
from retrieval.workspace import create, find

AGAIN = 50
STEPS = ("search(['settings', 'store'])\nsymbols('Store')", "grep('def ')\nlist_files('*')")


def speaking(messages: Sequence[Message]) -> str:
    """A reply that goes on in code while it is asked for steps, and else an answer."""
    if not messages[0]["content"].startswith("You gather"):
        return "It is settings.py [1]"
    done = sum(message["role"] == "assistant" for message in messages)
    return f"```python\n{STEPS[min(done, len(STEPS) - 1)]}\n```"


@dataclass(frozen=True, slots=True)
class Took:
    """What one thing took, in seconds: of the clock, and of the processor in the thread that did it and in writing."""

    wall: float
    processor: float


class Switch:
    """Turns tracing off as if it had never been started, which OpenTelemetry has no word for."""

    def __init__(self) -> None:
        """Call it once every tracer was used."""
        proxies = [each for each in gc.get_objects() if isinstance(each, trace.ProxyTracer)]
        self._tracers = [(each, each._real_tracer) for each in proxies]
        self._provider = trace._TRACER_PROVIDER

    def turn(self, on: bool) -> None:
        """Turn it on or off."""
        trace._TRACER_PROVIDER = self._provider if on else None
        for proxy, tracer in self._tracers:
            proxy._real_tracer = tracer if on else None


def took(work: Callable[[], object], tracing: Tracing | None) -> Took:
    """Do it, and then have the spans written, which is not what its caller waits for."""
    began, before = time.perf_counter(), time.thread_time()
    work()
    wall = time.perf_counter() - began
    if tracing:
        tracing.flush()
    return Took(wall, time.thread_time() - before)


def paired(work: Callable[[], object], tracing: Tracing, pairs: int) -> list[tuple[Took, Took]]:
    """Return what it took without tracing and with it, of each pair but the first."""
    took(work, tracing)
    switch = Switch()
    found = []
    for number in range(pairs):
        first = number % 2 == 0
        both: dict[bool, Took] = {}
        for on in (first, not first):
            switch.turn(on)
            both[on] = took(work, tracing if on else None)
        found.append((both[False], both[True]))
    switch.turn(True)
    return found


def own(spans: Sequence[SpanRow], tracing: Tracing) -> tuple[float, float]:
    """Return the processor's seconds of opening and ending the very same spans again, and of writing them."""
    tracer = trace.get_tracer("hoplite.again")
    opened, written = [], []
    for _ in range(AGAIN):
        before = time.thread_time()
        for span in spans:
            tracer.start_span(span.name, attributes=span.attributes).end()  # type: ignore[arg-type]  # they were some
        opened.append(time.thread_time() - before)
        before = time.thread_time()
        tracing.flush()
        written.append(time.thread_time() - before)
    return median(opened), median(written)


def told(kind: str, pairs: Sequence[tuple[Took, Took]], again: tuple[float, float]) -> str:
    """Two lines: the medians without tracing and what it adds to them, then what opening and writing the spans take."""
    parts = []
    for name in ("wall", "processor"):
        off = median(getattr(first, name) for first, _ in pairs)
        differences = sorted(getattr(second, name) - getattr(first, name) for first, second in pairs)
        more = median(differences)
        low, high = (differences[int(share * (len(pairs) - 1))] for share in (0.25, 0.75))
        middle = f"half between {1000 * low:+.2f} and {1000 * high:+.2f}"
        parts.append(f"{name} {1000 * off:.1f} ms {1000 * more:+.2f} ms ({middle}) {100 * more / off:+.2f} %")
    opened, written = again
    parts.append(f"its spans alone: {1000 * opened:.2f} ms to open, {1000 * written:.2f} ms to write")
    parts.append(f"{100 * opened / off:.2f} % and {100 * written / off:.2f} % of the processor's time")
    return f"{kind:<10}{len(pairs):4} pairs  " + "\n            ".join(parts)


def _stored(source: Path, target: Path, runs: int) -> float:
    """Store the last run so many times, under other ids; return how many bytes one takes."""
    with closing(trace_file.open_for_writing(target)) as new:
        run = next(summary for summary in traces(source, 1_000) if summary.name.startswith("invoke_agent"))
        with reading(source) as found:
            spans = spans_of(found, run.id)
        for number in range(runs):
            earlier = number * 10**9
            moved = [
                span._replace(trace_id=f"{number:032x}", start_ns=span.start_ns - earlier, end_ns=span.end_ns - earlier)
                for span in spans
            ]
            trace_file.insert(new, moved)
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return target.stat().st_size / runs


def _timed(*words: str) -> float:
    """Return the median seconds of `hoplite` with these words, as a process of its own."""
    took = []
    for _ in range(9):
        began = time.perf_counter()
        script = "from ui.cli import main; main()"
        subprocess.run([sys.executable, "-c", script, *words], check=True, capture_output=True)  # noqa: S603
        took.append(time.perf_counter() - began)
    return median(took)


@click.command()
@click.argument("workspace", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--pairs", type=int, default=20, show_default=True, help="Of each question.")
@click.option("--questions", "many", type=int, default=6, show_default=True)
@click.option("--runs", type=int, default=10_000, show_default=True, help="Stored for `trace list`.")
def main(workspace: Path, pairs: int, many: int, runs: int) -> None:
    """Measure, and print a line for each thing."""
    with resources.as_file(resources.files("evals.sets") / "django.jsonl") as file:
        questions = [question.question for question in load_questions(file)][:many]
    with tempfile.TemporaryDirectory() as scratch:
        traced = Path(scratch) / "traces.sqlite"
        with open_library(find(workspace, workspace)) as library:
            tracing = start_tracing(traced)

            def search(question: str, rerank: bool) -> None:
                result = library.search(question, k=16, rerank=rerank)
                library.passages(result, query=question, limit=8)

            def run(question: str) -> None:
                settings = load_settings(None, {"model": "none", "cache": False, "memory": False}).settings
                make_agent(library, settings, chat=ScriptedModel([speaking] * 20)).ask(question)

            kinds: dict[str, Callable[[str], None]] = {
                "search": partial(search, rerank=True),
                "no reader": partial(search, rerank=False),
                "run": run,
            }
            for name, work in kinds.items():
                found = [pair for each in questions for pair in paired(partial(work, each), tracing, pairs)]
                with reading(traced) as connection:
                    last = traces(traced, 1 if name == "run" else 2)  # a search and its passages are one trace each
                    spans = [span for each in last for span in spans_of(connection, each.id)]
                click.echo(told(name, found, own(spans, tracing)))
            tracing.close()
        folder = Path(scratch) / ".hoplite"
        create(folder, Path(scratch))
        size = _stored(traced, folder / "traces.sqlite", runs)
        words = ("--workspace", str(folder), "trace", "list")
        click.echo(f"a stored run takes {size / 1000:.0f} kB; {runs:,} take {runs * size / 1e6:,.0f} MB")
        click.echo(f"trace list over {runs:,} runs: {1000 * _timed(*words):.0f} ms")
        click.echo(f"stats over them: {1000 * _timed(*words[:2], 'stats'):.0f} ms")


if __name__ == "__main__":
    main()
