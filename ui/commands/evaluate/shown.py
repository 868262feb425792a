"""What the evaluation commands print: progress while they work, then a table or one JSON object."""

from __future__ import annotations

from collections.abc import Callable

import click

from ui.commands.options import print_json
from ui.progress import Meter


def shown(meter: Meter, what: str) -> Callable[[int, int], None]:
    """Return what tells the meter how far it is."""
    return lambda done, total: meter.show(what, done, total)


def told(data: dict[str, object], table: str, *, as_json: bool) -> None:
    """Print what was measured: the object for a script, or the table for a person."""
    if as_json:
        print_json(data)
    else:
        click.echo(table)
