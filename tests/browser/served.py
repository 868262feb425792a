"""Serves the page over the folder named on the command line, indexed without weights, asked without a model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import pytest

from retrieval.indexing import index
from tests.ui import station
from ui.access import access
from ui.app import serve
from ui.desk import Workdesk


def main(folder: Path, *names: str) -> None:
    """Print the address when the page can be reached. A password is taken from the environment, as in use."""
    with pytest.MonkeyPatch.context() as patch:
        station.without_weights(patch)
        who = access("127.0.0.1", names, None, os.environ)
        index([folder])
        with Workdesk(folder / ".hoplite", {"model": "none"}) as desk:
            serve(desk, access=who, port=0, on_ready=click.echo, at_once=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
