"""A small workspace and a library over it, made without weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval import dense, indexing, library
from tests.retrieval.made import named

GUIDE = """# Keeping readings

Readings older than `HERON_RETENTION` days are deleted every night by `sweep()`.
A picture that must never load: ![gone](http://127.0.0.1:{port}/pixel.png)
"""
SETTINGS = '''"""Settings of the station."""

HERON_RETENTION = 45
'''
STORE = '''"""Where readings lie."""

from settings import HERON_RETENTION


def sweep(readings, today):
    """Delete what is older than the retention allows."""
    return [r for r in readings if today - r.day <= HERON_RETENTION]
'''


def write(folder: Path, port: int = 9) -> Path:
    """Write the station's files; its guide holds a picture on `port` of this machine."""
    (folder / "src").mkdir(parents=True)
    (folder / "guide.md").write_text(GUIDE.format(port=port))
    (folder / "src" / "settings.py").write_text(SETTINGS)
    (folder / "src" / "store.py").write_text(STORE)
    return folder


def without_weights(patch: pytest.MonkeyPatch) -> None:
    """Have words hashed instead of embedded, and no transformer."""
    for module in (indexing, library, dense):
        patch.setattr(module, "embedder_named", named)
    patch.setenv("HOPLITE_MODELS", "/nonexistent")
