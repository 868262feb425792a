"""`hoplite index`: bring the index to what the files say."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui.commands.options import json_option, print_json, workspace_option
from ui.progress import Meter
from ui.render import visible

if TYPE_CHECKING:
    from ingest.fetching.address import Address
    from retrieval.indexing import IndexReport

SHOWN = 10
"""Failures that are listed; `hoplite status` has them all."""


@click.command()
@click.argument("words", nargs=-1, metavar="PATH|URL...")
@click.option("--rebuild", is_flag=True, help="Index everything again, as after a change of embedder.")
@click.option(
    "--remove",
    multiple=True,
    metavar="PATH",
    help="Forget a file, a folder or what was fetched, with its copy; can be repeated.",
)
@click.option("--max-pages", type=click.IntRange(1), metavar="N", help="Pages of a sitemap at most; 500 by default.")
@click.option("--embedder", metavar="M", help="Any sentence-transformers model, for full dense indexing.")
@json_option
@workspace_option
@click.pass_context
def index(
    ctx: click.Context,
    words: tuple[str, ...],
    rebuild: bool,
    remove: tuple[str, ...],
    max_pages: int | None,
    embedder: str | None,
    as_json: bool,
    workspace: Path | None,
) -> int:
    """Index files and folders. Again, it touches only what changed; interrupted, it goes on where it was.

    https://host/owner/repo@REF on a known forge, any address that ends in .git, and git@host:owner/repo@REF are fetched
    with git: a branch, a tag or a commit. git+https:// makes any address a repository; every other one is a page, or a
    sitemap of pages. They are kept in the workspace.
    """
    from ingest.fetching.address import parse
    from retrieval.indexing import remove as forget

    named = {word: parse(word) for word in words}
    paths = [Path(word) for word, address in named.items() if address is None]
    addresses = [address for address in named.values() if address is not None]
    if not words and not remove:
        raise click.UsageError("Nothing was named to index, such as `hoplite index .`.", ctx)
    forgotten = forget(remove, chosen=workspace) if remove else 0
    if not as_json and remove:
        click.echo(f"{forgotten:,} documents forgotten.", err=True)
    if not words:
        if as_json:
            print_json({"forgotten": forgotten})
        return 0
    begun = time.monotonic()
    report = run(
        paths,
        addresses,
        chosen=workspace,
        embedder=embedder,
        rebuild=rebuild,
        max_pages=max_pages,
        quiet=as_json,
    )
    seconds = time.monotonic() - begun
    if as_json:
        print_json(found(report, seconds, forgotten))
    else:
        click.echo(summary(report, seconds), err=True)
    return 4 if report.failures else 0


def run(
    paths: Sequence[Path],
    addresses: Sequence[Address] = (),
    *,
    chosen: Path | None = None,
    embedder: str | None = None,
    rebuild: bool = False,
    max_pages: int | None = None,
    quiet: bool = False,
) -> IndexReport:
    """Fetch the addresses, then index them and the paths; progress on standard error, a trace in the workspace."""
    from agent.settings import load_settings
    from agent.tracing import start_tracing
    from retrieval.indexing import index as index_paths
    from retrieval.indexing import workspace_for
    from retrieval.sources import Means, fetch

    workspace = workspace_for(paths, chosen)
    settings = load_settings(workspace.folder, {"embedder": embedder}).settings
    fetched = None
    if addresses:
        with Meter(unit="pages", quiet=quiet) as meter:
            means = Means(on_page=lambda done, pages: meter.show("fetching", done, pages))
            fetched = fetch(addresses, workspace, max_pages=max_pages, means=means)
    with ExitStack() as closing, Meter(unit="files", quiet=quiet) as meter:
        return index_paths(
            paths,
            fetched=fetched,
            chosen=chosen,
            embedder=settings.embedder,
            rebuild=rebuild,
            on_workspace=lambda made: closing.callback(start_tracing(made.traces).close),
            on_progress=lambda at: meter.show("indexing", at.done, at.files, f"{at.chunks:,} chunks"),
        )


def found(report: IndexReport, seconds: float, forgotten: int = 0) -> dict[str, Any]:
    """Return what `index --json` prints."""
    return {
        "workspace": str(report.workspace),
        "documents": report.documents,
        "chunks": report.chunks,
        **asdict(report.applied),
        "forgotten": report.applied.forgotten + forgotten,
        "repaired": report.repaired,
        "skipped": dict(report.skipped),
        "failures": [asdict(failure) for failure in report.failures],
        "seconds": round(seconds, 3),
    }


def summary(report: IndexReport, seconds: float) -> str:
    """Return what was done, what was left out and why, and the failures."""
    done = report.applied
    lines = [
        f"{report.documents:,} documents, {report.chunks:,} chunks in {visible(str(report.workspace))}",
        f"{done.written:,} new or changed, {done.unchanged:,} unchanged, {done.forgotten:,} gone; {seconds:.1f} s",
    ]
    if report.repaired:
        lines.append(f"{report.repaired:,} documents repaired: the index had lost passages of theirs")
    if report.skipped:
        lines.append("skipped: " + ", ".join(f"{number:,} {visible(why)}" for why, number in report.skipped.items()))
    for failure in report.failures[:SHOWN]:
        lines.append(f"failed: {visible(failure.path)}: {visible(failure.message)}")
    if len(report.failures) > SHOWN:
        lines.append(f"… and {len(report.failures) - SHOWN:,} more failed; `hoplite status` lists all")
    return "\n".join(lines)
