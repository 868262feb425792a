"""`hoplite status`: what is indexed, what is stale, what failed, how big it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui.commands.options import json_option, opened, print_json, workspace_option
from ui.render import by_reason, counted, failure_line, megabytes, some, visible

if TYPE_CHECKING:
    from retrieval.library import Status

SHOWN = 10
"""Failures that are listed; `--json` has them all."""


@click.command(short_help="Show what is indexed, stale or failed.")
@click.option("--check", is_flag=True, help="Also look for files that are not indexed yet.")
@json_option
@workspace_option
def status(check: bool, as_json: bool, workspace: Path | None) -> None:
    """Show what is indexed, what changed since, what failed or was skipped and why, and how big the index is."""
    with opened(workspace, searches=False) as library:
        now = library.status(check=check)
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
        "changed": list(now.changed),
        "gone": list(now.gone),
        "new": None if now.new is None else list(now.new),
        "failures": [asdict(failure) for failure in now.failures],
        "skipped": dict(now.skips),
        "bytes": now.size,
    }


def lines(now: Status) -> Iterator[str]:
    """Yield the status as lines for a terminal."""
    held = f"{counted(now.totals.documents, 'document')}, {counted(now.totals.chunks, 'chunk')}"
    yield _row("workspace", f"{visible(str(now.folder))}, {megabytes(now.size)}")
    yield _row("indexed", f"{held}; last change {_when(now.indexed_at)}")
    yield _row("languages", some([f"{name} {number:,}" for name, number in now.languages.items()], 8))
    if now.settings:
        yield _row("embedder", f"{visible(now.settings.embedder)}, {now.settings.dim} numbers a vector")
    yield from _stale(now)
    if now.skips:
        yield _row("skipped", by_reason(now.skips))
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


def _row(name: str, value: str) -> str:
    return f"{name:<9}  {value}"


def _when(moment: str | None) -> str:
    """A UTC moment as this machine's clock shows it."""
    if moment is None:
        return "never"
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
