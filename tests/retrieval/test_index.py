from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ingest.errors import EmbedderMismatch, FileFailed, WorkspaceDamaged
from ingest.ids import chunk_id
from ingest.reading import FileRead
from ingest.types import Chunk
from retrieval.index import Applied, Indexer, repair, verify
from retrieval.manifest import Failure, Manifest
from retrieval.protocols import Vectors
from retrieval.store_edge import EdgeStore
from retrieval.terms import Terms
from retrieval.types import Counts, Scope, Scored

DIM = 8


class HashEmbedder:
    """A vector from the hash of the text; counts what it embeds."""

    name, dim = "hash", DIM

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        rows = [np.frombuffer(hashlib.sha256(t.encode()).digest()[:DIM], np.uint8) for t in texts]
        made: Vectors = np.stack(rows).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made


class Stop(BaseException):
    """Stands for Ctrl-C."""


class Stopping:
    """Passes every call on, and stops before or after the n-th one that writes."""

    WRITES = ("write", "remove", "record", "forget", "touch", "embed")

    def __init__(self, real: Any, countdown: list[int], *, after: bool) -> None:
        self._real, self._countdown, self._after = real, countdown, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if name not in self.WRITES:
            return method

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._countdown[0] -= 1
            if self._countdown[0] == 0 and not self._after:
                raise Stop
            result = method(*args, **kwargs)
            if self._countdown[0] == 0:
                raise Stop
            return result

        return counted


class MemoryStore:
    """As much of a store as the writer uses, in two dictionaries."""

    def __init__(self) -> None:
        self.rows: dict[int, Chunk] = {}
        self.points: dict[int, Vectors] = {}

    def write(self, chunks: Sequence[Chunk], vectors: Vectors, terms: Terms) -> None:
        self.points |= {c.id: v for c, v in zip(chunks, vectors, strict=True)}
        self.rows |= {c.id: c for c in chunks}

    def remove(self, ids: Sequence[int]) -> None:
        for i in ids:
            self.rows.pop(i, None)
            self.points.pop(i, None)

    def counts(self) -> Counts:
        return Counts(len(self.rows), len(self.points))

    def ids(self) -> set[int]:
        return self.rows.keys() | self.points.keys()

    def strays(self, owned: Collection[int], covered: Callable[[str], bool]) -> list[int]:
        return sorted(self.ids().difference(owned))

    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        return {i: self.rows[i] for i in ids if i in self.rows}

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        return {i: self.points[i] for i in ids if i in self.points}


class Desk:
    """A workspace's store and manifest with the embedder, opened."""

    def __init__(self, folder: Path | None = None) -> None:
        self.store: Any = EdgeStore(folder / "store", DIM) if folder else MemoryStore()
        self.manifest = Manifest(folder / "manifest.sqlite" if folder else Path(":memory:"))
        self.embedder = HashEmbedder()

    def apply(self, *results: FileRead, walked: Callable[[str], bool] = lambda path: True, **options: Any) -> Applied:
        gone = {path for path in self.manifest.paths() - {result.path for result in results} if walked(path)}
        indexer = Indexer(self.store, self.manifest, self.embedder, batch=3)
        return indexer.apply(results, gone=gone, covered=walked, **options)

    def state(self) -> tuple[object, ...]:
        """Everything that a run leaves behind."""
        ids = sorted(self.store.ids())
        owned = self.manifest.owned(sorted(self.manifest.paths()))
        return ids, self.store.chunks(ids), sorted(self.store.vectors(ids)), owned, self.store.counts()

    def found(self, term: str) -> list[Scored]:
        found: list[Scored] = self.store.lexical([term], limit=99, scope=Scope())
        return found

    def close(self) -> None:
        self.manifest.close()
        if isinstance(self.store, EdgeStore):
            self.store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk")
    yield made
    made.close()


def a_file(path: str, *texts: str, mtime_ns: int = 1) -> FileRead:
    chunks = tuple(
        Chunk(chunk_id(path, t, 0), path, "prose", "markdown", "", path, t, i, i, (f"{path} {t}",), ("heron",))
        for i, t in enumerate(texts, start=1)
    )
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return FileRead(path, f"/base/{path}", digest, 10, mtime_ns, "prose", "markdown", chunks)


def as_it_was(result: FileRead, mtime_ns: int = 1) -> FileRead:
    return replace(result, chunks=None, mtime_ns=mtime_ns)


