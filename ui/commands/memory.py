"""`hoplite memory`: what earlier runs noted, and forgetting it."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.errors import UserError
from ui import render
from ui.commands.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from agent.memory import Memory
    from agent.types import Note


@click.group()
def memory() -> None:
    """Show and forget what earlier runs noted. A note is a hint where to look, never evidence."""


@memory.command("list")
@json_option
@workspace_option
def list_(as_json: bool, workspace: Path | None) -> None:
    """Show the notes, newest first."""
    notes = _memory(workspace).notes()
    if as_json:
        print_json({"notes": [asdict(note) for note in notes]})
    elif not notes:
        click.echo("Nothing is noted yet; `hoplite ask` writes notes.", err=True)
    else:
        for note in notes:
            written = time.strftime("%Y-%m-%d", time.localtime(note.created))
            click.echo(f"{note.id:>5}  {written}  {render.visible(note.question)}")


@memory.command()
@click.argument("note_id", type=int, metavar="ID")
@json_option
@workspace_option
def show(note_id: int, as_json: bool, workspace: Path | None) -> None:
    """Show the note ID with what it cites."""
    note = _note(_memory(workspace), note_id)
    if as_json:
        print_json(asdict(note))
        return
    click.echo(f"{click.style(render.visible(note.question), bold=True)}\n\n{render.block(note.conclusion).strip()}")
    for cited in note.citations:
        click.echo(render.citation(cited))


@memory.command()
@click.argument("note_id", type=int, metavar="ID")
@workspace_option
def forget(note_id: int, workspace: Path | None) -> None:
    """Delete the note ID."""
    if not _memory(workspace).forget(note_id):
        raise UserError(f"There is no note {note_id}. `hoplite memory list` shows their numbers.")
    click.echo(f"Note {note_id} is forgotten.", err=True)


def _memory(workspace: Path | None) -> Memory:
    from agent.memory import Memory
    from retrieval.workspace import find

    return Memory(find(Path.cwd(), workspace).memory)


def _note(notes: Memory, note_id: int) -> Note:
    for note in notes.notes(limit=100_000):
        if note.id == note_id:
            return note
    raise UserError(f"There is no note {note_id}. `hoplite memory list` shows their numbers.")
