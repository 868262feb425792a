"""`hoplite store`: moving an index between the workspace's folder and a Qdrant server."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ingest.errors import UserError
from ui.commands.options import json_option, print_json
from ui.progress import Meter
from ui.render import counted, visible

if TYPE_CHECKING:
    from agent.settings import Resolved, Settings
    from retrieval.types import Layout
    from retrieval.workspace import Workspace


@click.group()
def store() -> None:
    """Move an index to a Qdrant server and back."""


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--collection", metavar="NAME", help="The collection at the servers; by default the workspace's.")
@json_option
def copy(source: str, target: str, collection: str | None, as_json: bool) -> None:
    """Copy an index FROM a workspace's folder or a Qdrant server TO the other, batch by batch, vectors unchanged.

    The workspace uses TO from then on; FROM stays as it is. Between two servers the whole collection is copied. Again,
    it writes only what is not there already; interrupted, it goes on where it was.
    """
    from agent.settings import load_settings
    from retrieval.store_copy import copy as copy_store
    from retrieval.stores import Asked

    asked = Asked(collection=collection, layout=layout_of(load_settings().settings))
    with Meter(unit="chunks", quiet=as_json) as meter:
        copied = copy_store(
            source, target, asked=asked, on_progress=lambda done, total: meter.show("copying", done, total)
        )
    if as_json:
        print_json(asdict(copied) | {"workspace": str(copied.workspace) if copied.workspace else None})
        return
    ends = f"{visible(str(copied.source))} and {visible(str(copied.target))}"
    click.echo(f"{counted(copied.chunks, 'chunk')} with vectors in {ends}; {copied.written:,} written now.", err=True)
    if copied.workspace:
        click.echo(f"{visible(str(copied.workspace))} uses {visible(str(copied.target))} from now on.", err=True)


def layout_of(settings: Settings) -> Layout:
    """Return how the settings say that a new collection lies on its server."""
    from retrieval.types import Layout

    return Layout(
        shards=settings.store_shards,
        replicas=settings.store_replicas,
        consistency=settings.store_consistency,
        payload_on_disk=settings.store_payload_on_disk,
    )


def store_of(resolved: Resolved, workspace: Workspace) -> str | None:
    """Return the server that the settings name for a new workspace.

    Raises UserError where the workspace's own file names it: whoever wrote that folder could send documents elsewhere.
    """
    if resolved.settings.store is not None and resolved.origins["store"] == str(workspace.folder / "config.toml"):
        raise UserError(
            f"store = {resolved.settings.store!r} in {resolved.origins['store']} is not followed: a folder from "
            "somebody else could send your documents away. Name the server with `--store`, or in your own settings."
        )
    return resolved.settings.store
