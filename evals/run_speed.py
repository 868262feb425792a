"""How fast `hoplite eval run` is beside its model: `python -m evals.run_speed --questions N`.

The agent answers N questions over a workspace of 200 short files, traced as any run is; the model speaks at once, from
a script. Printed are the questions a second and the largest memory of the process so far, at a tenth, at half and at
the end, then how long the report takes to read the run.
"""

from __future__ import annotations

import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import click

from agent.build import make_agent, open_library, start_tracing
from agent.models import FREE, Completion, Message, Piece, Request, StreamedChat
from agent.settings import load_settings
from evals.agent_answers import run_answer
from evals.datasets import Question
from evals.run_files import finished
from evals.run_report import report
from evals.runner import Progress, Worker, run
from evals.similarity import similarity
from retrieval.indexing import index
from retrieval.workspace import find

FILES = 200
_ASKED = re.compile(r"letters of harbour(\d+)\?")


class Spoken:
    """ChatModel that knows who keeps the letters of every harbour, and keeps nothing of what it was asked."""

    name = "scripted"
    price = FREE

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        on_token: Callable[[str], None] | None = None,
    ) -> Completion:
        """Return the answer, by the same path as a real model's."""
        chat = StreamedChat(self.name, self._stream, pricing=lambda: self.price)
        return chat.complete(messages, max_tokens=max_tokens, stop=stop, temperature=temperature, on_token=on_token)

    def _stream(self, request: Request) -> Generator[Piece, None, None]:
        numbers = _ASKED.findall(request.messages[-1]["content"])
        yield Piece(f"Heron{numbers[-1]} keeps the letters of harbour{numbers[-1]} [1]" if numbers else "None.")
        yield Piece(input_tokens=sum(len(m["content"].split()) for m in request.messages), output_tokens=7)


def written(folder: Path) -> Path:
    """Write the files that the questions are about, and index them."""
    folder.mkdir()
    for n in range(FILES):
        text = f"# Heron {n}\n\nHeron{n} keeps the letters of harbour{n} in a box of oak. It came by ship {n % 7}.\n"
        (folder / f"heron{n}.md").write_text(text, encoding="utf-8")
    index([folder], workers=1)
    return folder


def asked(count: int) -> list[Question]:
    """So many questions, over all files in turn."""
    return [
        Question(
            f"q{n:06}", f"Who keeps the letters of harbour{n % FILES}?", (f"Heron{n % FILES}",),
            (f"heron{n % FILES}.md",), "lookup",
        )
        for n in range(count)
    ]  # fmt: skip


@click.command()
@click.option("--questions", "count", type=click.IntRange(10), default=2000, show_default=True, metavar="N")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, metavar="N")
def main(count: int, workers: int) -> None:
    """Ask N questions of a scripted model and print questions a second and memory."""
    settings = load_settings(overrides={"memory": False, "cache": False, "model": "none"}, environ={}).settings
    with tempfile.TemporaryDirectory() as temporary:
        folder = written(Path(temporary) / "herons")
        with open_library(find(folder)) as library:
            tracing = start_tracing(library.workspace)
            agents = [make_agent(library, settings, chat=Spoken()) for _ in range(workers)]
            marks = {count // 10, count // 2, count}
            began, worked = time.perf_counter(), time.process_time()

            def told(progress: Progress) -> None:
                if progress.done in marks:
                    rate = progress.done / (time.perf_counter() - began)
                    each = 1000 * (time.process_time() - worked) / progress.done
                    click.echo(
                        f"{progress.done:>7} questions: {rate:6.1f} a second, {each:5.1f} ms of processor each, "
                        f"{_peak():5.0f} MB at most"
                    )

            out = Path(temporary) / "run"
            compared, similar = similarity()
            given = run(
                asked(count),
                [Worker(lambda q, a=agent: run_answer(a.ask(q.question), {}), agent.stop) for agent in agents],  # type: ignore[misc]
                out,
                fingerprint={"model": "scripted"},
                similar=similar,
                on_progress=told,
            )
            tracing.close()
        began = time.perf_counter()
        again = report(out.name, finished(out))
        size = (out / "answers.jsonl").stat().st_size / 1e6
        click.echo(f"report: {time.perf_counter() - began:.1f} s over {size:.0f} MB, {_peak():.0f} MB at most")
        click.echo(f"em {again.metrics['em']:.3f}, contains {again.metrics['contains']:.3f}, similarity by {compared}")
        sys.exit(0 if again == given and not given.errors else "The run failed, or its report is another one.")


def _peak() -> float:
    """Megabytes: Linux gives kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