FIRST = (a_file("a.md", "heron one", "egret"), a_file("b.md", "stork"), a_file("c.md", "ibis", "crane", "heron two"))
# a.md lost a chunk, got one, and its first one moved; b.md is as it was; c.md is gone; d.md is new.
A2 = a_file("a.md", "preface", "heron one", mtime_ns=2)
SECOND = (A2, as_it_was(FIRST[1]), a_file("d.md", "heron three", "gull"))


def test_what_was_read_is_found_and_owned(desk: Desk) -> None:
    assert desk.apply(*FIRST) == Applied(written=3, new=3, chunks=6, embedded=6)
    assert desk.store.counts() == Counts(6, 6)
    assert desk.manifest.chunk_ids() == desk.store.ids() == {c.id for r in FIRST for c in r.chunks or ()}
    assert len(desk.found("heron")) == 2


def test_the_headings_are_embedded_with_the_text_and_the_path_is_not(desk: Desk) -> None:
    (bare,) = FIRST[1].chunks or ()
    desk.apply(replace(FIRST[1], chunks=(bare, replace(bare, id=7, header="b.md > Birds > Storks"))))
    assert desk.embedder.texts == ["stork", "Birds > Storks\nstork"]


def test_a_second_run_touches_only_what_changed(desk: Desk) -> None:
    desk.apply(*FIRST)
    desk.embedder.texts.clear()
    done = desk.apply(*SECOND)
    assert done == Applied(written=2, new=1, unchanged=1, forgotten=1, chunks=4, embedded=3)
    assert desk.embedder.texts == ["preface", "heron three", "gull"]
    assert desk.manifest.paths() == {"a.md", "b.md", "d.md"}
    assert desk.store.ids() == desk.manifest.chunk_ids()


def test_a_chunk_that_moved_has_its_new_lines(desk: Desk) -> None:
    desk.apply(*FIRST)
    desk.apply(*SECOND)
    assert [(c.text, c.start_line) for c in desk.store.in_document("a.md")] == [("preface", 1), ("heron one", 2)]


def test_the_same_files_again_change_nothing(desk: Desk) -> None:
    desk.apply(*FIRST)
    before = desk.state()
    assert desk.apply(*FIRST).embedded == 0
    assert desk.state() == before


def test_updating_leaves_what_a_fresh_index_has(desk: Desk, tmp_path: Path) -> None:
    desk.apply(*FIRST)
    desk.apply(*SECOND)
    fresh = Desk(tmp_path / "fresh")
    fresh.apply(A2, FIRST[1], SECOND[2])
    assert desk.state() == fresh.state()
    assert desk.found("heron") == fresh.found("heron") != []
    fresh.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_stopped_at_any_step_resumes_with_nothing_lost_or_doubled(after: bool) -> None:
    whole = Desk()
    whole.apply(*FIRST)
    whole.apply(*SECOND)
    want, step, stopped = whole.state(), 0, True
    whole.close()
    while stopped:
        step += 1
        desk, countdown = Desk(), [step]
        for results in (FIRST, SECOND):
            parts: Any = [Stopping(p, countdown, after=after) for p in (desk.store, desk.manifest, desk.embedder)]
            try:
                Indexer(*parts, batch=3).apply(results, gone=desk.manifest.paths() - {r.path for r in results})
                stopped = False
            except Stop:
                stopped = True
                verify(desk.store, desk.manifest)  # whatever was left behind, it can be searched
                desk.apply(*results)
                if results is FIRST:
                    desk.apply(*SECOND)
                break
        assert desk.state() == want, f"stopped at step {step}"
        desk.close()
    assert step > 10


def test_new_chunks_are_there_before_old_ones_go(desk: Desk) -> None:
    desk.apply(a_file("a.md", "heron one"))
    order: list[str] = []

    class Watching(Stopping):
        def __getattr__(self, name: str) -> Any:
            if name in ("write", "record", "remove"):
                order.append(name)
            return getattr(self._real, name)

    watched = Watching(desk.store, [0], after=False), Watching(desk.manifest, [0], after=False)
    Indexer(*watched, desk.embedder).apply([a_file("a.md", "heron two")])  # type: ignore[arg-type]
    assert order[:3] == ["write", "record", "remove"]


