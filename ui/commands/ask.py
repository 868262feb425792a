"""`hoplite ask`: one question, answered step by step with checked citations."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ui import render
from ui.commands.options import agent_options, cache_option, json_option, opened, print_json, workspace_option

if TYPE_CHECKING:
    from agent.loop import Agent
    from agent.types import Answer, Event
    from retrieval.library import Library


@click.command(short_help="Answer a question with checked citations.")
@click.argument("question")
@click.option("--plan", is_flag=True, help="Show the plan and wait: Enter goes on, another wording asks that instead.")
@agent_options
@cache_option
@json_option
@workspace_option
def ask(question: str, plan: bool, as_json: bool, workspace: Path | None, **chosen: Any) -> None:
    """Answer QUESTION from what is indexed, with every step shown and every citation checked."""
    with opened(workspace) as library:
        answer = run(library, question, chosen, quiet=as_json, plan=plan and sys.stdin.isatty())
    if as_json:
        print_json(answer.as_json())


def run(
    library: Library, question: str, chosen: Mapping[str, Any], *, quiet: bool = False, plan: bool = False
) -> Answer:
    """Ask the library, show steps on standard error and the answer on standard output, and return it."""
    agent = agent_for(library, chosen)
    return told(planned(partial(agent.stream, fresh=True), question) if plan else agent.stream(question), quiet=quiet)


def told(events: Iterable[Event], *, quiet: bool = False) -> Answer:
    """Show a run as `show` does, and below it what it took; return the answer."""
    begun = time.monotonic()
    answer = show(events, quiet=quiet)
    if not quiet:
        click.echo(f"\n{render.cost(answer, time.monotonic() - begun)}", err=True)
    return answer


def agent_for(library: Library, chosen: Mapping[str, Any]) -> Agent:
    """Return an agent with the settings in force; says first what will leave this machine, where anything will.

    `chosen` is what the command line says, None where it says nothing.
    """
    from agent.build import make_agent
    from agent.models import is_remote, leaves_the_machine
    from agent.settings import load_settings

    settings = load_settings(library.workspace.folder, chosen).settings
    if is_remote(settings.model):
        click.echo(leaves_the_machine(settings.model), err=True)
    return make_agent(library, settings, workspace=library.workspace, say=lambda line: click.echo(line, err=True))


def planned(stream: Callable[[str], Iterator[Event]], question: str) -> Iterator[Event]:
    """Yield the events of a run, waiting after its plan; a line typed there is asked instead, and its plan shown."""
    from agent.types import Planned

    again: str | None = question
    while again is not None:
        asked, again = again, None
        with closing(cast("Generator[Event]", stream(asked))) as events:
            for event in events:
                yield event
                if isinstance(event, Planned) and (typed := _typed()):
                    again = typed
                    break


def _typed() -> str:
    typed: str = click.prompt("Enter to go on, or ask otherwise", default="", show_default=False, err=True)
    return typed.strip()


def show(events: Iterable[Event], *, quiet: bool = False) -> Answer:
    """Show the events of a run as they come, the answer on standard output, and return the answer."""
    from agent.types import Answered, AnswerToken
    from ui.progress import Waiting

    answer: Answer | None = None
    with Waiting(quiet=quiet) as waiting:
        for event in events:
            if isinstance(event, Answered):
                answer = event.answer
                if not quiet:
                    waiting.line(f"\n{render.answer(answer)}\n", err=False)
            elif isinstance(event, AnswerToken):
                waiting.draft(event.text)
            elif not quiet and (text := render.event(event)):
                waiting.line(text)
    assert answer is not None, "a run ends with an answer"
    return answer
