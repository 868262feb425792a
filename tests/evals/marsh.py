"""A small workspace whose pages and code are joined by names, for what is drafted from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from retrieval.indexing import index
from retrieval.library import Library
from retrieval.workspace import find
from tests.ui import station

FILES = {
    "docs/keeping.md": """# Keeping readings

Readings of herons are deleted by the nightly round once they are older than `HERON_RETENTION` days.
The round itself is the work of `sweep_readings()`, which looks at 750 readings before it rests.
""",
    "docs/buoys.md": """# Buoys

Every buoy sends a line over the radio, and the marsh has 14 buoys between the inlet and the weir.
""",
    "src/settings.py": '''"""Settings of the station."""

HERON_RETENTION = 45
''',
    "src/water.py": '''"""Settings of the water."""

WATER_RETENTION = 60
''',
    "src/store.py": '''"""Where readings lie."""

from settings import HERON_RETENTION


def sweep_readings(readings, today, pause=0.25):
    """Delete what is older than the retention allows."""
    return [reading for reading in readings if today - reading.day <= HERON_RETENTION]


class MarshStore(StationStore):
    """Readings of the marsh, in one file."""
''',
    "src/night.py": '''"""The nightly round."""


def night_round(store, today):
    """Sweep the store, and say how many readings are gone."""
    gone_readings = len(sweep_readings(store.readings, today))
    return gone_readings
''',
}


def write(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@contextmanager
def library(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Library]:
    """The marsh, indexed without weights and open."""
    station.without_weights(patch)
    index([write(folder)])
    with Library(find(folder)) as opened:
        yield opened