def test_a_touched_file_is_noted_without_being_written(desk: Desk) -> None:
    desk.apply(FIRST[1])
    assert desk.apply(as_it_was(FIRST[1], mtime_ns=9)) == Applied(unchanged=1)
    assert desk.manifest.known() == {"b.md": (10, 9, b"/base/b.md")}


def test_only_what_was_walked_past_is_forgotten(desk: Desk) -> None:
    desk.apply(a_file("docs/a.md", "x"), a_file("src/b.md", "y"))
    desk.apply(a_file("docs/c.md", "z"), walked=lambda path: path.startswith("docs/"))
    assert desk.manifest.paths() == {"docs/c.md", "src/b.md"}


def test_a_failed_file_is_noted_and_the_others_go_on(desk: Desk) -> None:
    desk.apply(*FIRST)
    broken = replace(FIRST[0], chunks=None, error=FileFailed("syntax", "a.md: line 3"))
    done = desk.apply(broken, *FIRST[1:])
    assert (done.failed, done.written) == (1, 2)
    assert desk.manifest.failures() == (Failure("a.md", "syntax", "a.md: line 3"),)
    assert desk.manifest.paths() == {"b.md", "c.md"}
    assert desk.store.in_document("a.md") == []


@pytest.mark.parametrize("odd", [a_file("a.md", "x")], ids=["half a surrogate pair"])
def test_text_that_is_not_unicode_fails_its_file_only(desk: Desk, odd: FileRead) -> None:
    assert odd.chunks is not None
    half = replace(odd, chunks=(replace(odd.chunks[0], text="\ud83d"),))
    named = replace(odd, path="caf\udce9.md")
    done = desk.apply(half, named, FIRST[1])
    assert (done.failed, done.written) == (2, 1)
    assert [(f.path, f.reason) for f in desk.manifest.failures()] == [
        ("a.md", "encoding"),
        ("caf\\udce9.md", "encoding"),
    ]


def test_a_document_larger_than_a_batch_is_written_in_parts(desk: Desk) -> None:
    done = desk.apply(a_file("big.md", *(f"part {i}" for i in range(10))))
    assert done == Applied(written=1, new=1, chunks=10, embedded=10)
    assert desk.store.counts() == Counts(10, 10)


