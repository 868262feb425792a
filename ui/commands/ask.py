"""`hoplite ask`: one question, answered step by step with checked citations."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ingest.errors import UserError
from ui import render
from ui.cli import INTERRUPTED
from ui.commands.options import agent_options, cache_option, json_option, opened, print_json, workspace_option
from ui.interrupt import interruptible, stoppable

if TYPE_CHECKING:
    from agent.loop import Agent
    from agent.plan import Plan
    from agent.settings import Settings
    from agent.types import Answer, Clarify, Event
    from retrieval.library import Library

CONVERSED = "for follow-ups the conversation's last questions and answers"
"""What goes to a model beside the rest where questions follow each other."""

_EDITS = "Enter goes on; `2: text`, `-2` and `+ text` edit, `e` opens an editor; anything else is asked instead"


@click.command(short_help="Answer a question with checked citations.")
@click.argument("question", required=False)
@click.option("--plan", is_flag=True, help="Show the plan, and wait for it to be edited or taken.")
@click.option("--in", "collection", metavar="NAME", help="Answer from the documents of this collection alone.")
@click.option(
    "--path", "globs", multiple=True, metavar="GLOB", help="Answer from documents at paths like this; may be repeated."
)
@agent_options
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Also write the answer as Markdown with footnotes; - prints it instead.",
)
@cache_option
@click.option(
    "--resume", metavar="RUN", help="Go on with a run that was killed, by its name or the beginning of it; or `last`."
)
@json_option
@workspace_option
def ask(
    question: str | None,
    plan: bool,
    collection: str | None,
    globs: tuple[str, ...],
    markdown: Path | None,
    resume: str | None,
    as_json: bool,
    workspace: Path | None,
    **chosen: Any,
) -> int:
    """Answer QUESTION from what is indexed, with every step shown and every citation checked.

    With --plan, on a terminal, the sub-questions are shown before the work. Enter goes on; `2: TEXT`
    rewrites the second one, `-2` removes it, `+ TEXT` adds one, `e` opens all in your editor, and
    any other line is asked instead. Where the question can mean several things, that is asked first.

    Ctrl-C gives the best cited answer so far, and the exit code 130.

    With --in or --path nothing outside is searched, read or cited, and the run has no memory. `*` in GLOB
    stands for any part of a path, slashes too, such as 'docs/*'. Collections are made on the page.

    With --resume instead of QUESTION, a run that was stopped, failed or was killed goes on: what it
    found is taken over, and no step that it completed is repeated. `hoplite status` names such runs.
    """
    if (question is None) == (resume is None):
        raise click.UsageError("--resume goes on with its own question." if resume else "Missing argument 'QUESTION'.")
    if resume and plan:
        raise click.UsageError("--resume goes on with the plan that the run has. Leave out --plan.")
    if collection and globs:
        raise click.UsageError("--in names the paths of a collection. Leave out --path, or --in.")
    if resume and (collection or globs):
        raise click.UsageError("--resume goes on within what the run was asked in. Leave out --in and --path.")
    printed = markdown == Path("-")
    if printed and as_json:
        raise click.UsageError("--json and --markdown - both print on standard output. Give --markdown a file.")
    if markdown and not printed and not markdown.parent.is_dir():
        raise UserError(f"There is no folder {markdown.parent} to write {markdown.name} in. Make it, or name another.")
    with opened(workspace) as library:
        quiet = as_json or printed
        if collection or globs:
            chosen["within"] = scope(library, collection, globs)
        if question is None:
            answer = go_on(library, resume or "", chosen, quiet=quiet)
        else:
            answer = run(library, question, chosen, quiet=quiet, plan=plan and not as_json and sys.stdin.isatty())
    if as_json:
        print_json(answer.as_json())
    if markdown:
        _write(answer, markdown, printed=printed)
    return INTERRUPTED if answer.stopped == "stop" else 0


def scope(library: Library, collection: str | None, globs: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the globs of a collection, or else these. Raises UserError where there is no collection of the name."""
    from retrieval.collections import named

    return named(library.workspace.collections, collection).globs if collection else tuple(globs)


def _write(answer: Answer, file: Path, *, printed: bool) -> None:
    """Print the answer as Markdown, or write it to the file."""
    from ui.markdown import as_markdown

    page = as_markdown(answer)
    if printed:
        click.echo(page, nl=False)
        return
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}. Name another file.") from error


def run(
    library: Library, question: str, chosen: Mapping[str, Any], *, quiet: bool = False, plan: bool = False
) -> Answer:
    """Ask the library, show steps on standard error and the answer on standard output, and return it."""
    agent = agent_for(library, chosen)
    with _resumable(agent, library):
        if not plan:
            return told(agent.stream(question), agent.stop, quiet=quiet)
        events = planned(agent.clarify, lambda asked, seen: agent.stream(asked, seen, fresh=True), question)
        return told(events, agent.stop, quiet=quiet)


