"""`hoplite index --dense M`: the index first, then every chunk with another model, kept up by later runs."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from retrieval import dense
from retrieval.protocols import Vectors
from tests.retrieval.made import SecondEmbedder
from tests.ui import station
from tests.ui.conftest import Hoplite


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of ten notes, and no weights."""
    station.without_weights(monkeypatch)
    monkeypatch.setattr(dense, "fill", functools.partial(dense.fill, batch=4))
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(10):
        (folder / f"note{number}.md").write_text(f"# Note {number}\n\nThe heron of number {number}.\n")
    return folder


def status(hoplite: Hoplite, notes: Path) -> Any:
    return json.loads(hoplite("status", "--json", "--workspace", notes / ".hoplite").stdout)["dense"]


def test_every_chunk_is_embedded_after_the_index_was_made(hoplite: Hoplite, notes: Path) -> None:
    first, second = hoplite("index", notes, "--dense", "second-48").stderr.splitlines()[1:]
    assert first.startswith("10 new")
    assert second.startswith("10 chunks embedded with second-48, 10 of 10 in all; ")
    assert status(hoplite, notes) == {"model": "second-48", "dim": 48, "done": 10, "chunks": 10}
    shown = hoplite("status", "--workspace", notes / ".hoplite").stdout
    assert "dense      second-48, 48 numbers a vector, for 10 of 10 chunks" in shown


def test_later_runs_keep_it_up_unasked_and_a_rebuild_makes_it_anew(hoplite: Hoplite, notes: Path) -> None:
    hoplite("index", notes, "--dense", "second-48")
    (notes / "note0.md").write_text("# Other\n\nwords\n")
    assert "1 chunk embedded with second-48, 10 of 10 in all" in hoplite("index", notes).stderr
    assert "embedded" not in hoplite("index", notes).stderr
    assert "10 chunks embedded with second-48" in hoplite("index", notes, "--rebuild").stderr


@pytest.mark.parametrize("torn", ["manifest.sqlite", "store/dense/made.json"])
def test_a_rebuild_needs_nothing_of_what_it_replaces(hoplite: Hoplite, notes: Path, torn: str) -> None:
    hoplite("index", notes, "--dense", "second-48")
    (notes / ".hoplite" / torn).write_bytes(b"torn" * 999)
    assert hoplite("index", notes).exit_code == 2
    assert hoplite("index", notes, "--rebuild").exit_code == 0
    assert hoplite("search", "heron", "--workspace", notes / ".hoplite").exit_code == 0


def test_a_line_in_the_settings_is_as_good(hoplite: Hoplite, notes: Path) -> None:
    hoplite("index", notes)
    (notes / ".hoplite" / "config.toml").write_text('dense = "second-48"\n')
    report = json.loads(hoplite("index", notes, "--json").stdout)
    assert report["dense"] == status(hoplite, notes) == {"model": "second-48", "dim": 48, "done": 10, "chunks": 10}


def test_none_forgets_it(hoplite: Hoplite, notes: Path) -> None:
    hoplite("index", notes, "--dense", "second-48")
    assert hoplite("index", notes, "--dense", "none").exit_code == 0
    assert status(hoplite, notes) is None
    assert json.loads(hoplite("index", notes, "--json").stdout)["dense"] is None


def test_the_model_of_the_index_itself_is_refused_before_anything_is_done(hoplite: Hoplite, notes: Path) -> None:
    hoplite("index", notes)
    (notes / "note0.md").unlink()
    result = hoplite("index", notes, "--dense", "hash-64")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "hash-64 is what the index was made with" in result.stderr
    assert "9 documents" not in hoplite("status", "--workspace", notes / ".hoplite").stdout


def test_ctrl_c_says_how_far_it_is_and_the_next_run_goes_on(
    hoplite: Hoplite, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(SecondEmbedder):
        def embed(self, texts: Any) -> Vectors:
            if self.texts:
                raise KeyboardInterrupt
            return super().embed(texts)

    with monkeypatch.context() as patch:
        patch.setattr(dense, "embedder_named", lambda name: Interrupted())
        result = hoplite("index", notes, "--dense", "second-48")
    assert result.exit_code == 130
    assert "Stopped. 4 of 10 chunks embedded with second-48. The index can be searched" in result.stderr
    assert hoplite("search", "heron", "--workspace", notes / ".hoplite").exit_code == 0
    assert "6 chunks embedded with second-48, 10 of 10 in all" in hoplite("index", notes).stderr
