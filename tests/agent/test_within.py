"""A run over a collection is never shown anything from outside, by whatever way it looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.build import make_agent
from agent.settings import Settings, load_settings
from agent.tools import Toolbox
from agent.types import Answered, Event, Searched, Stepped
from agent.within import Within
from ingest.errors import ToolError, UserError
from ingest.types import Chunk
from retrieval.indexing import index
from retrieval.library import Library
from retrieval.workspace import find
from tests.ui import station

QUESTION = "Readings older than how many days are deleted every night?"
REPORT = """from store import sweep


def report(readings):
    sweep(readings, 1)
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    station.without_weights(monkeypatch)
    folder = station.write(tmp_path / "station")
    (folder / "src" / "report.py").write_text(
        "from store import sweep\n\n\ndef report(readings):\n    sweep(readings, 1)\n"
    )
    index([folder])
    with Library(find(folder)) as opened:
        yield opened


def chunks_of(found: Any) -> list[Chunk]:
    return [*found.defined, *found.mentioned]


def test_every_way_of_looking_stays_inside(library: Library) -> None:
    inside = Within(library, ["*.md"])
    assert inside.paths() == ["guide.md"]
    assert {hit.chunk.path for hit in inside.search(QUESTION, k=50).hits} == {"guide.md"}
    hits = library.search(QUESTION, k=50).hits
    assert {hit.chunk.path for hit in inside.leads(QUESTION, hits[:1], k=50).hits} <= {"guide.md"}
    assert {path for path, _, _ in inside.grep("HERON_RETENTION")} == {"guide.md"}
    assert {chunk.path for chunk in chunks_of(inside.symbols("HERON_RETENTION", 50))} == {"guide.md"}
    assert inside.callers("sweep") == []
    assert inside.meanings("sweep") == []
    assert (inside.resolve("src/store.py"), inside.digest("src/store.py")) == (None, None)
    assert (inside.source_of("src/store.py"), inside.chunk_with("src/store.py", 1, "")) == (None, None)
    with pytest.raises(ToolError, match="no indexed file"):
        inside.read("src/store.py", 1, 2)
    assert "Keeping readings" in inside.read("guide.md", 1, 2).text


def test_callers_outside_are_left_out_of_what_is_defined_inside(library: Library) -> None:
    (one,) = library.callers("sweep")
    assert {chunk.path for chunk in one.callers} == {"src/report.py"}
    (one,) = Within(library, ["src/store.py"]).callers("sweep")
    assert one.callers == ()


def events_of(library: Library, tmp_path: Path, **chosen: object) -> list[Event]:
    settings = Settings.model_validate({"model": "none", **chosen})
    return list(make_agent(library, settings, workspace=library.workspace).stream(QUESTION))


def test_a_scoped_run_is_shown_no_passage_from_outside(library: Library, tmp_path: Path) -> None:
    for event in events_of(library, tmp_path, within=["src/settings.py"]):
        if isinstance(event, Searched | Stepped):
            assert {passage.path for passage in event.passages} <= {"src/settings.py"}
        if isinstance(event, Answered):
            assert {cited.path for cited in event.answer.citations} <= {"src/settings.py"}
    answered = [e for e in events_of(library, tmp_path) if isinstance(e, Answered)]
    assert [cited.path for cited in answered[0].answer.citations] == ["guide.md"]


def test_the_tools_of_a_scoped_run_list_and_find_nothing_outside(library: Library) -> None:
    from agent.guard import Marker
    from agent.ledger import Ledger

    tools = Toolbox(Within(library, ["guide.md"]), Ledger(), Marker())
    told = "\n".join([tools.list_files(), tools.search("sweep readings"), tools.grep("sweep"), tools.symbols("sweep")])
    assert "guide.md" in told
    assert "store.py" not in told


def test_an_answer_is_kept_for_its_scope_alone(library: Library, tmp_path: Path) -> None:
    def cached(**chosen: object) -> bool:
        (answered,) = [e for e in events_of(library, tmp_path, memory=False, **chosen) if isinstance(e, Answered)]
        return answered.answer.cached is not None

    assert not cached(within=["guide.md"])
    assert cached(within=["guide.md"])
    assert not cached(within=["*.md"])
    assert not cached()


def test_a_scoped_run_neither_reads_nor_changes_the_memory(library: Library, tmp_path: Path) -> None:
    events_of(library, tmp_path)
    before = library.workspace.memory.read_bytes()
    events_of(library, tmp_path, within=["src/settings.py"])
    assert library.workspace.memory.read_bytes() == before


def test_globs_that_fit_nothing_are_said(library: Library) -> None:
    with pytest.raises(UserError, match=r"Nothing that is indexed fits 'dcos/\*'"):
        Within(library, ["dcos/*"])


def test_a_variable_names_globs_with_commas() -> None:
    assert load_settings(environ={"HOPLITE_WITHIN": "docs/*, *.md"}).settings.within == ("docs/*", "*.md")


def test_the_version_is_of_the_globs_in_any_order(library: Library) -> None:
    one, other = Within(library, ["*.md", "src/*"]), Within(library, ["src/*", "*.md"])
    assert one.version == other.version != library.version
