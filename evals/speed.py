"""How long a search takes in one warm process: `python -m evals.speed FOLDER`, over an indexed Django 5.1.4.

The queries are the questions of the shipped Django set. The first line leaves the transformer out; the second lets it
read every candidate anew; the third finds its vectors cached.
"""

from __future__ import annotations

import json
import time
from importlib import resources
from pathlib import Path
from statistics import median

import click

from evals.datasets import load_questions
from retrieval.library import Library
from retrieval.workspace import find


def seconds(library: Library, queries: list[str], *, rerank: bool) -> tuple[list[float], list[float]]:
    """Return the seconds that each query takes, by the clock and of processor time."""
    taken, busy = [], []
    for query in queries:
        began, worked = time.perf_counter(), time.process_time()
        library.search(query, rerank=rerank)
        taken.append(time.perf_counter() - began)
        busy.append(time.process_time() - worked)
    return taken, busy


@click.command()
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, in seconds.")
def main(folder: Path, as_json: bool) -> None:
    """Print the median and the longest of each round."""
    with resources.as_file(resources.files("evals.sets") / "django.jsonl") as file:
        queries = [question.question for question in load_questions(file)]
    rounds: dict[str, dict[str, float]] = {}
    with Library(find(folder)) as library:
        library.search("load the models first")
        for label, rerank in (("without the transformer", False), ("with it, nothing cached", True), ("cached", True)):
            taken, busy = seconds(library, queries, rerank=rerank)
            rounds[label] = {"median": median(taken), "longest": max(taken), "processor": median(busy)}
    if as_json:
        click.echo(json.dumps({"queries": len(queries), "rounds": rounds}, indent=1))
        return
    for label, took in rounds.items():
        click.echo(
            f"{label:25} median {1000 * took['median']:5.0f} ms, longest {1000 * took['longest']:5.0f} ms, "
            f"processor {1000 * took['processor']:5.0f} ms"
        )


if __name__ == "__main__":
    main()
