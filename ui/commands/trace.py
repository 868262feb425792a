"""`hoplite trace`: what happened in a run, span by span."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from ingest.errors import UserError
from ui.commands.options import json_option, print_json, workspace_option
from ui.render import visible

_DAY = 86_400

if TYPE_CHECKING:
    from agent.langfuse_api import Langfuse
    from agent.tracing import Only


@click.group(short_help="Show what happened in a run.")
def trace() -> None:
    """Show what happened in a run: every search, model call and step, with times, tokens and dollars."""


@trace.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="Lines at most.")
@click.option("--sessions", is_flag=True, help="One line for each conversation and each evaluation.")
@click.option("--session", metavar="ID", help="Only the runs of this one.")
@click.option(
    "--only",
    type=click.Choice(["all", "questions", "evaluations", "other", "failed", "declined", "bad"]),
    default="all",
    help="Of which runs: people's questions, evaluations', neither; that failed, found no answer, were rated bad.",
)
@click.option("--asked", default="", metavar="TEXT", help="Only where the question has this in it.")
@json_option
@workspace_option
def list_(
    limit: int,
    sessions: bool,
    session: str | None,
    only: Only,
    asked: str,
    as_json: bool,
    workspace: Path | None,
) -> None:
    """Show the newest traces."""
    from agent import tracing
    from ui.traced import session_line, trace_line

    file = _file(workspace)
    if sessions:
        together = tracing.sessions(file, limit)
        if as_json:
            print_json({"sessions": [asdict(each) for each in together]})
        for each in together if not as_json else ():
            click.echo(session_line(each))
        return
    found = tracing.traces(file, limit, session=session, only=only, asked=asked)
    if as_json:
        print_json({"traces": [asdict(one) for one in found]})
    for one in found if not as_json else ():
        click.echo(trace_line(one))


@trace.command()
@click.argument("id_", metavar="ID")
@json_option
@workspace_option
def show(id_: str, as_json: bool, workspace: Path | None) -> None:
    """Show the trace whose id begins with ID, one line a span."""
    from agent.scores import scores
    from agent.tracing import trace as read
    from ui.traced import tree

    records = read(_file(workspace), id_)
    trace_id = records[0].span.trace_id
    given = scores(_file(workspace), trace_id)
    if as_json:
        scored = [{"name": each.name, "value": each.value, "comment": each.comment} for each in given]
        print_json({"id": trace_id, "spans": [_as_json(record) for record in records], "scores": scored})
        return
    click.echo(tree(records))
    for each in given:
        click.echo(visible(f"score {each.name}: {each.value:g}" + (f"  {each.comment}" if each.comment else "")))


@trace.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--form", type=click.Choice(["jsonl", "otlp"]), default="jsonl", show_default=True)
@click.option("--days", type=click.FloatRange(0, min_open=True), metavar="N", help="Only of the last N days.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else standard output.")
@workspace_option
def export(
    ids: tuple[str, ...], form: Literal["jsonl", "otlp"], days: float | None, out: Path | None, workspace: Path | None
) -> None:
    """Write the traces whose ids begin with ID, or all of them, with everything they hold.

    jsonl is a line of JSON a span. otlp is OpenTelemetry's protocol as JSON, a line a trace, as collectors read it.
    What was asked, read and answered stands in them: look before you hand them on.
    """
    from agent.trace_export import exported
    from agent.tracing import trace as read

    file = _file(workspace)
    whole = [read(file, id_)[0].span.trace_id for id_ in ids]
    since = time.time_ns() - int(days * _DAY * 1e9) if days else 0
    with _written(out) as target:
        for line in exported(file, form, whole, since_ns=since):
            target.write(line + "\n")


@trace.command()
@click.option("--days", type=click.FloatRange(0), metavar="N", help="Keep what ended in the last N days.")
@click.option("--megabytes", type=click.FloatRange(0), metavar="N", help="Keep the newest N megabytes.")
@workspace_option
def prune(days: float | None, megabytes: float | None, workspace: Path | None) -> None:
    """Delete old traces. Every run does so by itself: beyond KEEP_DAYS and MAX_BYTES."""
    from agent import trace_file, tracing
    from ui.render import counted

    gone = tracing.prune(
        _file(workspace),
        keep_days=trace_file.KEEP_DAYS if days is None else days,
        max_bytes=trace_file.MAX_BYTES if megabytes is None else int(1e6 * megabytes),
    )
    click.echo(f"Deleted {counted(gone, 'trace')}.")


@trace.command()
@click.argument("id_", metavar="ID")
@click.argument("verdict", type=click.Choice(["good", "bad"]))
@click.option("--note", default="", metavar="TEXT", help="Why.")
@workspace_option
def rate(id_: str, verdict: str, note: str, workspace: Path | None) -> None:
    """Note whether an answer was good, for `hoplite stats` and for Langfuse, where that is on.

    Every answer ends with its trace's ID.
    """
    from agent.scores import FEEDBACK, Score
    from agent.tracing import rate as noted

    trace_id = noted(_file(workspace), id_, good=verdict == "good", note=note)
    if langfuse := _langfuse(workspace):
        langfuse.score([Score(trace_id, FEEDBACK, float(verdict == "good"), note)])
    click.echo(f"{trace_id[:12]} is noted as {verdict}.")


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


@contextmanager
def _written(out: Path | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            out.chmod(0o600)
            yield file
    except FileExistsError:
        raise UserError(f"{out} is there already. Name another file.") from None
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}. Name another file.") from error


def _as_json(record: Any) -> dict[str, Any]:
    return {**record.span._asdict(), "depth": record.depth, "spent": asdict(record.spent)}


def _file(workspace: Path | None) -> Path:
    from retrieval.workspace import find

    return find(Path.cwd(), workspace).traces
