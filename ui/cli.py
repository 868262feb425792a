"""The command line: names, exit codes and one clear line for whatever the user can fix. The work is on lower floors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ingest.errors import HopliteError
from ui.lazy import LazyGroup
from ui.render import visible

COMMANDS = {
    "demo": "ui.commands.demo:demo",
    "models": "ui.commands.models:models",
    "index": "ui.commands.index:index",
    "search": "ui.commands.search:search",
    "ask": "ui.commands.ask:ask",
    "chat": "ui.commands.chat:chat",
    "symbols": "ui.commands.symbols:symbols",
    "eval": "ui.commands.evaluate:evaluate",
    "memory": "ui.commands.memory:memory",
    "trace": "ui.commands.trace:trace",
    "stats": "ui.commands.stats:stats",
    "status": "ui.commands.status:status",
    "store": "ui.commands.store:store",
    "doctor": "ui.commands.doctor:doctor",
    "mcp": "ui.commands.mcp:mcp",
    "serve": "ui.commands.serve:serve",
}
"""Where each command is. Their modules import no lower floor until they run, so that help answers at once."""

INTERRUPTED = 130
PIPE_CLOSED = 141
STOPPED = "Stopped. What was finished is kept; run it again to go on."


class CommandLine(LazyGroup):
    """The group of all commands. `main` turns outcomes into exit codes."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command and exit with its code; words that click finds wrong are one line, exit code 2."""
        if os.environ.get("NO_COLOR"):  # https://no-color.org; click does not look at it
            extra["color"] = False
        try:
            code = super().main(args, prog_name or "hoplite", **(extra | {"standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as help_asked:
            click.echo(help_asked.format_message(), err=True)
            sys.exit(help_asked.exit_code)
        except click.UsageError as error:
            hint = f" `{error.ctx.command_path} --help` shows what there is." if error.ctx else ""
            _fail(f"{error.format_message()}{hint}", error.exit_code)
        except click.ClickException as error:
            _fail(error.format_message(), 2)
        except click.Abort:
            _fail(STOPPED, INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what was foreseen leaves as one line and its exit code, a bug as its traceback.

        The codes: 0 done, 2 to be fixed by the user, 3 workspace in use, 4 partly failed, 5 a gate failed,
        130 Ctrl-C, 1 a bug.
        """
        try:
            return super().invoke(ctx)
        except HopliteError as error:
            _fail(str(error), error.exit_code)
        except KeyboardInterrupt:
            _fail(STOPPED, INTERRUPTED)
        except BrokenPipeError:
            # The reader, such as `head`, has what it wanted. Python would complain again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(PIPE_CLOSED)


@click.command(
    cls=CommandLine,
    places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The workspace, where it is not found from here.",
)
@click.version_option(package_name="hoplite")
@click.pass_context
def cli(ctx: click.Context, workspace: Path | None) -> None:
    """Ask your own documents and code. Answers follow names from passage to passage; each citation is checked.

    Begin with `hoplite demo`, or `hoplite index PATH` and then `hoplite ask "…"`.
    """
    ctx.obj = workspace


def main() -> None:
    """Run the command line."""
    cli.main()


def _fail(message: str, code: int) -> NoReturn:
    click.echo(visible(" ".join(message.split())), err=True)
    sys.exit(code)
