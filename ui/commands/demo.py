"""`hoplite demo`: the main job, on this repository or on a small shipped sample."""

from __future__ import annotations

from typing import Any

import click

from ui.commands.options import agent_options, json_option, opened, print_json


@click.command()
@click.argument("question", required=False)
@agent_options
@json_option
def demo(question: str | None, as_json: bool, **chosen: Any) -> None:
    """Index this repository (outside a clone: a small sample) and ask it a question that needs two hops."""
    from retrieval.indexing import index as run_index
    from ui.commands.ask import run
    from ui.commands.index import shown_by
    from ui.demo import prepare
    from ui.progress import Meter

    subject = prepare()
    if not as_json:
        click.echo(f"Indexing {subject.base}", err=True)
    with Meter(unit="files", quiet=as_json) as meter:
        run_index(subject.paths, workspace=subject.workspace, on_progress=shown_by(meter))
    asked = question or subject.question
    if not as_json:
        click.echo(f"\n{click.style(asked, bold=True)}\n", err=True)
    with opened(subject.workspace) as library:
        answer = run(library, asked, quiet=as_json, **chosen)
    if as_json:
        print_json(answer.as_json())