def test_a_run_is_one_span_with_its_embedding_and_writing_below(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, kept = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("retrieval.index.trace.get_tracer", provider.get_tracer)
    desk.apply(FIRST[1])
    embed, write, index = kept.get_finished_spans()
    assert (embed.name, write.name, index.name) == ("embeddings hash", "write", "index")
    assert embed.parent == write.parent == index.context
    assert (index.attributes or {})["hoplite.chunks"] == 1


def test_another_embedder_is_refused_before_anything_is_written(desk: Desk) -> None:
    desk.apply(*FIRST)
    desk.embedder.name = "other"
    with pytest.raises(EmbedderMismatch):
        desk.apply(*SECOND)


def test_a_store_that_holds_less_is_refused_with_the_command_that_repairs(desk: Desk) -> None:
    desk.apply(*FIRST)
    verify(desk.store, desk.manifest)
    desk.store._shard.remove(sorted(desk.store.ids())[:3])
    with pytest.raises(WorkspaceDamaged, match=r"3 of 6 vectors .*hoplite index PATH"):
        verify(desk.store, desk.manifest)


def test_repairing_reads_again_only_what_is_missing(desk: Desk) -> None:
    desk.apply(*FIRST)
    before = desk.state()
    assert FIRST[0].chunks is not None
    desk.store._shard.remove([FIRST[0].chunks[1].id])
    desk.embedder.texts.clear()
    assert repair(desk.store, desk.manifest) == 1
    assert "a.md" not in desk.manifest.known()
    desk.apply(FIRST[0], as_it_was(FIRST[1]), as_it_was(FIRST[2]))
    assert desk.embedder.texts == ["egret"]
    assert desk.state() == before
    verify(desk.store, desk.manifest)


def test_a_sound_index_needs_no_repair(desk: Desk) -> None:
    desk.apply(*FIRST)
    assert repair(desk.store, desk.manifest) == 0


def test_orphans_are_searchable_until_the_next_run_sweeps_them(desk: Desk) -> None:
    desk.apply(*FIRST)
    orphan = a_file("lost.md", "heron orphan").chunks or ()
    desk.store.write(orphan, desk.embedder.embed(["x"]))
    verify(desk.store, desk.manifest)
    desk.apply(*map(as_it_was, FIRST))
    assert orphan[0].id not in desk.store.ids()


LONG = tuple(f"{word} " * 60 for word in ("heron", "egret", "stork", "crane", "ibis"))  # 300 to 360 characters each


def test_a_copy_is_stored_once_and_keeps_what_is_its_own(desk: Desk) -> None:
    done = desk.apply(a_file("a.md", *LONG), a_file("vendor/a.md", *LONG, "gull"))
    assert (done.written, done.copies, done.embedded) == (2, 1, 6)
    assert desk.manifest.copies() == {"vendor/a.md": "a.md"}
    assert [chunk.text for chunk in desk.store.in_document("vendor/a.md")] == ["gull"]
    assert desk.store.counts() == Counts(6, 6)


def test_small_files_and_files_half_alike_are_no_copies(desk: Desk) -> None:
    desk.apply(a_file("a.md", "heron"), a_file("b.md", "heron"))
    desk.apply(*(a_file(f"{n}.md", *LONG[:3], *(f"{n}{text}" for text in LONG[3:])) for n in "cd"), walked=bool)
    assert desk.manifest.copies() == {}


def test_of_three_alike_two_are_copies_of_the_first(desk: Desk) -> None:
    desk.apply(*(a_file(path, *LONG) for path in ("a.md", "b.md", "c.md")))
    assert desk.manifest.copies() == {"b.md": "a.md", "c.md": "a.md"}


@pytest.mark.parametrize("fate", ["gone", "changed", "failed"])
def test_a_copy_is_read_again_when_its_original_is_not_what_it_was(desk: Desk, fate: str) -> None:
    texts = {path: a_file(path, *LONG) for path in ("a.md", "b.md", "c.md")}
    desk.apply(*texts.values())
    left = [as_it_was(texts["b.md"]), as_it_was(texts["c.md"])]
    now = {
        "gone": [],
        "changed": [a_file("a.md", "gull", mtime_ns=2)],
        "failed": [replace(texts["a.md"], chunks=None, error=FileFailed("syntax", "a.md: line 3"))],
    }[fate]
    seen: list[set[str]] = []

    def again(paths: Collection[str]) -> list[FileRead]:
        # Until they are back, what they share with the original can still be found.
        assert len(desk.found("heron")) == 1
        seen.append(set(paths))
        return [texts[path] for path in sorted(paths)]

    desk.apply(*now, *left, again=again)
    assert seen == [{"b.md", "c.md"}]
    assert desk.manifest.copies() == {"c.md": "b.md"}
    assert len(desk.store.in_document("b.md")) == 5
    assert desk.store.ids() == desk.manifest.chunk_ids()


def test_a_copy_whose_original_changed_in_a_run_that_was_stopped_is_read_by_the_next(desk: Desk) -> None:
    original, copy = a_file("a.md", *LONG), a_file("b.md", *LONG)
    desk.apply(original, copy)

    def never(paths: Collection[str]) -> list[FileRead]:
        raise Stop

    with pytest.raises(Stop):
        desk.apply(a_file("a.md", "gull"), as_it_was(copy), again=never)
    assert desk.manifest.known()["b.md"] == (10, -1, b"/base/b.md")
    entry = desk.manifest.entry("b.md")
    assert entry is not None
    assert entry.digest == ""


def test_a_renamed_file_keeps_its_vectors_and_can_be_found_all_the_time(desk: Desk) -> None:
    desk.apply(a_file("old/a.md", *LONG, "heron"))
    desk.embedder.texts.clear()
    done = desk.apply(a_file("new/b.md", *LONG, "heron"))
    assert (done.written, done.copies, done.forgotten, done.embedded) == (1, 0, 1, 0)
    assert desk.embedder.texts == []
    assert desk.manifest.paths() == {"new/b.md"}
    assert {chunk.path for chunk in desk.store.chunks(sorted(desk.store.ids())).values()} == {"new/b.md"}
    fresh = desk.embedder.embed([LONG[0]])
    (first,) = [chunk.id for chunk in desk.store.in_document("new/b.md") if chunk.text == LONG[0]]
    np.testing.assert_allclose(desk.store.vectors([first])[first], fresh[0], atol=1e-6)
