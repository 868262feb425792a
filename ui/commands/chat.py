"""`hoplite chat`: a conversation in the terminal, each question answered as `ask` answers it."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import click

from ingest.errors import HopliteError, UserError
from ui import render
from ui.commands.ask import CONVERSED, agent_for, planned, told
from ui.commands.options import agent_options, cache_option, opened, workspace_option

if TYPE_CHECKING:
    from agent.follow_up import Turn
    from agent.loop import Agent
    from agent.types import Event
    from retrieval.library import Library

PROMPT = "> "
SOME_FAILED = 4
_COMMAND = re.compile(r"/([a-z]+!?|\?)(?:\s+(.*))?")  # "/etc/hosts" begins a question
_HISTORY = 1000  # lines


@click.command(short_help="Ask one question after another.")
@agent_options
@cache_option
@workspace_option
def chat(workspace: Path | None, **chosen: Any) -> int:
    """Ask one question after another. A follow-up such as "who calls it?" is asked with what it refers to written out.

    Ctrl-C stops the run under way and keeps the best cited answer so far; /quit or Ctrl-D leaves, and /help shows what
    else there is. Where standard input is no terminal, each of its lines is a question.
    """
    with opened(workspace) as library:
        session = Session(library, chosen)
        if sys.stdin.isatty():
            click.echo("Ask a question. /help shows what else there is; Ctrl-D leaves.", err=True)
            session.follow(_typed(library.workspace.folder / "chat.history"))
            return 0
        session.follow(_piped())
        return SOME_FAILED if session.failed else 0


class Session:
    """One conversation with its commands. `failed` counts the lines that came to an error."""

    def __init__(self, library: Library, chosen: Mapping[str, Any]) -> None:
        """`chosen` are the agent's settings as the command line has them, None where nothing was said."""
        from agent.conversation import Conversation

        self.failed = 0
        self._library = library
        self._chosen = dict(chosen)
        self._conversation = Conversation()
        self._agent = self._made()
        self._waits = False
        self._commands: Mapping[str, tuple[str, str, Callable[[str], None]]] = {
            "help": ("/help", "Show this.", self._help),
            "plan": ("/plan [on|off]", "Show the last plan; on: wait at the plan of each question.", self._plan),
            "sources": ("/sources", "Show what the last answer cites.", self._sources),
            "new": ("/new", "Begin anew: nothing before is referred to.", self._new),
            "save": ("/save [FILE]", "Write the conversation as Markdown; /save! FILE overwrites.", self._save),
            "save!": ("", "", partial(self._save, overwrite=True)),
            "model": ("/model [NAME]", "Show the model that answers, or take another one.", self._model),
            "quit": ("/quit", "Leave.", lambda rest: None),
        }

    def follow(self, lines: Iterator[str]) -> None:
        """Answer the lines until they end or one says to leave. What the user can fix is said, and the next is read."""
        for line in map(str.strip, lines):
            if line in ("/quit", "/exit"):
                return
            try:
                if command := _COMMAND.fullmatch(line):
                    self._do(command[1], (command[2] or "").strip())
                elif line:
                    self._ask(line)
            except HopliteError as error:
                self.failed += 1
                click.echo(render.visible(" ".join(str(error).split())), err=True)

    def _do(self, name: str, rest: str) -> None:
        known = self._commands.get("help" if name == "?" else name)
        if known is None:
            there = ", ".join(usage.split()[0] for usage, _, _ in self._commands.values() if usage)
            raise UserError(f"There is no /{name}. There are {there}.")
        known[2](rest)

    def _ask(self, question: str) -> None:
        if not sys.stdin.isatty():
            click.echo(click.style(f"{PROMPT}{render.visible(question)}", bold=True), err=True)
        waits = self._waits and sys.stdin.isatty()
        asked = self._planned(question) if waits else self._conversation.stream(self._agent, question)
        try:
            with (
                _stoppable(self._conversation.stop),
                closing(cast("Generator[Event]", asked)) as events,
            ):
                told(events)
        except (KeyboardInterrupt, click.Abort):
            if not sys.stdin.isatty():
                raise
            click.echo("Given up; there is no answer to this one.", err=True)

    def _planned(self, question: str) -> Iterator[Event]:
        """The events of a run whose plan waits; a follow-up is written out before there is a plan."""
        from agent.types import Rewritten

        agent, conversation = self._agent, self._conversation
        written = conversation.standalone(agent, question)
        if written.by != "asked":
            yield Rewritten(question, written.question, written.by)
        yield from planned(
            agent.clarify, lambda asked, plan: conversation.stream(agent, asked, plan, fresh=True), written.question
        )

    def _made(self) -> Agent:
        return agent_for(self._library, self._chosen, also=CONVERSED)

    def _help(self, rest: str) -> None:
        for usage, does, _ in self._commands.values():
            if usage:
                click.echo(f"{usage:<16}{does}")
        click.echo("Anything else is a question. Ctrl-C stops the run under way, and keeps the best answer so far.")

    def _plan(self, rest: str) -> None:
        if rest in ("on", "off"):
            self._waits = rest == "on"
            waits = "Each question waits at its plan." if self._waits else "No question waits at its plan."
            click.echo(waits if sys.stdin.isatty() or not self._waits else f"{waits} There is no terminal to wait for.")
        elif rest:
            raise UserError(f"/plan takes on, off or nothing, not {rest!r}.")
        else:
            last = self._last()
            click.echo(
                render.block(last.plan) if last.plan else "The last answer is from the cache: there was no plan."
            )

    def _sources(self, rest: str) -> None:
        cited = self._last().answer.citations
        click.echo("\n".join(map(render.citation, cited)) if cited else "The last answer cites nothing.")

    def _new(self, rest: str) -> None:
        self._conversation.forget()
        click.echo("Nothing before this is referred to.")

    def _save(self, rest: str, *, overwrite: bool = False) -> None:
        from ui.saved import file_name, markdown

        self._last()
        path = Path(rest or file_name(self._conversation.turns)).expanduser()
        try:
            with path.open("w" if overwrite else "x", encoding="utf-8") as file:
                file.write(markdown(self._conversation.turns))
        except FileExistsError:
            raise UserError(
                f"{path} is there already. /save! {path} overwrites it; /save FILE takes another."
            ) from None
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}. Name another file.") from error
        click.echo(f"Saved as {render.visible(str(path))}.")

    def _model(self, rest: str) -> None:
        if rest:
            before, self._chosen = self._chosen, {**self._chosen, "model": rest}
            try:
                self._agent = self._made()
            except HopliteError:
                self._chosen = before
                raise
        chat = self._agent.chat
        click.echo(f"The model is {render.visible(chat.name) if chat else 'none'}.")

    def _last(self) -> Turn:
        if not self._conversation.turns:
            raise UserError("Nothing was answered yet. Ask a question first.")
        return self._conversation.turns[-1]


