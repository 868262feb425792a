"""`hoplite symbols`: where a name is defined, and who mentions it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import UserError
from ui import render
from ui.commands.options import json_option, opened, print_json, workspace_option

if TYPE_CHECKING:
    from ingest.types import Chunk


@click.command(short_help="Show where a name is defined and mentioned.")
@click.argument("name")
@json_option
@workspace_option
def symbols(name: str, as_json: bool, workspace: Path | None) -> None:
    """Show where NAME is defined and who mentions it: a function, a class, a setting, a heading."""
    with opened(workspace, searches=False) as library:
        known = library.symbols(name, limit=50)
    if as_json:
        print_json(
            {
                "name": name,
                "defined": _places(known.defined),
                "mentioned": _places(known.mentioned),
                "near": list(known.near),
            }
        )
        return
    if not known.defined and not known.mentioned:
        near = f"Is it one of these: {', '.join(known.near)}? " if known.near else ""
        raise UserError(
            f"Nothing here defines or mentions {name!r}. {near}`hoplite search {name!r}` finds what is worded alike."
        )
    for title, chunks in (("defined", known.defined), ("mentioned", known.mentioned)):
        places = f"in {len(chunks)} {'place' if len(chunks) == 1 else 'places'}" if chunks else "nowhere here"
        click.echo(f"{title} {places}")
        for line in render.mentions(chunks):
            click.echo(line)


def _places(chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
    return [
        {"path": c.path, "start_line": c.start_line, "end_line": c.end_line, "title": c.title, "header": c.header}
        for c in chunks
    ]
