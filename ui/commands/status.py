"""`hoplite status`: what is indexed, what is stale, what failed, how big it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui.commands.options import json_option, opened, print_json, workspace_option
from ui.render import megabytes, visible

if TYPE_CHECKING:
    from retrieval.library import Status
    from retrieval.types import Source


@click.command(short_help="Show what is indexed, stale or failed.")
@json_option
@workspace_option
def status(as_json: bool, workspace: Path | None) -> None:
    """Show what is indexed, what changed since, what failed or was skipped and why, and how big the index is."""
    with opened(workspace, searches=False) as library:
        now = library.status()
    if as_json:
        print_json(found(now))
    else:
        for line in lines(now):
            click.echo(line)


def found(now: Status) -> dict[str, Any]:
    """Return what `status --json` prints."""
    return {
        "workspace": str(now.folder),
        "base": str(now.base),
        "embedder": now.settings.embedder if now.settings else None,
        "documents": now.totals.documents,
        "chunks": now.totals.chunks,
        "languages": dict(now.languages),
        "indexed_at": now.indexed_at,
        "stale": list(now.stale),
        "failures": [asdict(failure) for failure in now.failures],
        "skipped": dict(now.skips),
        "sources": [asdict(source) for source in now.sources],
        "bytes": now.size,
    }


def lines(now: Status) -> Iterator[str]:
    """Yield the status as lines for a terminal."""
    yield f"workspace  {visible(str(now.folder))}, {megabytes(now.size)}"
    yield f"indexed    {now.totals.documents:,} documents, {now.totals.chunks:,} chunks; last change {now.indexed_at}"
    yield "languages  " + ", ".join(f"{visible(name)} {number:,}" for name, number in now.languages.items())
    if now.settings:
        yield f"embedder   {visible(now.settings.embedder)}, {now.settings.dim} numbers a vector"
    yield from _sources(now.sources)
    if now.stale:
        yield f"stale      {len(now.stale):,} changed or went away since: {_some(now.stale)}"
        yield f"           `hoplite index {visible(str(now.base))}` brings the index up to date"
    else:
        yield "stale      none"
    if now.skips:
        yield "skipped    " + ", ".join(f"{number:,} {visible(why)}" for why, number in now.skips.items())
    for failure in now.failures:
        yield f"failed     {visible(failure.path)}: {visible(failure.message)}"


def _sources(sources: Sequence[Source]) -> Iterator[str]:
    """A line for each address or folder that was named: a sitemap's pages are one."""
    shown: dict[str, list[Source]] = {}
    for source in sources:
        shown.setdefault(source.asked, []).append(source)
    for asked, found in shown.items():
        newest = max(found, key=lambda source: source.fetched_at)
        at = f" at commit {visible(newest.commit[:7])}" if newest.commit else ""
        changes = " (with local changes)" if newest.dirty else ""
        pages = f", {len(found):,} pages" if len(found) > 1 else ""
        yield f"source     {visible(asked)}{at}{changes}{pages}, read {newest.fetched_at}"


def _some(paths: tuple[str, ...], shown: int = 5) -> str:
    more = f" and {len(paths) - shown:,} more" if len(paths) > shown else ""
    return ", ".join(map(visible, paths[:shown])) + more
