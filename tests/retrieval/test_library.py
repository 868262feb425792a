from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import EmbedderMismatch, ToolError, UserError, WorkspaceBusy, WorkspaceDamaged, WorkspaceMissing
from retrieval import indexing, library
from retrieval.library import Library
from retrieval.workspace import create, find
from tests.documents import pptx
from tests.retrieval.made import HashEmbedder

GUIDE = """# Keeping readings

Readings older than `HERON_RETENTION` days are deleted every night by `sweep()`.
The station writes one reading a minute.
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


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights: words hashed, and no transformer."""
    for module in (indexing, library):
        monkeypatch.setattr(module, "embedder_named", lambda name: HashEmbedder())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "station"
    (folder / "src").mkdir(parents=True)
    (folder / "guide.md").write_text(GUIDE)
    (folder / "src" / "settings.py").write_text(SETTINGS)
    (folder / "src" / "store.py").write_text(STORE)
    return folder


@pytest.fixture
def opened(folder: Path) -> Iterator[Library]:
    indexing.index([folder])
    with Library(find(folder)) as opened:
        yield opened


def test_a_search_leads_from_the_page_to_the_code_it_names(opened: Library) -> None:
    result = opened.search("How many days are readings kept before they are deleted?", k=3)
    assert {hit.chunk.path for hit in result.hits} == {"guide.md", "src/settings.py", "src/store.py"}


def test_passages_are_labelled_and_keep_their_lines(opened: Library, folder: Path) -> None:
    result = opened.search("retention", k=3)
    for number, passage in enumerate(opened.passages(result, query="retention"), 1):
        lines = (folder / passage.path).read_text().split("\n")
        assert passage.label == str(number)
        assert passage.text == "\n".join(lines[passage.start_line - 1 : passage.end_line])


def test_a_name_knows_where_it_is_defined_and_who_mentions_it(opened: Library) -> None:
    symbols = opened.symbols("HERON_RETENTION")
    assert [chunk.path for chunk in symbols.defined] == ["src/settings.py"]
    assert {chunk.path for chunk in symbols.mentioned} == {"guide.md", "src/store.py"}
    assert [chunk.path for chunk in opened.symbols("sweep()").defined] == ["src/store.py"]


@pytest.mark.parametrize("name", ["heron_retention", "heronRetention", "HeronRetention", "config.heronRetention"])
def test_an_unknown_name_suggests_what_is_spelled_alike(opened: Library, name: str) -> None:
    symbols = opened.symbols(name)
    assert (symbols.defined, symbols.near) == ((), ("HERON_RETENTION",))


def test_a_chunk_is_found_by_its_quote_and_else_by_its_line(opened: Library) -> None:
    quote = "The station writes\n one reading a minute."
    by_quote, by_line = opened.chunk_with("guide.md", 99, quote), opened.chunk_with("src/settings.py", 3, "gone")
    assert by_quote is not None
    assert "one reading a minute" in by_quote.text
    assert by_line is not None
    assert "HERON_RETENTION = 45" in by_line.text
    assert (opened.chunk_with("guide.md", 99, "gone"), opened.chunk_with("none.md", 1, "")) == (None, None)


def test_read_returns_lines_of_the_file_as_it_is_now(opened: Library, folder: Path) -> None:
    (folder / "src" / "settings.py").write_text("HERON_RETENTION = 60\n")
    assert opened.read("src/settings.py", 1, 9).text == "HERON_RETENTION = 60\n"


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "src/../../secret", ".hoplite/manifest.sqlite", "none.md"]
)
def test_only_what_was_indexed_can_be_read(opened: Library, path: str) -> None:
    assert opened.resolve(path) is None
    with pytest.raises(ToolError, match="no indexed file"):
        opened.read(path, 1, 2)


def test_a_file_name_alone_is_told_where_it_is(opened: Library) -> None:
    with pytest.raises(ToolError, match=r"Did you mean src/store\.py\?"):
        opened.read("store.py", 1, 2)


def test_lines_that_are_not_there_are_said(opened: Library) -> None:
    with pytest.raises(ToolError, match="has lines 1 to 4; asked for 90 to 99"):
        opened.read("src/settings.py", 90, 99)


def test_grep_finds_lines_and_says_where(opened: Library) -> None:
    assert opened.grep(r"HERON_\w+ = \d+") == [("src/settings.py", 3, "HERON_RETENTION = 45")]
    assert opened.grep("HERON", path_glob="*.md")[0][0] == "guide.md"
    assert len(opened.grep(".", limit=2)) == 2


def test_a_pattern_that_is_none_is_told_what_is_wrong(opened: Library) -> None:
    with pytest.raises(ToolError, match="no regular expression"):
        opened.grep("(")


def test_a_pattern_that_backtracks_without_end_is_stopped(
    opened: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "GREP_SECONDS", 0.2)
    (folder / "guide.md").write_text("a" * 60 + "b\n")
    with pytest.raises(ToolError, match="took longer"):
        opened.grep(r"(a|aa)+$")


def test_status_counts_and_tells_what_changed_since(opened: Library, folder: Path) -> None:
    assert opened.status().stale == ()
    (folder / "guide.md").write_text(GUIDE + "More.\n")
    (folder / "src" / "store.py").unlink()
    status = opened.status()
    assert status.stale == ("guide.md", "src/store.py")
    assert (status.totals.documents, dict(status.languages)) == (3, {"python": 2, "markdown": 1})