def go_on(library: Library, named: str, chosen: Mapping[str, Any], *, quiet: bool = False) -> Answer:
    """Go on with a run that was not finished, shown as `run` does; of a finished one show the answer.

    It goes by the settings that it began with, except for those that are `chosen` now.
    """
    from agent.build import journals, resumed_with

    found = journals(library.workspace).open(named)
    now = {name: value for name, value in chosen.items() if value is not None}
    agent = agent_for(library, {**resumed_with(found), **now})
    with _resumable(agent, library):
        return told(agent.resume(found), agent.stop, quiet=quiet)


@contextmanager
def _resumable(agent: Agent, library: Library) -> Iterator[None]:
    """Where a run ends before it has finished, say how to go on with it."""
    try:
        yield
    finally:
        if agent.resumable:
            click.echo(f"`{_resume_command(agent.resumable, library)}` goes on from here.", err=True)


def _resume_command(run: str, library: Library) -> str:
    from agent.journals import SHORT
    from retrieval.workspace import find

    command = f"hoplite ask --resume {run[:SHORT]}"
    try:
        found = find(Path.cwd()).folder
    except UserError:
        found = None
    folder = library.workspace.folder
    return command if found == folder else f"{command} --workspace {shlex.quote(render.visible(str(folder)))}"


def told(events: Iterator[Event], stop: Callable[[], None], *, quiet: bool = False) -> Answer:
    """Show a run as `show` does, and below it what it took; return the answer. Ctrl-C calls `stop`, and the answer is
    the best one so far; a second one raises KeyboardInterrupt, with the run over and its trace closed."""
    begun = time.monotonic()
    with stoppable(stop), closing(cast("Generator[Event]", events)) as each:
        answer = show(each, quiet=quiet)
    if not quiet:
        click.echo(f"\n{render.cost(answer, time.monotonic() - begun)}", err=True)
    return answer


def agent_for(library: Library, chosen: Mapping[str, Any], *, also: str = "", told: bool = False) -> Agent:
    """Return an agent with the settings in force; unless that was told, says first what will leave this machine.

    `chosen` is what the command line says, None where it says nothing; for `also` see `leaving`.
    """
    from agent.build import make_agent, send_traces

    settings = in_force(library, chosen)
    if not told and (line := leaving(library, settings, also=also)):
        click.echo(line, err=True)
    send_traces(settings)
    return make_agent(library, settings, workspace=library.workspace, say=lambda line: click.echo(line, err=True))


def in_force(library: Library, chosen: Mapping[str, Any]) -> Settings:
    """Return the settings of a workspace with what the command line says."""
    from agent.settings import load_settings

    return load_settings(library.workspace.folder, chosen).settings


def leaving(library: Library, settings: Settings, *, also: str = "") -> str:
    """Return the line that says what will leave this machine, `also` among it; "" where nothing will."""
    from agent import destinations
    from agent.outgoing import leaves_the_machine, store_host
    from agent.roles import names

    store, traces = store_host(library.place.url), destinations.told(destinations.destinations(settings), settings)
    return leaves_the_machine(names(settings).chats, mask=settings.mask, store=store, also=also, traces=traces)


def planned(
    clarify: Callable[[str], Clarify | None], stream: Callable[[str, Plan], Iterator[Event]], question: str
) -> Iterator[Event]:
    """Yield the events of a run whose plan was seen first: edited, or replaced by another question, until Enter."""
    from agent.clarify import clarified
    from agent.plan import make_plan
    from agent.plan_edit import announced, revised
    from agent.types import Planned

    if open_point := clarify(question):
        yield open_point
        question = clarified(question, open_point, _typed("A number, other words, or Enter to go on"))
    plan = make_plan(question)
    yield announced(plan)
    while typed := _typed(_EDITS):
        try:
            edited = _in_editor(plan) if typed == "e" else revised(plan, typed)
        except UserError as error:
            click.echo(str(error), err=True)
            continue
        if edited is None:
            question = typed
        plan = edited or make_plan(question)
        yield announced(plan)
    yield from (event for event in stream(question, plan) if not isinstance(event, Planned))


def _in_editor(plan: Plan) -> Plan:
    """The plan as it is after its sub-questions were edited, one a line, in the user's editor."""
    from agent.plan_edit import rewritten

    text = click.edit("".join(f"{part.text}\n" for part in plan.parts), extension=".txt")
    return plan if text is None else rewritten(plan, [line for line in text.splitlines() if line.strip()])


def _typed(prompt: str) -> str:
    with interruptible():
        typed: str = click.prompt(prompt, default="", show_default=False, err=True)
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
