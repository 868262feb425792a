"""The second half of `hoplite index --dense M`: every chunk is embedded with another model, behind the index."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ui.progress import Meter
from ui.render import counted, visible

if TYPE_CHECKING:
    from ingest.errors import WorkspaceBusy
    from retrieval.dense import Filled
    from retrieval.protocols import Embedder
    from retrieval.workspace import Workspace


class Filling:
    """A fill of one workspace, batch by batch, so that other work can come between. Without a model it has nothing to
    do."""

    def __init__(self, workspace: Workspace, embedder: Embedder | None, *, quiet: bool = False) -> None:
        self._workspace = workspace
        self._embedder = embedder
        self._quiet = quiet
        self._batches: Iterator[Filled] | None = None
        self._meter: Meter | None = None
        self._told = False
        self._first: int | None = None
        self._begun = 0.0
        self.at: Filled | None = None
        """How far it is; None before the first look."""

    @property
    def open(self) -> bool:
        """Whether there may be chunks left to embed."""
        return self._batches is not None

    def begin(self) -> None:
        """Look again what is left to do: the index may have changed."""
        from retrieval.dense import fill

        self.close()
        if self._embedder is not None:
            self._first, self._begun, self._told = None, time.monotonic(), False
            self._batches = fill(self._workspace, self._embedder, on_wait=self._waits)

    def step(self) -> None:
        """Embed one batch, and say so at the end of the last one. Raises what `retrieval.dense.fill` raises."""
        if self._batches is None:
            return
        at = next(self._batches, None)
        if at is None:
            self._say_done()
            self.close()
            return
        self._first = at.done if self._first is None else self._first
        self.at = at
        if self._meter is None:
            self._meter = Meter(unit="chunks", quiet=self._quiet).__enter__()
        self._meter.show(f"embedding with {visible(at.model)}", at.done, at.chunks)

    def close(self) -> None:
        """Stop where it is; what was embedded stays. Twice is no error."""
        if self._meter is not None:
            self._meter.__exit__(None, None, None)
        self._meter = self._batches = None

    def _say_done(self) -> None:
        at, seconds = self.at, time.monotonic() - self._begun
        made = at.done - self._first if at is not None and self._first is not None else 0
        if at is not None and made and not self._quiet:
            click.echo(
                f"{counted(made, 'chunk')} embedded with {visible(at.model)}, {at.done:,} of {at.chunks:,} in all; "
                f"{seconds:.1f} s, {made / max(seconds, 1e-9):,.0f} a second",
                err=True,
            )

    def _waits(self, busy: WorkspaceBusy) -> None:
        if not self._told:
            click.echo(f"Embedding waits: {visible(str(busy))}", err=True)
        self._told = True
