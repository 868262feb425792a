"""Serves the page over the folder named on the command line, indexed without weights, asked without a model."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from retrieval.indexing import index
from tests.ui import station
from ui.app import serve
from ui.desk import Workdesk


def main(folder: Path) -> None:
    """Print the address when the page can be reached."""
    with pytest.MonkeyPatch.context() as patch:
        station.without_weights(patch)
        index([folder])
        with Workdesk(folder / ".hoplite", {"model": "none"}) as desk:
            serve(desk, host="127.0.0.1", port=0, on_ready=click.echo)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
