"""What the demo indexes and asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui import station
from tests.ui.conftest import Hoplite
from ui import demo


def test_in_a_clone_its_floors_and_documents_are_indexed() -> None:
    subject = demo.prepare()
    root = Path(demo.__file__).parents[1]
    assert subject.workspace == root / ".hoplite"
    assert {root / "docs", root / "retrieval"} <= set(subject.paths)


def test_elsewhere_the_sample_is_copied_to_the_users_cache(tmp_path: Path, private_home: Path) -> None:
    subject = demo.prepare(tmp_path)
    assert subject.base == private_home / ".cache" / "hoplite" / "sample"
    assert (subject.base / "docs" / "retention.md").is_file()
    assert subject.workspace.is_relative_to(subject.base)


def test_the_samples_search_reaches_the_number_and_the_function(
    hoplite: Hoplite, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.without_weights(monkeypatch)
    monkeypatch.setattr(demo, "_is_clone", lambda root: False)
    result = hoplite("demo", "--model", "none")
    assert result.exit_code == 0
    assert demo.SAMPLE_QUESTION in result.stderr
    assert "station/sweep.py" in result.stderr
    assert "station/settings.py" in result.stderr
