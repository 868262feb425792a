from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.ui import station
from ui.cli import cli

Hoplite = Callable[..., Result]


@pytest.fixture
def hoplite() -> Hoplite:
    """Runs the command line in this process and returns its exit code, standard output and standard error."""
    return lambda *words: CliRunner().invoke(cli, list(map(str, words)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A station that is not indexed yet."""
    station.without_weights(monkeypatch)
    return station.write(tmp_path / "station")


@pytest.fixture
def indexed(folder: Path, hoplite: Hoplite) -> Path:
    """A station that is indexed."""
    assert hoplite("index", folder).exit_code == 0
    return folder