def test_size_is_what_the_disk_gives_not_how_long_sparse_files_are(opened: Library) -> None:
    before = opened.status().size
    with (opened.workspace.folder / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert 0 < before <= opened.status().size < before + (1 << 20)


def test_what_cannot_be_opened_holds_nothing_open(folder: Path) -> None:
    indexing.index([folder])
    with Library(find(folder)) as opened:
        opened.store.remove(sorted(opened.store.ids())[:2])
    with pytest.raises(WorkspaceDamaged):
        Library(find(folder))
    held = [fd.resolve() for fd in Path("/proc/self/fd").iterdir()]
    assert [path for path in held if path.is_relative_to(folder)] == []


def test_the_fingerprint_changes_with_the_index(folder: Path) -> None:
    prints = []
    for text in (GUIDE, GUIDE, GUIDE + "More.\n"):
        (folder / "guide.md").write_text(text)
        indexing.index([folder])
        with Library(find(folder)) as opened:
            prints.append(opened.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_the_version_is_another_one_with_the_index_and_with_the_transformer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def version(**chosen: str) -> str | None:
        with Library(find(folder), **chosen) as opened:
            return opened.version

    indexing.index([folder])
    monkeypatch.setattr(library.weights, "installed", lambda name: None)
    without = [version(), version()]
    monkeypatch.setattr(library.weights, "installed", lambda name: tmp_path)
    monkeypatch.setattr(library, "reader_named", lambda name: None)
    closely = [version(), version(reranker="other")]
    (folder / "guide.md").unlink()
    indexing.index([folder])
    assert without[0] == without[1]
    assert len({*without, *closely, version()}) == 4


def test_an_index_on_a_server_has_no_version_because_others_may_write_to_it(
    opened: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened.store, "state", lambda: None, raising=False)
    assert opened.version is None


def test_a_workspace_in_use_names_its_holder(opened: Library) -> None:
    with pytest.raises(WorkspaceBusy, match="process"):
        Library(opened.workspace)


def test_a_workspace_without_an_index_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceMissing, match="hoplite index"):
        Library(create(tmp_path / ".hoplite", tmp_path))


def test_a_store_that_lost_chunks_is_refused_and_the_next_run_mends_it(folder: Path) -> None:
    report = indexing.index([folder])
    with Library(find(folder)) as opened:
        opened.store.remove(sorted(opened.store.ids())[:2])
    with pytest.raises(WorkspaceDamaged, match="hoplite index"):
        Library(find(folder))
    again = indexing.index([folder])
    assert (again.chunks, again.repaired > 0) == (report.chunks, True)
    Library(find(folder)).close()


def test_an_unchanged_folder_is_not_read_again(folder: Path) -> None:
    indexing.index([folder])
    assert indexing.index([folder]).applied.unchanged == 3


def test_a_file_that_changed_or_went_is_all_that_is_touched(folder: Path) -> None:
    indexing.index([folder])
    (folder / "guide.md").write_text("# Gone\n\nNothing here.\n")
    (folder / "src" / "store.py").unlink()
    applied = indexing.index([folder]).applied
    assert (applied.written, applied.unchanged, applied.forgotten) == (1, 1, 1)


def test_another_embedder_is_refused_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexing.index([folder])
    monkeypatch.setattr(HashEmbedder, "name", "hash-128")
    monkeypatch.setattr(HashEmbedder, "dim", 128)
    with pytest.raises(EmbedderMismatch, match=r"indexed with hash-64 \(64 numbers a vector\); hash-128 makes 128"):
        indexing.index([folder])


def test_a_folder_below_is_indexed_into_the_workspace_above(folder: Path) -> None:
    indexing.index([folder])
    assert indexing.index([folder / "src"]).documents == 3
    assert not (folder / "src" / ".hoplite").exists()


def test_removing_a_path_forgets_what_lies_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexing.index([folder])
    monkeypatch.chdir(folder)
    assert indexing.remove([Path("src")]).paths == ("src/settings.py", "src/store.py")
    with Library(find(folder)) as opened:
        assert opened.paths() == ["guide.md"]
    with pytest.raises(UserError, match="Nothing that is indexed"):
        indexing.remove([Path("src")])


def test_a_folder_that_is_not_there_or_empty_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file or folder"):
        indexing.index([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"nothing to index .* Name a folder"):
        indexing.index([tmp_path / "empty"])
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_folder_that_was_moved_with_its_workspace_is_read_at_its_new_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexing.index([folder])
    moved = folder.rename(tmp_path / "moved")
    assert indexing.index([moved]).applied.written == 0
    with Library(find(moved)) as opened:
        assert opened.status().stale == ()
        assert opened.resolve("guide.md") is not None


def test_a_document_is_found_by_grep_as_it_was_indexed_and_not_parsed_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "deck.pptx").write_bytes(pptx(("Pumps", "They lift water.\nThey rest at night.")))
    indexing.index([folder])
    monkeypatch.setattr(library, "load", lambda *_: pytest.fail("it was parsed again"))
    with Library(find(folder)) as opened:
        assert opened.grep("rest at", "*.pptx") == [("deck.pptx", 4, "- They rest at night.")]
        (hit,) = opened.search("Which pumps lift water?", k=1).hits
    assert (hit.chunk.path, hit.chunk.page) == ("deck.pptx", 1)
