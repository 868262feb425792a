"""`hoplite search`: the passages for a query, without any language model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ui import render
from ui.commands.options import json_option, opened, print_json, reranker_option, workspace_option

if TYPE_CHECKING:
    from retrieval.types import SearchResult

MARGIN = 6
"""Columns left of an excerpt."""


@click.command(short_help="Find passages, without a language model.")
@click.argument("query")
@click.option("-k", "k", type=click.IntRange(1, 1000), default=8, show_default=True, metavar="N", help="Hits at most.")
@click.option("--hops", type=click.IntRange(0, 10), metavar="N", help="Rounds of hops over names; 0 for none.")
@click.option("--path", "path", metavar="GLOB", help="Only in paths like this; * crosses slashes.")
@click.option("--kind", type=click.Choice(["code", "prose"]), help="Only in code, or only in prose.")
@reranker_option
@json_option
@workspace_option
def search(
    query: str,
    k: int,
    hops: int | None,
    path: str | None,
    kind: Literal["code", "prose"] | None,
    reranker: str | None,
    as_json: bool,
    workspace: Path | None,
) -> None:
    """Find the passages for QUERY: by words, by meaning, and by the names that lead from one to the next."""
    from retrieval.types import Scope

    if not query.strip():
        raise click.UsageError("The query is empty.", click.get_current_context())
    with opened(workspace, reranker=reranker) as library:
        result = library.search(query, k=k, hops=hops, scope=Scope(path, kind))
    if as_json:
        print_json(found(result))
    elif result.hits:
        columns = shutil.get_terminal_size((render.WIDTH + MARGIN, 24)).columns
        width = max(20, min(render.WIDTH, columns - MARGIN))
        shown = (render.hit(number, hit, query, width=width) for number, hit in enumerate(result.hits, start=1))
        click.echo("\n\n".join(shown))
        click.echo(f"\n{sum(result.timings.values()):.2f} s", err=True)
    else:
        click.echo("Nothing found.", err=True)


def found(result: SearchResult) -> dict[str, Any]:
    """Return what `search --json` prints."""
    hits = [
        {
            "path": hit.chunk.path,
            "start_line": hit.chunk.start_line,
            "end_line": hit.chunk.end_line,
            "title": hit.chunk.title,
            "score": hit.score,
            "via": list(hit.via),
            "text": hit.chunk.text,
        }
        for hit in result.hits
    ]
    return {"query": result.query, "hits": hits, "timings": dict(result.timings)}
