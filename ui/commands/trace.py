"""`hoplite trace`: what happened in a run, span by span."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from ui.commands.options import json_option, print_json, workspace_option
from ui.render import visible


@click.group(short_help="Show what happened in a run.")
def trace() -> None:
    """Show what happened in a run: every search, model call and step, with times and tokens."""


@trace.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="Traces at most.")
@json_option
@workspace_option
def list_(limit: int, as_json: bool, workspace: Path | None) -> None:
    """Show the newest traces."""
    from agent.tracing import traces

    found = traces(_file(workspace), limit)
    if as_json:
        print_json({"traces": [asdict(each) for each in found]})
        return
    for each in found:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.started))
        what = visible(each.question or each.name)
        error = f"  error: {visible(each.error)}" if each.error else ""
        click.echo(f"{each.id[:12]}  {started}  {each.seconds:7.1f} s  {each.spans:4} spans  {what[:80]}{error}")


@trace.command()
@click.argument("id_", metavar="ID")
@json_option
@workspace_option
def show(id_: str, as_json: bool, workspace: Path | None) -> None:
    """Show the trace whose id begins with ID, one line a span."""
    from agent.tracing import render_tree
    from agent.tracing import trace as read

    spans = read(_file(workspace), id_)
    if as_json:
        print_json({"id": spans[0].trace_id, "spans": [asdict(span) for span in spans]})
    else:
        click.echo(render_tree(spans))


def _file(workspace: Path | None) -> Path:
    from retrieval.workspace import find

    return find(Path.cwd(), workspace).traces
