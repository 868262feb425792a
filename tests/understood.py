"""Whether the command lines that a page shows are Hoplite's: they are parsed, and nothing is run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click

from ui.cli import cli


def understood(words: Sequence[str]) -> dict[str, Any]:
    """Return what `hoplite WORDS` would be told. Raises where there is no such command, option or argument."""
    command: click.Command = cli
    context = click.Context(cli, info_name="hoplite", **cli.context_settings)
    rest = list(words)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest.pop(0))
        assert found is not None, f"hoplite {shlex.join(words)}"
        command = found
    return command.make_context(command.name, rest, parent=context).params
