"""Serves the page over a workspace that is full of tricks, with an agent whose every word is one, too.

The documents, their names and the search are real; what else the workspace holds `hostile_records` writes. What the
agent says is a script, so that each kind of event and each of its texts carries every trick, whatever checks a real run
would have dropped it at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from agent.types import (
    Answer,
    Answered,
    AnswerToken,
    Citation,
    Clarify,
    Disagreement,
    Event,
    Origin,
    Planned,
    Recalled,
    Reflected,
    Remembered,
    Rewritten,
    Searched,
    Stepped,
)
from retrieval.indexing import index
from retrieval.library import Library
from tests.browser import hostile_records
from tests.browser.tricks import file_name, mark, tricks
from tests.ui import station
from ui.access import Access
from ui.app import serve
from ui.desk import Workdesk

EVERY, NAME = "every.md", "keeper_log"
"""The document that has all the tricks, and the name that each of its passages mentions."""


_FILLING = (
    "The lamp is lit at dusk and put out at dawn, and what was seen between is written down. " * 12
)  # so much that it is stored once


def write(folder: Path, port: int) -> None:
    """Write a document for each trick, with the trick in its name, its title and its text, and one with them all.

    Beside them lie as many whose text is another's, that cannot be read, and that are no text.
    """
    said = tricks(port)
    for below in ("", "copied", "failing", "skipped"):
        (folder / below).mkdir()
    for number, (name, text) in enumerate(said.items()):
        called = file_name(name, number, port)
        page = f"# {name} {text}\n\nOf {mark(name)} the lighthouse keeper says in `{NAME}`: {text}\n\n{_FILLING}\n"
        (folder / called).write_text(page, encoding="utf-8")
        (folder / "copied" / called).write_text(page, encoding="utf-8")
        (folder / "failing" / f"{called}.ipynb").write_text(text, encoding="utf-8")
        (folder / "skipped" / called).write_bytes(b"\0\1\2" * 100)
    parts = (f"## {mark(name)} {text}\n\n`{NAME}()` says: {text}\n{_FILLING}\n" for name, text in said.items())
    (folder / EVERY).write_text("\n".join(["# Every trick\n", *parts]), encoding="utf-8")
    (folder / "log.py").write_text(f"def {NAME}():\n    return 1\n", encoding="utf-8")


def change(folder: Path, port: int) -> None:
    """Change the documents that are named with a trick, after they were indexed."""
    for number, name in enumerate(tricks(port)):
        with (folder / file_name(name, number, port)).open("a", encoding="utf-8") as file:
            file.write("\nMore.\n")


class Hostile:
    """An agent that says nothing but tricks, with the documents as its sources."""

    chat = None
    resumable = ""

    def __init__(self, library: Library, port: int) -> None:
        self._library = library
        self._said = {name: f"{mark(name)} {text}" for name, text in tricks(port).items()}

    def stream(self, question: str, plan: Any = None, *, fresh: bool = False, **more: Any) -> Iterator[Event]:
        """Yield every kind of event, each with every trick in each of its texts."""
        every = tuple(self._said.values())
        said = "\n\n".join(every)
        hits = self._library.search("lighthouse keeper", k=100).hits
        shown = tuple(self._library.read(hit.chunk.path, hit.chunk.start_line, hit.chunk.end_line) for hit in hits)
        yield Rewritten(question, said, "model")
        yield Recalled((), problem=said)
        yield Clarify(said, every)
        yield Planned(said, every, every)
        cited = tuple(
            Citation(
                str(number), hit.chunk.path, hit.chunk.start_line, hit.chunk.end_line, hit.chunk.text, number % 2 == 0,
                stale=True, source=Origin(said, said, "2026-01-01T00:00:00Z", dirty=True), moved=True, judged=True,
            )
            for number, hit in enumerate(hits, start=1)
        )  # fmt: skip
        yield Searched(said, shown, 0.1)
        yield Stepped(1, said, said, shown, None, 0.1)
        yield Stepped(2, said, "", (), said, 0.1)
        yield Reflected(said, False)
        for piece in every:
            yield AnswerToken(piece)
        answer = "\n\n".join(f"{text} [{number}]" for number, text in enumerate(every, start=1))
        yield Answered(
            Answer(
                question, answer, False, cited, trace_id="0" * 32, stopped=said, stale=every, models=every,
                form="report",
                disagreements=(Disagreement(said, (said, said), (cited[0], cited[1])),), sandbox=said,
            )
        )  # fmt: skip
        yield Remembered(None, said)

    def clarify(self, question: str) -> None:
        """Ask nothing."""

    def stop(self) -> None:
        """Go on."""


def main(folder: Path, port: int) -> None:
    """Print the address when the page can be reached."""
    with pytest.MonkeyPatch.context() as patch:
        station.without_weights(patch)
        index([folder])
        change(folder, port)
        with Workdesk(folder / ".hoplite", {"model": "none"}) as desk:
            hostile_records.write_all(desk.home(), port)
            patch.setattr(Workdesk, "agent", lambda self, *_, **__: Hostile(self._opened(), port))
            serve(desk, access=Access(), port=0, on_ready=click.echo, at_once=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
