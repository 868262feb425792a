"""`hoplite index`: bring the index to what the files say."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui.commands.options import json_option, print_json, workspace_option
from ui.progress import Meter
from ui.render import visible

if TYPE_CHECKING:
    from retrieval.indexing import IndexReport

SHOWN = 10
"""Failures that are listed; `hoplite status` has them all."""


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--rebuild", is_flag=True, help="Index everything again, as after a change of embedder.")
@click.option(
    "--remove", type=click.Path(path_type=Path), multiple=True, metavar="PATH", help="Forget a file or folder. Repeatable."
)
@click.option("--embedder", metavar="M", help="Any sentence-transformers model, for full dense indexing.")
@json_option
@workspace_option
@click.pass_context
def index(
    ctx: click.Context,
    paths: tuple[Path, ...],
    rebuild: bool,
    remove: tuple[Path, ...],
    embedder: str | None,
    as_json: bool,
    workspace: Path | None,
) -> int:
    """Index files and folders. Again, it touches only what changed; interrupted, it goes on where it was."""
    from retrieval.indexing import index as run

    if not paths and not remove:
        raise click.UsageError("Name what to index, such as `hoplite index .`", ctx)
    with Meter(unit="files", quiet=as_json) as meter:
        report = run(
            paths, workspace=workspace, embedder=embedder, rebuild=rebuild, remove=remove, on_progress=_shown_by(meter)
        )
    if as_json:
        print_json(_as_json(report))
    else:
        _summary(report)
    return 4 if report.failures else 0
