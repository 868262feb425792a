"""A second model's vectors: filled in batch by batch, in step with the index, never believed where they are torn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.errors import EmbedderMismatch, UserError, WorkspaceBusy, WorkspaceDamaged
from retrieval import dense, indexing, library
from retrieval.dense import Behind, Filled, Made
from retrieval.library import Library
from retrieval.protocols import Vectors
from retrieval.store_edge import EdgeStore
from retrieval.tokens import embedded
from retrieval.types import Scope
from retrieval.workspace import Workspace, find
from tests.retrieval.made import HashEmbedder, SecondEmbedder, named

ROOT = Path(__file__).parents[2]
FILES = 10


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights: words hashed, and no transformer."""
    for module in (indexing, library, dense):
        monkeypatch.setattr(module, "embedder_named", named)
    monkeypatch.setenv("HOPLITE_MODELS", "/nonexistent")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of ten notes, a chunk each, indexed."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(FILES):
        about = "heron" if number == 7 else "river"
        (folder / f"note{number}.md").write_text(f"# Note {number}\n\nA {about} of number {number} waits.\n")
    indexing.index([folder], workers=1)
    return folder


@pytest.fixture
def workspace(folder: Path) -> Workspace:
    return find(folder)


def filled(workspace: Workspace, *, batch: int = 4) -> tuple[list[int], SecondEmbedder]:
    """Fill; return how many chunks had a vector after each batch, and the embedder."""
    embedder = SecondEmbedder()
    return [at.done for at in dense.fill(workspace, embedder, batch=batch)], embedder


def held(workspace: Workspace) -> Behind:
    return Behind(dense.folder_in(workspace), Made(SecondEmbedder.name, SecondEmbedder.dim))


def sound(workspace: Workspace) -> bool:
    """Whether exactly the index's chunks have a vector, each that of its own text."""
    with Library(workspace) as opened:
        chunks = opened.store.chunks(sorted(opened.store.ids()))
    want = SecondEmbedder().embed([embedded(chunk) for chunk in chunks.values()])
    behind = held(workspace)
    found = behind.vectors(list(chunks))
    return len(behind) == len(chunks) == len(found) and all(
        np.allclose(found[chunk], vector, atol=1e-6) for chunk, vector in zip(chunks, want, strict=True)
    )


def nearest(workspace: Workspace, query: str) -> str:
    with Library(workspace) as opened:
        result = opened.search(query, k=1, rerank=False)
        return opened.store.chunks([result.stages["dense"][0].id])[result.stages["dense"][0].id].path


# Filling --------------------------------------------------------------------------------------------------------------


def test_every_chunk_gets_a_vector_batch_by_batch(workspace: Workspace) -> None:
    done, embedder = filled(workspace)
    assert (done, len(embedder.texts)) == ([0, 4, 8, 10], 10)
    assert sound(workspace)
    with Library(workspace) as opened:
        assert opened.status().dense == Filled("second-48", 48, 10, 10)


def test_nothing_is_embedded_twice(workspace: Workspace) -> None:
    filled(workspace)
    done, embedder = filled(workspace)
    assert (done, embedder.texts) == ([10], [])


def test_others_search_and_index_between_two_batches(folder: Path, workspace: Workspace) -> None:
    batches = dense.fill(workspace, SecondEmbedder(), batch=4)
    next(batches)
    with Library(workspace) as opened:
        assert opened.search("river", rerank=False).hits
    next(batches)
    (folder / "note0.md").write_text("# Other\n\nwords\n")
    (folder / "note1.md").unlink()
    indexing.index([folder], workers=1)
    assert [at.done == at.chunks for at in batches][-1]
    assert sound(workspace)


def test_a_process_that_holds_the_workspace_is_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "BUSY_SECONDS", 0.0)
    holder = Library(workspace)
    told = []

    def waits(busy: WorkspaceBusy) -> None:
        told.append(str(busy))
        holder.close()

    assert [at.done for at in dense.fill(workspace, SecondEmbedder(), on_wait=waits)] == [0, 10]
    assert "is in use by process" in told[0]


