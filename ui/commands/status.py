"""`hoplite status`: what is indexed, what is stale, what failed, how big it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui.commands.options import json_option, opened, print_json, workspace_option
from ui.render import by_reason, counted, failure_line, megabytes, some, visible

if TYPE_CHECKING:
    from agent.journals import Unfinished
    from retrieval.library import Status
    from retrieval.types import Source

SHOWN = 10
"""Failures that are listed; `--json` has them all."""


@click.command(short_help="Show what is indexed, stale or failed.")
@click.option("--check", is_flag=True, help="Also look for files that are not indexed yet.")
@click.option("--skipped", is_flag=True, help="List what was skipped: up to 1,000 paths for each reason.")
@json_option
@workspace_option
def status(check: bool, skipped: bool, as_json: bool, workspace: Path | None) -> None:
    """Show what is indexed, what changed since, what failed or was skipped and why, and how big the index is."""
    from agent.build import journals

    with opened(workspace, searches=False) as library:
        now = library.status(check=check)
        runs = journals(library.workspace).unfinished()
    if as_json:
        print_json(found(now) | {"unfinished": [run.as_json() for run in runs]})
    else:
        for line in (*lines(now, skipped=skipped), *_unfinished(runs)):
            click.echo(line)


def found(now: Status) -> dict[str, Any]:
    """Return what `status --json` prints of the index."""
    return {
        "workspace": str(now.folder),
        "store": asdict(now.server) if now.server else None,
        "base": str(now.base),
        "embedder": now.settings.embedder if now.settings else None,
        "dense": asdict(now.dense) if now.dense else None,
        "documents": now.totals.documents,
        "chunks": now.totals.chunks,
        "languages": dict(now.languages),
        "indexed_at": now.indexed_at,
        "stale": list(now.stale),
        "changed": list(now.changed),
        "gone": list(now.gone),
        "new": None if now.new is None else list(now.new),
        "failures": [asdict(failure) for failure in now.failures],
        "skipped": dict(now.skips),
        "skipped_paths": {reason: list(paths) for reason, paths in now.skipped_paths.items()},
        "copies": dict(now.copies),
        "sources": [asdict(source) for source in now.sources],
        "bytes": now.size,
    }


def lines(now: Status, *, skipped: bool = False) -> Iterator[str]:
    """Yield the status as lines for a terminal."""
    held = f"{counted(now.totals.documents, 'document')}, {counted(now.totals.chunks, 'chunk')}"
    yield _row("workspace", f"{visible(str(now.folder))}, {megabytes(now.size)}")
    if now.server:
        at = f"{visible(str(now.server.place))}, Qdrant {visible(now.server.version)}"
        yield _row("store", f"{at}, {counted(now.server.points, 'point')}")
    yield _row("indexed", f"{held}; last change {_when(now.indexed_at)}")
    yield _row("languages", some([f"{name} {number:,}" for name, number in now.languages.items()], 8))
    if now.settings:
        yield _row("embedder", f"{visible(now.settings.embedder)}, {now.settings.dim} numbers a vector")
    if now.dense:
        of = f"{now.dense.done:,} of {counted(now.dense.chunks, 'chunk')}"
        yield _row("dense", f"{visible(now.dense.model)}, {now.dense.dim} numbers a vector, for {of}")
    yield from _sources(now.sources)
    yield from _stale(now)
    yield from _copies(now.copies)
    yield from _skipped(now, skipped)
    yield from _failed(now)


def _stale(now: Status) -> Iterator[str]:
    kinds = {"changed": now.changed, "gone": now.gone, "new": now.new or ()}
    for kind, paths in kinds.items():
        if paths:
            yield _row(kind, f"{counted(len(paths), 'file')}: {some(paths)}")
    if any(kinds.values()):
        yield _row("", f"`hoplite index {visible(str(now.base))}` brings the index up to date")
    else:
        yield _row("stale", "nothing" if now.new is not None else "nothing; `--check` also looks for new files")


def _failed(now: Status) -> Iterator[str]:
    if not now.failures:
        return
    yield _row("failed", by_reason(Counter(failure.reason for failure in now.failures)))
    for failure in now.failures[:SHOWN]:
        yield _row("", failure_line(failure.path, failure.message))
    if len(now.failures) > SHOWN:
        yield _row("", f"and {len(now.failures) - SHOWN:,} more; `hoplite status --json` has all")


def _unfinished(runs: Sequence[Unfinished]) -> Iterator[str]:
    """A line for each run that can be resumed."""
    if not runs:
        return
    yield _row("runs", f"{len(runs):,} unfinished; `hoplite ask --resume NAME` goes on with one")
    for run in runs[:SHOWN]:
        began = datetime.fromtimestamp(run.began).astimezone().strftime("%Y-%m-%d %H:%M")
        yield _row("", f"{visible(run.id[:8])}  {began}  {visible(run.question)[:80]}")
    if len(runs) > SHOWN:
        yield _row("", f"and {len(runs) - SHOWN:,} more; `hoplite status --json` has all")


def _row(name: str, value: str) -> str:
    return f"{name:<9}  {value}"


def _when(moment: str | None) -> str:
    """A UTC moment as this machine's clock shows it."""
    if moment is None:
        return "never"
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _sources(sources: Sequence[Source]) -> Iterator[str]:
    """A line for each address or folder that was named: a sitemap's pages are one."""
    shown: dict[str, list[Source]] = {}
    for source in sources:
        shown.setdefault(source.asked, []).append(source)
    for asked, found in shown.items():
        newest = max(found, key=lambda source: source.fetched_at)
        at = f" at commit {visible(newest.commit[:7])}" if newest.commit else ""
        changes = " (with local changes)" if newest.dirty else ""
        many = "files" if newest.kind == "upload" else "pages"
        pages = f", {len(found):,} {many}" if len(found) > 1 else ""
        yield _row("source", f"{visible(asked)}{at}{changes}{pages}, read {_when(newest.fetched_at)}")


def _copies(copies: Mapping[str, str]) -> Iterator[str]:
    if not copies:
        return
    yield _row("copies", f"{counted(len(copies), 'document')} stored with the one whose text they have")
    for path, original in list(copies.items())[:SHOWN]:
        yield _row("", f"{visible(path)} of {visible(original)}")
    if len(copies) > SHOWN:
        yield _row("", f"and {len(copies) - SHOWN:,} more; `hoplite status --json` has all")


def _skipped(now: Status, listed: bool) -> Iterator[str]:
    if not now.skips:
        return
    yield _row("skipped", by_reason(now.skips) + ("" if listed else "; `--skipped` lists them"))
    for reason, paths in now.skipped_paths.items() if listed else ():
        for path in paths:
            yield _row("", f"{visible(reason)}  {visible(path)}")
        if (more := now.skips[reason] - len(paths)) > 0:
            yield _row("", f"{visible(reason)}  and {more:,} more")
