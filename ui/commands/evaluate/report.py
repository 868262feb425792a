"""`hoplite eval report`: a run as a page, or as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ingest.errors import UserError, WorkspaceMissing
from ui.commands.options import workspace_option


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--against", type=click.Path(path_type=Path), metavar="RUN", help="Another run over the same questions.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to. [default: RUN/report.html]")
@click.option("--markdown", is_flag=True, help="A few lines for a pull request, to standard output or --out.")
@workspace_option
def report(run: Path, against: Path | None, out: Path | None, markdown: bool, workspace: Path | None) -> None:
    """Write what RUN, a folder of `eval run --out`, came to: one HTML file that needs nothing else.

    It has the metrics with their intervals, slices, times, and the worst questions with citations, passages and traces,
    as private as the run. Traces are taken from the workspace that holds the run, or --workspace.
    """
    from evals.report import markdown as as_markdown
    from evals.report import write

    if out is not None and out.exists():
        raise UserError(f"{out} is there already. Name another file.")
    if markdown:
        lines = as_markdown(run, against=against)
        if out is None:
            click.echo(lines, nl=False)
        else:
            _write(out, lines)
        return
    target = out or run / "report.html"
    write(run, target, trees(_traces(run, workspace)), against=against)
    click.echo(f"Wrote {target}.")


def _write(out: Path, lines: str) -> None:
    try:
        out.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}. Name another file.") from error


def trees(file: Path | None) -> Callable[[str], str | None]:
    """Return what lays out a trace of this file by its id, None where it is not stored."""
    from agent.tracing import as_tree, reading, spans_of
    from ui.traced import tree

    def laid_out(trace_id: str) -> str | None:
        if file is None:
            return None
        try:
            with reading(file) as connection:
                spans = spans_of(connection, trace_id)
        except UserError as error:  # one damaged trace is shown as that, and the report goes on
            return str(error)
        return tree(as_tree(spans)) if spans else None

    return laid_out


def _traces(run: Path, workspace: Path | None) -> Path | None:
    """The file of traces: the chosen workspace's, else that of the workspace in which the run lies, else that of the
    workspace found from here; None where there is none."""
    from retrieval.workspace import find

    around = run.resolve().parent.parent / "traces.sqlite"
    if workspace is None and around.is_file():
        return around
    try:
        file = find(Path.cwd(), workspace).traces
    except WorkspaceMissing:
        if workspace is not None:
            raise
        return None
    return file if file.is_file() else None
