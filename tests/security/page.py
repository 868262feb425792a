"""The real page over a small workspace, for those who attack it: with one view more, in which files are dropped."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from retrieval.indexing import index
from tests.ui import station
from ui import app, markup
from ui.access import access
from ui.desk import Workdesk
from ui.uploads import take
from ui.views.frame import EVENTS, Frame, View, shown

FILE_LIMIT = 1_000_000


class Drop:
    """Takes in what is dropped, as a view of the page does, and says what became of it."""

    name = "drop"
    title = "Drop"

    def __init__(self, desk: Workdesk) -> None:
        self._desk = desk

    def build(self, frame: Frame) -> None:
        """Make the box, and say what was taken."""
        import gradio as gr

        def taken(files: list[str]) -> str:
            assert self._desk.workspace is not None
            names = [path.name for path in take(files, self._desk.workspace, file_limit=FILE_LIMIT)]
            return f"<p>{markup.escaped(', '.join(names))}</p>"

        box = gr.File(file_count="multiple", elem_id="drop")
        box.upload(taken, box, shown("taken"), **EVENTS)


def main(folder: Path, *names: str) -> None:
    """Print the address when the page can be reached."""
    with pytest.MonkeyPatch.context() as patch:
        station.without_weights(patch)
        views: Any = app.views

        def with_drop(desk: Workdesk) -> tuple[View, ...]:
            return (*views(desk), Drop(desk))

        patch.setattr(app, "views", with_drop)
        who = access("127.0.0.1", names, None, os.environ)
        index([folder])
        with Workdesk(folder / ".hoplite", {"model": "none"}) as desk:
            app.serve(desk, access=who, port=0, on_ready=click.echo, file_limit=FILE_LIMIT, at_once=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
