"""`hoplite trace`: what happened in a run, span by span."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.errors import UserError
from ui.commands.options import json_option, print_json, workspace_option
from ui.render import visible

if TYPE_CHECKING:
    from agent.langfuse_api import Langfuse


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
    from agent.scores import scores
    from agent.tracing import render_tree
    from agent.tracing import trace as read

    spans = read(_file(workspace), id_)
    given = scores(_file(workspace), spans[0].trace_id)
    if as_json:
        scored = [{"name": each.name, "value": each.value, "comment": each.comment} for each in given]
        print_json({"id": spans[0].trace_id, "spans": [asdict(span) for span in spans], "scores": scored})
        return
    click.echo(render_tree(spans))
    for each in given:
        click.echo(visible(f"score {each.name}: {each.value:g}" + (f"  {each.comment}" if each.comment else "")))


@trace.command()
@click.argument("id_", metavar="ID")
@click.argument("value", type=click.FloatRange(-1e9, 1e9))
@click.option("--name", default="user", show_default=True, metavar="NAME", help="What is scored.")
@click.option("--comment", default="", metavar="TEXT", help="Why.")
@workspace_option
def score(id_: str, value: float, name: str, comment: str, workspace: Path | None) -> None:
    """Score the trace whose id begins with ID: 1 for good, 0 for bad, or any number.

    The score is kept beside the trace, and sent to Langfuse where that is on. Given again it is replaced.
    """
    import sqlite3

    from agent.scores import Score, keep
    from agent.tracing import trace as read

    file = _file(workspace)
    given = Score(read(file, id_)[0].trace_id, name, value, comment, time.time())
    try:
        keep(file, given)
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"{file} cannot be written ({error}). Move it away to start a new one.") from error
    if langfuse := _langfuse(workspace):
        langfuse.score([given])


@trace.command()
@workspace_option
def prompts(workspace: Path | None) -> None:
    """Make Hoplite's prompts known to Langfuse, so that each call there is linked with its prompt's version.

    Said once after each update of Hoplite; versions that are there already stay.
    """
    from agent.prompts import every

    langfuse = _langfuse(workspace)
    if langfuse is None:
        raise UserError("Langfuse is not on: set LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL.")
    for ours, version in langfuse.register(every()).items():
        click.echo(f"{ours}: version {version}")


def _langfuse(workspace: Path | None) -> Langfuse | None:
    """The account that is configured, None where none is. Raises UserError for half a configuration."""
    from agent.build import langfuse
    from agent.settings import load_settings
    from retrieval.workspace import find

    return langfuse(load_settings(find(Path.cwd(), workspace).folder).settings)


def _file(workspace: Path | None) -> Path:
    from retrieval.workspace import find

    return find(Path.cwd(), workspace).traces
