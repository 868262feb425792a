"""The command line as a process of its own, without weights: `python -m tests.ui.hashed index PATH`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest

from retrieval import indexing
from retrieval.protocols import Vectors
from tests.retrieval.made import HashEmbedder
from tests.ui import station
from ui.cli import main

HOLD = "HOPLITE_TEST_HOLD"
"""Names a file that is made when the first text is embedded; the run goes on when it is gone."""


class Holding(HashEmbedder):
    """Stops in the middle of a run for as long as the test wants."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        hold = os.environ[HOLD]
        with open(hold, "x", encoding="utf-8"):
            pass
        while os.path.exists(hold):
            time.sleep(0.01)
        return super().embed(texts)


if __name__ == "__main__":
    patch = pytest.MonkeyPatch()
    station.without_weights(patch)
    if HOLD in os.environ:
        patch.setattr(indexing, "embedder_named", lambda name: Holding())
    main()
