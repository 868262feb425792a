"""A workspace under LlamaIndex, and LlamaIndex's documents in a workspace."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, MetadataMode, TextNode

from ingest.errors import UserError
from retrieval.indexing import index, remove, workspace_for
from retrieval.library import Library
from retrieval.llama import HopliteRetriever, index_documents
from retrieval.types import Scope
from retrieval.workspace import Workspace, find
from tests.ui.station import without_weights, write

QUESTION = "How many days are readings kept before they are deleted?"
PAGE = Path(__file__).parents[2] / "docs" / "llamaindex.md"


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    without_weights(monkeypatch)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "home").mkdir()
    return workspace_for([tmp_path / "home"])


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Library]:
    folder = write(tmp_path / "station")
    index([folder])
    with Library(find(folder)) as library:
        yield library


def texts(workspace: Workspace) -> dict[str, str]:
    """What the workspace holds, by shown path."""
    with Library(workspace) as library:
        return {path: document.text for path in library.paths() if (document := library.resolve(path))}


def ids(workspace: Workspace, question: str) -> list[str]:
    with Library(workspace) as library:
        return [found.node.ref_doc_id for found in HopliteRetriever(library).retrieve(question)]


def test_nodes_say_where_they_stand_and_what_led_to_them(station: Library) -> None:
    found = HopliteRetriever(station, k=3).retrieve(QUESTION)
    hits = station.search(QUESTION, k=3).hits
    assert [(node.node_id, node.text, node.score) for node in found] == [
        (str(hit.chunk.id), hit.chunk.text, hit.score) for hit in hits
    ]
    (settings,) = (node for node in found if node.metadata["path"] == "src/settings.py")
    assert (settings.metadata["start_line"], settings.metadata["end_line"]) == (1, 3)
    assert "HERON_RETENTION" in settings.metadata["names"]
    assert settings.node.ref_doc_id == "src/settings.py"
    assert settings.metadata["via"] == list(next(h.via for h in hits if h.chunk.path == "src/settings.py"))
    # What a model is shown is where the text stands, and the text.
    assert settings.node.get_content(MetadataMode.LLM).startswith("header: src/settings.py")
    assert "via" not in settings.node.get_content(MetadataMode.LLM)


def test_the_number_the_hops_and_the_scope_are_kept_to(station: Library) -> None:
    assert len(HopliteRetriever(station, k=1).retrieve(QUESTION)) == 1
    within = HopliteRetriever(station, scope=Scope(path="src/*")).retrieve(QUESTION)
    assert {node.metadata["path"] for node in within} == {"src/settings.py", "src/store.py"}
    led = [via for node in HopliteRetriever(station).retrieve(QUESTION) for via in node.metadata["via"]]
    straight = [via for node in HopliteRetriever(station, hops=0).retrieve(QUESTION) for via in node.metadata["via"]]
    assert any(via.startswith("hop: ") for via in led)
    assert not any(via.startswith("hop: ") for via in straight)


def test_retrieving_in_a_loop_finds_the_same(station: Library) -> None:
    retriever = HopliteRetriever(station, k=3)
    with ThreadPoolExecutor(1) as pool:  # this thread's own loop, which a library may have made, stays as it is
        found = pool.submit(asyncio.run, retriever.aretrieve(QUESTION)).result()
    assert [(n.node_id, n.score) for n in found] == [(n.node_id, n.score) for n in retriever.retrieve(QUESTION)]


def test_a_document_is_found_by_its_id_again(workspace: Workspace) -> None:
    documents = [Document(text="Herons wade.", id_="birds/heron"), Document(text="Foxes dig.", id_="fox")]
    report = index_documents(documents, workspace)
    assert (report.documents, report.applied.new, report.failures) == (2, 2, ())
    assert texts(workspace) == {"llama_index/birds/heron.md": "Herons wade.", "llama_index/fox.md": "Foxes dig."}
    assert ids(workspace, "Which foxes dig?")[0] == "fox"


def test_only_what_changed_is_read_and_what_is_gone_forgotten(workspace: Workspace) -> None:
    index_documents([Document(text=f"Page {n}.", id_=f"p{n}") for n in range(4)], workspace)
    again = [Document(text="Page 0.", id_="p0"), Document(text="Page one.", id_="p1")]
    applied = index_documents(again, workspace, gone=["p2", "unknown"]).applied
    assert (applied.unchanged, applied.written, applied.forgotten) == (1, 1, 1)
    assert texts(workspace) == {
        "llama_index/p0.md": "Page 0.", "llama_index/p1.md": "Page one.", "llama_index/p3.md": "Page 3.",
    }  # fmt: skip
    assert not (workspace.sources / "llama_index" / "p2.md").exists()


def test_a_document_that_calls_itself_otherwise_moves(workspace: Workspace) -> None:
    index_documents([Document(text="Same.", id_="1", metadata={"file_path": "old.txt"})], workspace)
    applied = index_documents([Document(text="Same.", id_="1", metadata={"file_path": "new.txt"})], workspace).applied
    assert applied.forgotten == 1
    assert texts(workspace) == {"llama_index/new.txt.md": "Same."}


def test_folders_of_this_machine_and_documents_leave_each_other_alone(workspace: Workspace) -> None:
    (workspace.base / "own.md").write_text("My own.")
    index_documents([Document(text="Handed over.", id_="d")], workspace)
    index([workspace.base])
    index_documents([Document(text="Another.", id_="e")], workspace)
    assert set(texts(workspace)) == {"own.md", "llama_index/d.md", "llama_index/e.md"}
    index([workspace.base], rebuild=True)
    assert set(texts(workspace)) == {"own.md", "llama_index/d.md", "llama_index/e.md"}
    remove(["llama_index"], chosen=workspace.folder)
    assert set(texts(workspace)) == {"own.md"}
    assert not (workspace.sources / "llama_index").exists()


def test_no_path_leads_out_of_the_collection_or_is_lost(workspace: Workspace) -> None:
    paths = [
        "../../../outside", "/etc/passwd", "a/../../../outside", "..", ".", "", "/", "..\\..\\outside", "C:\\outside",
        "a\0b", "a\x1b[31m", "\ud800", "x" * 5000, "/".join("a" * 300), ".git/config", "~root/x", ".env", "a.pdf",
        "a.png", "https://h.example/../../x?y=1#z", "file:///etc/passwd",
    ]  # fmt: skip
    documents = [Document(text=f"Heron {n}.", id_=f"{n}", metadata={"file_path": p}) for n, p in enumerate(paths)]
    before = {p for p in workspace.base.parent.rglob("*") if not p.is_relative_to(workspace.folder)}
    report = index_documents(documents, workspace)
    assert (report.documents, report.skipped, report.failures) == (len(paths), {}, ())
    kept = texts(workspace)
    assert sorted(kept.values()) == sorted(document.text for document in documents)
    for shown, text in kept.items():
        assert shown.startswith("llama_index/")
        assert not {"..", ".", ""} & set(shown.split("/"))
        assert shown.isprintable()
        assert (workspace.sources / shown).read_text() == text
    assert {p for p in workspace.base.parent.rglob("*") if not p.is_relative_to(workspace.folder)} == before


def test_a_link_in_the_workspace_is_not_written_through(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    workspace.sources.mkdir(parents=True)
    (workspace.sources / "llama_index").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="reached by a link"):
        index_documents([Document(text="x", id_="1")], workspace)
    assert list((tmp_path / "outside").iterdir()) == []


def test_documents_of_one_path_are_all_kept(workspace: Workspace) -> None:
    paths = ["a.md", "a.md", "A.md", "a.md/b", "a?", "a!"]
    documents = [
        Document(text=f"Text {n}.", id_=f"id {n}", metadata={"file_path": path}) for n, path in enumerate(paths)
    ]
    index_documents(documents, workspace)
    index_documents(documents[::2], workspace)
    assert sorted(texts(workspace).values()) == [f"Text {n}." for n in range(len(paths))]


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "/etc", "Ü", "a b", "x" * 90])
def test_a_collection_has_a_plain_name(workspace: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="names no collection"):
        index_documents([Document(text="x", id_="1")], workspace, collection=name)
    assert not workspace.folder.exists()


def test_collections_do_not_share_ids(workspace: Workspace) -> None:
    for name in ("notes", "mail"):
        index_documents([Document(text=f"In {name}.", id_="1")], workspace, collection=name)
    index_documents([], workspace, collection="mail", gone=["1"])
    assert texts(workspace) == {"notes/1.md": "In notes."}


def test_two_documents_of_one_id_are_refused(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="Two documents have the id twin"):
        index_documents([Document(text="a", id_="twin"), Document(text="b", id_="twin")], workspace)


def test_metadata_is_front_matter_and_its_title_a_name(workspace: Workspace) -> None:
    metadata = {
        "title": 'Moor "North" Survey', "tags": ["water level", "reed"], "day": date(2024, 5, 1), "size": 7,
        "note": "two\nlines\u2028and ---\n---\n", "none": None, "secret": "left out", "file_path": "s.pdf",
    }  # fmt: skip
    document = Document(text="It was wet.", id_="1", metadata=metadata, excluded_embed_metadata_keys=["secret"])
    index_documents([document], workspace)
    head, text = texts(workspace)["llama_index/s.pdf.md"].split("\n---\n\n")
    assert text == "It was wet."
    assert head.split("\n")[1:] == [
        '"title": "Moor \\"North\\" Survey"', '"tags": ["water level", "reed"]', '"day": "2024-05-01"', '"size": 7',
        '"note": "two\\nlines\\u2028and ---\\n---\\n"',
    ]  # fmt: skip
    with Library(workspace) as library:
        assert [chunk.path for chunk in library.symbols("moor north survey").defined] == ["llama_index/s.pdf.md"]
        assert library.symbols("water level").mentioned != ()


def test_code_is_indexed_as_code(workspace: Workspace) -> None:
    text = "def sweep(readings):\n    return readings\n"
    index_documents([Document(text=text, id_="1", metadata={"file_path": "src/store.py", "owner": "a"})], workspace)
    with Library(workspace) as library:
        (chunk,) = library.symbols("sweep").defined
    assert (chunk.path, chunk.kind, chunk.text) == ("llama_index/src/store.py", "code", text.rstrip("\n"))


def test_nodes_of_a_splitter_are_documents_too(workspace: Workspace) -> None:
    long = Document(text=" ".join(f"Heron number {n} wades here." for n in range(200)), id_="long")
    nodes = SentenceSplitter(chunk_size=200, chunk_overlap=0).get_nodes_from_documents([long])
    assert len(nodes) > 2
    assert index_documents(nodes, workspace).documents == len(nodes)
    assert index_documents([TextNode(text="A node.", id_="n")], workspace).documents == len(nodes) + 1


def test_what_a_reader_read_twice_is_there_once(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "station")
    for expected in (3, 0):
        read = SimpleDirectoryReader(str(folder), recursive=True, filename_as_id=True).load_data()
        assert index_documents(read, workspace, collection="station").applied.written == expected
    assert len(texts(workspace)) == 3


def test_half_a_character_is_replaced(workspace: Workspace) -> None:
    documents = [Document(text="Half \ud800.", id_="bad", metadata={"a": "\udfff"}), Document(text="Fine.", id_="good")]
    assert index_documents(documents, workspace).failures == ()
    assert texts(workspace) == {"llama_index/bad.md": '---\n"a": "?"\n---\n\nHalf ?.', "llama_index/good.md": "Fine."}


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    write(tmp_path / "station")
    monkeypatch.chdir(tmp_path / "station")
    exec(compile(example, str(PAGE), "exec"), {"__name__": "__main__"})
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines} == {
        f"llama_index/{p}" for p in ("guide.md", "src/settings.py", "src/store.py")
    }
