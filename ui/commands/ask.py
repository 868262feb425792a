"""`hoplite ask`: one question, answered step by step with checked citations."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui import render
from ui.commands.options import agent_options, json_option, opened, print_json, workspace_option

if TYPE_CHECKING:
    from agent.types import Answer, Event


@click.command()
@click.argument("question")
@click.option("--plan", is_flag=True, help="Show the plan, and wait for Enter or for a better one.")
@agent_options
@json_option
@workspace_option
def ask(question: str, plan: bool, as_json: bool, workspace: Path | None, **chosen: Any) -> None:
    """Answer QUESTION from what is indexed, with every step shown and every citation checked."""
    with opened(workspace) as library:
        answer = run(library, question, quiet=as_json, plan=plan and sys.stdin.isatty(), **chosen)
    if as_json:
        print_json(answer.as_json())


def run(library: Any, question: str, *, quiet: bool = False, plan: bool = False, **chosen: Any) -> Answer:
    """Ask the library, show steps on standard error and the answer on standard output, and return it."""
    from agent.build import make_agent
    from agent.settings import settings

    agent = make_agent(library, settings(**{name: value for name, value in chosen.items() if value is not None}))
    begun = time.monotonic()
    answer = show(agent.stream(question), quiet=quiet)
    if not quiet:
        click.echo(render.answer(answer))
        click.echo(f"\n{render.cost(answer, time.monotonic() - begun)}", err=True)
    return answer


def show(events: Iterable[Event], *, quiet: bool = False) -> Answer:
    """Show the events of a run as they come, and return the answer among them."""
    from agent.types import Answered, AnswerToken
    from ui.progress import Waiting

    answer: Answer | None = None
    with Waiting(quiet=quiet) as waiting:
        for event in events:
            if isinstance(event, Answered):
                answer = event.answer
            elif isinstance(event, AnswerToken):
                waiting.draft(event.text)
            elif not quiet and (text := render.event(event)):
                waiting.line(text)
    assert answer is not None, "a run ends with an answer"
    return answer