@pytest.mark.parametrize("calls", [2, 3, 4, 5])
def test_a_fill_killed_while_it_writes_goes_on_and_loses_one_batch_at_most(workspace: Workspace, calls: int) -> None:
    """Each batch is two calls of fsync: the odd one comes between the vectors and their ids."""
    command = [sys.executable, "-m", "tests.retrieval.killed_fill", str(workspace.base), "3", str(calls)]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == -9
    done, embedder = filled(workspace)
    assert done[0] == 3 * (calls // 2)
    assert len(embedder.texts) == 10 - done[0]
    assert sound(workspace)


def test_a_changed_file_costs_its_own_chunks_alone(folder: Path, workspace: Workspace) -> None:
    filled(workspace)
    (folder / "note3.md").write_text("# Note 3\n\nAn egret now.\n")
    indexing.index([folder], workers=1)
    assert filled(workspace)[1].texts == ["Note 3\n# Note 3\n\nAn egret now."]
    assert sound(workspace)


def test_what_is_gone_from_the_index_is_gone_here(folder: Path, workspace: Workspace) -> None:
    filled(workspace)
    for number in range(8):
        (folder / f"note{number}.md").unlink()
    indexing.index([folder], workers=1)
    assert filled(workspace)[1].texts == []
    assert sound(workspace)
    assert (dense.folder_in(workspace) / "vectors.f32").stat().st_size == 2 * 48 * 4


# Another model --------------------------------------------------------------------------------------------------------


def test_another_model_is_refused_until_the_first_is_forgotten(workspace: Workspace) -> None:
    filled(workspace)
    third = SecondEmbedder()
    third.name = "third-48"
    with pytest.raises(EmbedderMismatch, match=r"are of second-48 .*, not of third-48 .*--dense none"):
        next(dense.fill(workspace, third))
    assert sound(workspace)
    dense.forget(workspace)
    assert [at.done for at in dense.fill(workspace, third)] == [0, 10]


def test_a_model_that_makes_longer_vectors_now_is_refused(workspace: Workspace) -> None:
    filled(workspace)
    (workspace.base / "new.md").write_text("# New\n\nAn egret.\n")
    indexing.index([workspace.base], workers=1)
    longer = SecondEmbedder()
    longer.dim = 50
    with pytest.raises(EmbedderMismatch, match=r"of second-48 \(48 numbers a vector\), not of second-48 as it is now"):
        list(dense.fill(workspace, longer))


def test_a_fill_with_nothing_to_do_does_not_load_the_model(workspace: Workspace) -> None:
    class Unloaded:
        name = SecondEmbedder.name

        @property
        def dim(self) -> int:
            raise AssertionError("loaded")

        def embed(self, texts: Sequence[str]) -> Vectors:
            raise AssertionError("loaded")

    filled(workspace)
    assert [at.done for at in dense.fill(workspace, Unloaded())] == [10]


def test_the_model_is_that_which_was_asked_for_or_else_the_kept_one(workspace: Workspace) -> None:
    assert dense.chosen(workspace, None) is None
    filled(workspace)
    for asked in (None, "second-48"):
        assert isinstance(dense.chosen(workspace, asked), SecondEmbedder)
    assert dense.chosen(workspace, "none") is None
    with pytest.raises(UserError, match="hash-64 is what the index was made with"):
        dense.chosen(workspace, "hash-64")


def test_a_store_on_a_server_is_refused_in_a_line(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"this one is on http://127\.0\.0\.1:6333\. .*--rebuild --embedder second-48"):
        dense.chosen(workspace, "second-48", store="http://127.0.0.1:6333")


# Torn files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vectors.f32", "ids.i64"])
@pytest.mark.parametrize("kept", [0.0, 0.35, 0.95])
def test_a_file_cut_short_costs_what_it_lost(workspace: Workspace, name: str, kept: float) -> None:
    filled(workspace)
    file = dense.folder_in(workspace) / name
    data = file.read_bytes()
    file.write_bytes(data[: int(kept * len(data))])
    assert nearest(workspace, "a heron") == "note7.md"
    assert len(filled(workspace)[1].texts) == 10 - int(10 * kept)
    assert sound(workspace)


@pytest.mark.parametrize("lost", [bytes(48 * 4), b"\xff" * 48 * 4, b"\x11" * 48 * 4])
def test_vectors_that_no_model_made_are_found_out_and_made_again(workspace: Workspace, lost: bytes) -> None:
    filled(workspace)
    with (dense.folder_in(workspace) / "vectors.f32").open("r+b") as file:
        file.seek(3 * 48 * 4)
        file.write(lost * 2)
    assert len(filled(workspace)[1].texts) == 2
    assert sound(workspace)


def test_vectors_that_nobody_knows_the_model_of_are_refused_and_made_anew(workspace: Workspace) -> None:
    filled(workspace)
    (dense.folder_in(workspace) / "made.json").write_text('{"model": "sec')
    for use in (lambda: Library(workspace), lambda: dense.chosen(workspace, None)):
        with pytest.raises(WorkspaceDamaged, match="Make them again with `hoplite index PATH --dense MODEL`"):
            use()
    assert isinstance(dense.chosen(workspace, "second-48"), SecondEmbedder)
    assert len(filled(workspace)[1].texts) == 10
    assert sound(workspace)


# Searching ------------------------------------------------------------------------------------------------------------


def test_a_search_knows_what_the_second_model_knows(workspace: Workspace) -> None:
    query = "a bird of prey"
    assert nearest(workspace, query) != "note7.md"
    filled(workspace)
    assert nearest(workspace, query) == "note7.md"


@pytest.fixture
def half(workspace: Workspace) -> Iterator[Library]:
    """A library, half of whose chunks have a vector of the second model."""
    for at in dense.fill(workspace, SecondEmbedder(), batch=5):
        if at.done == 5:
            break
    with Library(workspace) as opened:
        yield opened


def test_while_part_is_filled_the_first_model_alone_speaks_for_the_rest(half: Library, workspace: Workspace) -> None:
    query = "the heron waits for number"
    first, second = HashEmbedder().embed([query])[0], SecondEmbedder().embed([query])[0]
    own, made = EdgeStore.vectors(half.store, sorted(half.store.ids())), held(workspace)  # type: ignore[arg-type]
    found = {hit.id: hit.score for hit in half.search(query, rerank=False).stages["dense"]}
    assert len(found) == FILES
    for chunk, score in found.items():
        cosine = float(own[chunk] @ first)
        if chunk in (there := made.vectors([chunk])):
            cosine = (cosine + float(there[chunk] @ second)) / 2
        assert score == pytest.approx(cosine, abs=1e-5)


def test_once_all_is_filled_the_second_model_speaks_alone(workspace: Workspace) -> None:
    filled(workspace)
    query = "the heron waits for number"
    with Library(workspace) as opened:
        found = opened.search(query, rerank=False).stages["dense"]
    want = held(workspace).nearest(SecondEmbedder().embed([query])[0], limit=FILES, among=None)
    assert [hit.id for hit in found] == [hit.id for hit in want]
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in want], abs=1e-6)


