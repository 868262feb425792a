"""The help of every command as one page: `python -m ui.reference > docs/cli.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ui.cli import cli

WIDTH = 100
_HEAD = """# The command line

Written by `python -m ui.reference`; a test compares it with the program.

Exit codes: 0 done · 1 a bug · 2 you can fix it, and one line says how · 3 another process holds the workspace ·
4 finished, but some files or questions failed · 5 a gate of `hoplite eval compare` failed · 130 stopped with Ctrl-C.
`--json` prints one JSON object on standard output; progress, steps and messages go to standard error.

## Models

`--model local` runs the embedded model in a process of its own: no key, no network. Its window is `CONTEXT_TOKENS`, for
the question, the sources and the answer together. A call of a model that takes longer than `CALL_SECONDS` is given up.

## What is kept

The trace of every run, with what was asked, read and answered (docs/tracing.md), is kept in the workspace for
`KEEP_DAYS`; `hoplite trace list` shows the newest. Notes of earlier answers (docs/memory.md) stay until `hoplite memory
forget` deletes them. What `hoplite index` left out, and why, is in `hoplite status`.

The same question to the same index, model and prompts gets the answer of the first time, once its citations were
checked again; `--no-cache`, or `cache = false` in a `config.toml`, asks anew. The newest answers are kept, for a month
at most (`agent/answer_cache.py`); where the index is on a server, none are.

While a run is under way, what it finds is written to `journals/` in the workspace. A run that was killed, stopped with
Ctrl-C or failed goes on with `hoplite ask --resume RUN`: its searches, code steps and finished model calls are not made
again, passages keep their labels, and those that their files lost since are withdrawn. Variables of a code step are
lost. It goes by the settings that it began with, but for those that are given anew; the sandbox is always as it is set
now. A finished run leaves its answer alone. The newest of both are kept, for a month at most (`agent/journals.py`).
They hold text of the documents and are as private as the index: files of yours alone, which another user or another
machine cannot resume.
"""


def reference() -> str:
    """Return the page, as Markdown."""
    parts = [f"## `{path}`\n\n```text\n{text.rstrip()}\n```\n" for path, text in _helps(cli, "hoplite")]
    return "\n".join([_HEAD, *parts])


def _helps(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    ctx = click.Context(
        command,
        info_name=path.rsplit(" ", 1)[-1],
        parent=parent,
        terminal_width=WIDTH,
        **command.context_settings,
    )
    yield path, command.get_help(ctx)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None, name
            yield from _helps(below, f"{path} {name}", ctx)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
