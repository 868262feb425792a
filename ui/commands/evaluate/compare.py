"""`hoplite eval compare`: runs over one set, question by question."""

from __future__ import annotations

from pathlib import Path

import click

from ui.commands.evaluate.shown import told
from ui.commands.options import json_option


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@json_option
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Compare two runs, folders of `eval run --out`, question by question: SECOND less FIRST, with intervals."""
    from evals.compare import compare as compared
    from evals.tables import comparison_table

    comparison = compared(first, second)
    told(comparison.as_json(), comparison_table(comparison), as_json=as_json)