def _piped() -> Iterator[str]:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    yield from sys.stdin


def _typed(history: Path) -> Iterator[str]:
    """Yield lines as they are typed, with line editing and the history of this workspace's conversations."""
    warned = False
    with _edited(history):
        while True:
            try:
                if not sys.stdout.isatty():  # else `input` shows it, so that line editing knows of it
                    click.echo(PROMPT, nl=False, err=True)
                line = input(PROMPT if sys.stdout.isatty() else "")
            except EOFError:
                click.echo(err=True)
                return
            except KeyboardInterrupt:
                click.echo("\nCtrl-C again leaves." if not warned else "", err=True)
                if warned:
                    return
                warned = True
                continue
            except UnicodeDecodeError:
                click.echo("This line is not text in the terminal's encoding.", err=True)
                continue
            warned = False
            yield line


@contextmanager
def _edited(history: Path) -> Iterator[None]:
    """Line editing, and a history that is private to the user. A history that cannot be read or written is none."""
    try:
        import readline
    except ImportError:  # a Python that was built without it
        yield
        return
    readline.set_history_length(_HISTORY)
    with suppress(OSError):
        os.close(os.open(history, os.O_CREAT | os.O_RDWR, 0o600))
        readline.read_history_file(history)
    try:
        yield
    finally:
        with suppress(OSError):
            readline.write_history_file(history)


@contextmanager
def _stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, the first Ctrl-C calls `stop`, and the second one raises KeyboardInterrupt."""

    def stopping(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(2, b"\nStopping; Ctrl-C again gives up.\n")  # a handler may stand inside a write of `click.echo`
        threading.Thread(target=stop, daemon=True).start()  # nor may it wait for a lock that is held here

    before = signal.signal(signal.SIGINT, stopping)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
