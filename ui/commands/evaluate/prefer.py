"""`hoplite eval prefer`: runs ranked by which answers were preferred."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ui.commands.evaluate.shown import told
from ui.commands.options import json_option
from ui.render import block


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The preferences. [default: preferences.jsonl beside the first RUN]",
)
@json_option
def prefer(runs: tuple[Path, ...], file: Path | None, as_json: bool) -> None:
    """Rank runs by which answer was preferred, pair by pair: Bradley-Terry strengths with intervals.

    The average of the runs has strength 0; the interval is over questions.
    """
    from evals.compare_table import strength_table
    from evals.preferences import FILE, rank, read

    path = file if file is not None else runs[0].resolve().parent / FILE
    ranked = rank(read(path), [run.resolve().name for run in runs])
    told({"runs": [asdict(each) for each in ranked]}, block(strength_table(ranked)), as_json=as_json)
