"""smolagents' own CodeAgent as it comes: `python -m evals.stock_agent DATASET --out DIR`.

It gets the same model, the same index and one tool, `search`; the prompt and the loop are its own. Its code runs in
Hoplite's locked child, because smolagents' own interpreter is no sandbox. `hoplite eval compare` reads the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from agent.budget import Budget, MeteredChat
from agent.build import open_library
from agent.executor import SandboxExecutor
from agent.models import ChatModel, as_smolagents, make_chat
from evals.dataset_files import dataset_files
from evals.dataset_store import dataset_cache
from evals.datasets import Question, drawn, load_dataset
from evals.runner import run
from evals.tables import run_table
from evals.types import RunAnswer
from retrieval.library import Library
from retrieval.workspace import find

PASSAGES = 5
"""Passages that one search returns."""

MAX_STEPS = 20
"""smolagents' own default."""


def stock_agent(
    library: Library, chat: ChatModel, question: Question, *, seconds: float, records: Mapping[str, str] | None = None
) -> RunAnswer:
    """Answer with an agent made anew; `records` are what the question's gold calls the files.

    One that needs more than so many seconds is given up, with no answer and the tokens that it took until then; what
    else it raises is an error of the question.
    """
    from smolagents import AgentError, CodeAgent, LogLevel, Tool

    shown: dict[str, None] = {}

    class Search(Tool):  # type: ignore[misc]  # smolagents ships no types.
        name = "search"
        description = "Searches the documents and returns the best passages for a query, as text."
        inputs = {"query": {"type": "string", "description": "What to search for."}}  # noqa: RUF012 - its own way
        output_type = "string"

        def forward(self, query: str) -> str:
            result = library.search(query, k=PASSAGES)
            passages = library.passages(result, query=query, limit=PASSAGES)
            shown.update(dict.fromkeys(passage.path for passage in passages))
            return "\n\n".join(f"{passage.header}\n{passage.excerpt}" for passage in passages)

    budget = Budget(seconds)
    metered = MeteredChat(chat, budget)
    executor = SandboxExecutor()
    agent: Any = CodeAgent(
        tools=[Search()],
        model=as_smolagents(metered),
        executor=executor,
        max_steps=MAX_STEPS,
        verbosity_level=LogLevel.OFF,
    )
    said, note = "", ""
    try:
        said = str(agent.run(question.question))
    except AgentError:
        if budget.spent is None:
            raise
        note = f"given up after {seconds:.0f} seconds: its tokens are those until then"
    finally:
        executor.cleanup()
    used = budget.usage
    return RunAnswer(
        answer=said,
        abstained=not said,
        shown=tuple((records or {}).get(path, path) for path in shown),
        usage={"calls": used.calls, "input_tokens": used.input_tokens, "output_tokens": used.output_tokens},
        note=note,
    )


@click.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where to keep the answers.")
@click.option("--sample", type=click.IntRange(1), default=10, show_default=True, help="Questions drawn by the seed.")
@click.option("--seed", default=0, show_default=True)
@click.option("--model", default="local", show_default=True)
@click.option("--max-seconds", default=600.0, show_default=True, help="Seconds a question.")
def main(dataset: Path, out: Path, sample: int, seed: int, model: str, max_seconds: float) -> None:
    """Ask questions of DATASET, which `hoplite eval run` must have indexed, and score the answers."""
    data = load_dataset(dataset)
    files = dataset_files(data, dataset_cache())
    chat = make_chat(model)
    with open_library(find(files.folder, files.folder / ".hoplite")) as library:
        report = run(
            drawn(data.questions, sample, seed),
            lambda question: stock_agent(library, chat, question, seconds=max_seconds, records=files.records),
            out,
            fingerprint={"model": model, "agent": f"smolagents {version('smolagents')}"},
            resume=True,
        )
    click.echo(run_table(report))


if __name__ == "__main__":
    main()
