"""`hoplite symbols`: where a name is defined, who refers to it, and where it is documented."""

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
    from retrieval.types import Definition


@click.command(short_help="Show where a name is defined, called and documented.")
@click.argument("name")
@json_option
@workspace_option
def symbols(name: str, as_json: bool, workspace: Path | None) -> None:
    """Show where NAME is defined, who calls, imports and inherits it, and where it is documented.

    NAME is a function, a class, a setting or a heading: slugify, QuerySet.filter, django.utils.text.slugify,
    django/utils/text.py:slugify, "Data retention".
    """
    with opened(workspace, searches=False) as library:
        known = library.symbols(name, limit=50)
    if as_json:
        print_json(
            {
                "name": name,
                "state": known.state,
                "defined": _places(known.defined),
                "mentioned": _places(known.mentioned),
                "near": list(known.near),
                "definitions": [_definition(found) for found in known.definitions],
                "other": _places(known.other),
                "documentation": _places(known.documentation),
            }
        )
        return
    if known.state == "unknown":
        near = f"Is it one of these: {', '.join(known.near)}? " if known.near else ""
        raise UserError(
            f"Nothing here defines or mentions {name!r}. {near}`hoplite search {name!r}` finds what is worded alike."
        )
    for line in render.symbols(known):
        click.echo(line)


def _definition(found: Definition) -> dict[str, Any]:
    return {
        "name": found.name,
        "path": found.path,
        "start_line": found.line,
        "end_line": found.end_line,
        "signature": found.signature,
        "callers": _places(found.callers),
        "possible": _places(found.possible),
        "importers": _places(found.importers),
        "subclasses": _places(found.subclasses),
    }


def _places(chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
    return [
        {"path": c.path, "start_line": c.start_line, "end_line": c.end_line, "title": c.title, "header": c.header}
        for c in chunks
    ]
