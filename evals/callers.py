"""How well "who calls this?" is answered: `python -m evals.callers FOLDER [--functions 200] [--seed 1] [--json]`.

Functions and methods are drawn by a seed from a Python project, among those that some file calls or may call and that
are no `__dunder__`. For each, the files that `Library.callers` names are compared with those of an oracle
(`evals.call_oracle`). *exact* compares the certain calls with the oracle's certain ones, *exact and possible* all with
all. *grep* is a search for `name(` in the same files, definitions left out. Micro scores count every pair of a function
and a file alike, macro scores every function.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from evals.call_oracle import Calls, Function, calls
from evals.metrics import mean
from evals.tables import table
from ingest.errors import WorkspaceMissing
from retrieval.indexing import index
from retrieval.library import Library
from retrieval.workspace import find


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1 of sets of files, over all pairs and as means over functions. All from 0 to 1."""

    functions: int
    precision: float
    recall: float
    f1: float
    macro_precision: float
    macro_recall: float
    macro_f1: float


def scores(pairs: Sequence[tuple[set[str], set[str]]]) -> Scores:
    """Score (found, true) sets. What is rightly empty counts as found."""
    hits = sum(len(found & true) for found, true in pairs)
    precision = _share(hits, sum(len(found) for found, _ in pairs))
    recall = _share(hits, sum(len(true) for _, true in pairs))
    each = [(_share(len(found & true), len(found)), _share(len(found & true), len(true))) for found, true in pairs]
    return Scores(
        len(pairs),
        precision,
        recall,
        _f1(precision, recall),
        mean([p for p, _ in each]),
        mean([r for _, r in each]),
        mean([_f1(p, r) for p, r in each]),
    )


def sample(truth: Calls, wanted: int, seed: int) -> list[Function]:
    """Draw functions and methods that at least one file calls or may call, without those named `__like_this__`."""
    called = [f for f in truth.functions if truth.of(f) and not _is_dunder(f.name)]
    called.sort(key=lambda f: (f.path, f.name))
    return random.Random(seed).sample(called, min(wanted, len(called)))  # noqa: S311


def evaluate(library: Library, sources: dict[str, str], wanted: int, seed: int) -> dict[str, dict[str, Scores]]:
    """Return scores by way ("exact", "exact and possible", "grep") and by kind ("all", "functions", "methods")."""
    truth = calls(sources)
    pairs: dict[str, list[tuple[Function, set[str], set[str]]]] = {way: [] for way in WAYS}
    for function in sample(truth, wanted, seed):
        found = library.callers(f"{function.path}:{function.name}")
        certain = {chunk.path for one in found for chunk in one.callers if chunk.path in sources}
        either = certain | {chunk.path for one in found for chunk in one.possible if chunk.path in sources}
        true = truth.of(function)
        pairs["exact"].append((function, certain, truth.certain.get(function, set())))
        pairs["exact and possible"].append((function, either, true))
        pairs["grep"].append((function, _grepped(function, sources), true))
    kinds: dict[str, Callable[[Function], bool]] = {
        "all": lambda f: True,
        "functions": lambda f: not f.is_method,
        "methods": lambda f: f.is_method,
    }
    return {
        way: {kind: scores([(a, b) for f, a, b in rows if fits(f)]) for kind, fits in kinds.items()}
        for way, rows in pairs.items()
    }


WAYS = ("exact", "exact and possible", "grep")


def python_sources(library: Library) -> dict[str, str]:
    """Return the text of every indexed Python file, by its path."""
    paths = [path for path in library.paths() if path.endswith(".py")]
    return {path: document.text for path in paths if (document := library.resolve(path))}


def report(found: dict[str, dict[str, Scores]]) -> str:
    """Return the scores as a table, in per cent."""
    rows = [["callers", "n", "precision", "recall", "F1", "macro P", "macro R", "macro F1"]]
    for way, kinds in found.items():
        for kind, scored in kinds.items():
            shown = [f"{100 * value:.1f}" for value in list(asdict(scored).values())[1:]]
            rows.append([f"{way}, {kind}", str(scored.functions), *shown])
    return "\n".join(table(rows))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--functions", default=200, show_default=True, help="How many are drawn.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--workspace", type=click.Path(path_type=Path), help="An index of FOLDER; by default its own or a new one."
)
@click.option("--json", "as_json", is_flag=True)
def main(folder: Path, functions: int, seed: int, workspace: Path | None, as_json: bool) -> None:
    """Compare who calls what in FOLDER, a Python project, with an oracle."""
    with ExitStack() as held:
        try:
            place = find(folder, workspace)
        except WorkspaceMissing:
            chosen = workspace or Path(held.enter_context(tempfile.TemporaryDirectory())) / "index"
            index([folder], chosen=chosen)
            place = find(folder, chosen)
        library = held.enter_context(Library(place))
        found = evaluate(library, python_sources(library), functions, seed)
    if as_json:
        click.echo(
            json.dumps({way: {k: asdict(v) for k, v in kinds.items()} for way, kinds in found.items()}, indent=2)
        )
    else:
        click.echo(f"{folder.name}, {functions} functions drawn with seed {seed}")
        click.echo(report(found))


def _grepped(function: Function, sources: dict[str, str]) -> set[str]:
    pattern = re.compile(rf"(?<!def )\b{re.escape(function.name.rpartition('.')[2])}\(")
    return {path for path, source in sources.items() if pattern.search(source)}


def _is_dunder(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last.startswith("__") and last.endswith("__")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


if __name__ == "__main__":
    main()