def test_a_new_chunk_is_not_passed_over_before_it_is_embedded(folder: Path, workspace: Workspace) -> None:
    filled(workspace)
    (folder / "note3.md").write_text("# Note 3\n\nAn egret now.\n")
    indexing.index([folder], workers=1)
    assert nearest(workspace, "an egret now") == "note3.md"


def test_a_model_that_is_not_what_it_was_is_told_of(half: Library) -> None:
    longer = np.ones(HashEmbedder.dim + 99, np.float32)
    with pytest.raises(EmbedderMismatch, match=r"second-48 makes 99 numbers a vector now, .* have 48"):
        half.store.dense(longer, limit=1, scope=Scope())


def test_a_scope_holds_for_both_models(half: Library) -> None:
    query = dense.Beside(HashEmbedder(), SecondEmbedder(), dense.PART).embed(["number"])[0]
    found = half.store.dense(query, limit=10, scope=Scope("note[12].md"))
    assert {chunk.path for chunk in half.store.chunks([hit.id for hit in found]).values()} == {"note1.md", "note2.md"}


def test_what_an_answer_depends_on_changes_with_the_fill(workspace: Workspace) -> None:
    versions = []
    for at in dense.fill(workspace, SecondEmbedder(), batch=5):
        with Library(workspace) as opened:
            versions.append((at.done, opened.version))
    assert len(set(versions)) == len({version for _, version in versions}) == 3
