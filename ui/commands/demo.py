"""`hoplite demo`: the main job, on this repository or on a small shipped sample."""

from __future__ import annotations

import time
from typing import Any

import click

from ui.cli import INTERRUPTED
from ui.commands.options import agent_options, json_option, opened, print_json
from ui.render import visible


@click.command(short_help="Index this repository and ask it a question.")
@click.argument("question", required=False)
@agent_options
@json_option
def demo(question: str | None, as_json: bool, **chosen: Any) -> int:
    """Index this repository (outside a clone: a small sample) and ask it a question that needs two hops."""
    from ui.commands.ask import run as run_ask
    from ui.commands.index import run as run_index
    from ui.commands.index import summary
    from ui.demo import prepare

    subject = prepare()
    begun = time.monotonic()
    report = run_index(subject.paths, chosen=subject.workspace, quiet=as_json)
    asked = question or subject.question
    if not as_json:
        click.echo(summary(report, time.monotonic() - begun), err=True)
        click.echo(f"\n{click.style(visible(asked), bold=True)}\n", err=True)
    with opened(subject.workspace) as library:
        answer = run_ask(library, asked, {**chosen, "cache": False}, quiet=as_json)
    if as_json:
        print_json(answer.as_json())
    return INTERRUPTED if answer.stopped == "stop" else 0
