"""`hoplite memory`: what earlier runs noted, and forgetting it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.errors import UserError
from ui import render
from ui.commands.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from agent.memory import Memory
    from agent.types import Note

_EVERY = 1_000_000


@click.group()
def memory() -> None:
    """Show, export and forget what earlier runs noted. A note is a hint where to look, never evidence."""


@memory.command("list")
@json_option
@workspace_option
def list_(as_json: bool, workspace: Path | None) -> None:
    """Show the notes, those that were looked at last first."""
    held = _memory(workspace)
    notes = held.notes(_EVERY)
    if as_json:
        print_json({"notes": [note.as_json() for note in notes], "unreadable": held.unreadable})
        return
    if not notes:
        click.echo("Nothing is noted yet; `hoplite ask` writes notes.", err=True)
    for note in notes:
        click.echo(
            f"{note.id:>5}  {render.day(note.checked)}  {render.visible(note.question)}{render.note_marks(note)}"
        )
    _unreadable(held)


@memory.command()
@click.argument("note_id", type=int, metavar="ID")
@json_option
@workspace_option
def show(note_id: int, as_json: bool, workspace: Path | None) -> None:
    """Show the note ID: what it says, what it cites, and what it said before."""
    note = _note(_memory(workspace), note_id)
    if as_json:
        print_json(note.as_json())
        return
    click.echo(f"{click.style(render.visible(note.question), bold=True)}{render.note_marks(note)}")
    for question in note.also:
        click.echo(f"also asked: {render.visible(question)}")
    click.echo(f"noted {render.day(note.created)}, last looked at {render.day(note.checked)}")
    for fact in note.facts:
        click.echo(f"\n{render.block(fact.text).strip()}")
        for cited in fact.citations:
            click.echo(render.citation(cited))
    for past in reversed(note.history):
        where = ", ".join(render.place(c.path, c.start_line, c.end_line, c.page) for c in past.fact.citations)
        click.echo(
            f"\nuntil {render.day(past.ended)}: {render.block(past.fact.text).strip()}\n    {where}\n"
            f"    no longer, because {render.visible(past.why)}"
        )


@memory.command()
@click.argument("note_id", type=int, metavar="ID")
@workspace_option
def approve(note_id: int, workspace: Path | None) -> None:
    """Take the mark off the note ID that it was made while text that is not your own was in view: you have read it."""
    note = _memory(workspace).approve(note_id)
    click.echo(f"Note {note_id} is approved: {render.visible(note.question)}", err=True)


@memory.command()
@click.option("--format", "form", type=click.Choice(["json", "markdown"]), default="json", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of standard output.")
@workspace_option
def export(form: str, out: Path | None, workspace: Path | None) -> None:
    """Write every note, with its history, as JSON or as Markdown."""
    import json

    from ui.notes_page import notes_page

    held = _memory(workspace)
    notes = held.notes(_EVERY)
    text = notes_page(notes) if form == "markdown" else json.dumps([note.as_json() for note in notes], indent=1) + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}. Choose another file with --out.") from error
        click.echo(f"{len(notes)} notes are in {out}.", err=True)
    _unreadable(held)


@memory.command()
@click.argument("note_id", type=int, metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Delete every note, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_option
def forget(note_id: int | None, everything: bool, yes: bool, workspace: Path | None) -> None:
    """Delete the note ID with its history, or all notes."""
    if (note_id is None) != everything:
        raise UserError("Say what to forget: the number of one note, or --all. `hoplite memory list` shows the notes.")
    held = _memory(workspace)
    if note_id is not None:
        if not held.forget(note_id):
            raise _no_such(note_id)
        click.echo(f"Note {note_id} is forgotten.", err=True)
        return
    if not yes:
        click.confirm("Forget every note of this workspace, with its history?", abort=True, err=True)
    click.echo(f"{held.forget_all()} notes are forgotten.", err=True)


def _memory(workspace: Path | None) -> Memory:
    from agent.memory import Memory
    from retrieval.workspace import find

    return Memory(find(Path.cwd(), workspace).memory)


def _note(held: Memory, note_id: int) -> Note:
    note = next((note for note in held.notes(_EVERY) if note.id == note_id), None)
    if note is None:
        raise _no_such(note_id)
    return note


def _no_such(note_id: int) -> UserError:
    return UserError(f"There is no note {note_id}. `hoplite memory list` shows their numbers.")


def _unreadable(held: Memory) -> None:
    if held.unreadable:
        click.echo(f"{held.unreadable} rows of the memory are no notes and are left out.", err=True)
