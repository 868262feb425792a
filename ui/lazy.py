"""What is imported when: a command when it is named, so that help answers at once, and what nobody needs never."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import click


class LazyGroup(click.Group):
    """A group whose commands are at `places`: name to `module:attribute`, in the order of help."""

    def __init__(self, *args: Any, places: Mapping[str, str], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a first use, not of the alphabet."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for a name that is none."""
        if cmd_name not in self._places:
            return None
        module, name = self._places[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@contextmanager
def unseen(package: str) -> Iterator[None]:
    """Inside, a package that was not imported yet cannot be: for others that import it wherever it is installed."""
    if package in sys.modules:
        yield
        return
    modules = cast("dict[str, object]", sys.modules)
    modules[package] = None  # Python's own way to say so: importing it raises ModuleNotFoundError
    try:
        yield
    finally:
        del modules[package]
