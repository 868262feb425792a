"""What only the embedded store does: files, threads, the reference's exact scores."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from ingest.errors import EmbedderMismatch, UserError, WorkspaceBusy, WorkspaceDamaged
from ingest.ids import chunk_id
from ingest.types import Chunk
from retrieval.protocols import Store, Vectors
from retrieval.store_edge import EdgeStore
from retrieval.tokens import searchable, tokens
from retrieval.types import Counts, Scope

DIM = 4


def chunks(n: int, start: int = 0) -> list[Chunk]:
    made = []
    for i in range(start, start + n):
        path, text = f"src/{i % 7}.py", f"heron {i} bird{i % 5} " * (1 + i % 3)
        made.append(
            Chunk(chunk_id(path, text, 0), path, "code", "python", "", path, text, i, i, (f"f{i}",), (f"g{i % 3}",))
        )
    return made


def vectors(n: int) -> Vectors:
    made: Vectors = np.random.default_rng(n).standard_normal((n, DIM)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[EdgeStore]:
    made = EdgeStore(folder, DIM)
    yield made
    made.close()


def test_it_is_a_store(store: EdgeStore) -> None:
    checked: Store = store
    assert checked.counts() == Counts(0, 0)


def test_scores_are_rank_bm25s_over_header_and_text(store: EdgeStore) -> None:
    written = chunks(40)
    store.write(written, vectors(40))
    store.remove([c.id for c in written[:10]])
    query = tokens("heron bird3 17 py")
    scores = BM25Okapi([tokens(searchable(c)) for c in written[10:]]).get_scores(query)
    want = {c.id: s for c, s in zip(written[10:], scores.tolist(), strict=True) if s > 0}
    got = {s.id: s.score for s in store.lexical(query, limit=99, scope=Scope())}
    assert got == pytest.approx(want, rel=1e-9)


def test_what_was_written_is_there_after_reopening(folder: Path) -> None:
    first = EdgeStore(folder, DIM)
    first.write(chunks(30), vectors(30))
    query = tokens("heron bird3")
    before = first.lexical(query, limit=9, scope=Scope()), first.dense(vectors(1)[0], limit=9, scope=Scope())
    first.close()
    again = EdgeStore(folder, DIM)
    assert again.counts() == Counts(30, 30)
    assert (
        again.lexical(query, limit=9, scope=Scope()),
        again.dense(vectors(1)[0], limit=9, scope=Scope()),
    ) == before
    again.close()


def test_what_was_written_survives_a_kill(folder: Path) -> None:
    program = (
        "import os, signal, sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\n"
        "from test_store_edge import chunks, vectors, DIM\n"
        "from retrieval.store_edge import EdgeStore\n"
        "EdgeStore(Path(sys.argv[1]), DIM).write(chunks(50), vectors(50))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    here = Path(__file__)
    subprocess.run([sys.executable, "-c", program, str(folder), str(here.parents[2]), str(here.parent)], check=False)
    store = EdgeStore(folder, DIM)
    assert store.counts() == Counts(50, 50)
    assert store.ids() == {c.id for c in chunks(50)}
    store.close()


def test_eight_threads_read_and_write_at_once(store: EdgeStore) -> None:
    def work(thread: int) -> int:
        mine = chunks(20, start=100 * thread)
        store.write(mine, vectors(20))
        found = store.lexical(["heron"], limit=500, scope=Scope(path="src/*"))
        assert {c.id for c in mine} <= {s.id for s in found}
        assert store.dense(vectors(1)[0], limit=5, scope=Scope(kind="code"))
        assert len(store.definers([f"f{100 * thread}"], common=5)) == 1
        store.remove([mine[0].id])
        return len(store.chunks([c.id for c in mine]))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [19] * 8
    assert store.counts() == Counts(8 * 19, 8 * 19)


def test_a_second_opening_is_told_that_it_is_in_use(store: EdgeStore, folder: Path) -> None:
    with pytest.raises(WorkspaceBusy, match="in use"):
        EdgeStore(folder, DIM)


def test_vectors_of_another_length_are_refused(folder: Path) -> None:
    EdgeStore(folder, DIM).close()
    with pytest.raises(EmbedderMismatch, match="--rebuild"):
        EdgeStore(folder, DIM + 1)


def test_lost_vectors_show_in_the_counts(folder: Path) -> None:
    store = EdgeStore(folder, DIM)
    store.write(chunks(5), vectors(5))
    store.close()
    shutil.rmtree(folder / "vectors")
    store = EdgeStore(folder, DIM)
    assert store.counts() == Counts(chunks=5, vectors=0)
    store.close()


@pytest.mark.parametrize("victim", ["chunks.sqlite", "vectors/edge_config.json"])
def test_a_file_full_of_noise_is_told_with_the_next_step(folder: Path, victim: str) -> None:
    EdgeStore(folder, DIM).close()
    (folder / victim).write_bytes(b"noise" * 1000)
    with pytest.raises(WorkspaceDamaged, match="hoplite index PATH --rebuild"):
        EdgeStore(folder, DIM)


def test_a_store_of_a_newer_format_is_refused(folder: Path) -> None:
    store = EdgeStore(folder, DIM)
    with store._database.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(UserError, match="newer Hoplite"):
        EdgeStore(folder, DIM)


def test_a_kill_between_vectors_and_text_leaves_only_orphans(store: EdgeStore) -> None:
    store.write(chunks(5), vectors(5))
    store._shard.upsert(chunks(3, start=50), vectors(3))  # where the process died
    assert store.counts() == Counts(chunks=5, vectors=8)
    store.remove(sorted(store.ids() - {c.id for c in chunks(5)}))
    assert store.counts() == Counts(5, 5)


def without(folder: Path, name: str) -> None:
    """Write a store of 20 chunks and lose one of its files of vectors."""
    store = EdgeStore(folder, DIM)
    store.write(chunks(20), vectors(20))
    store.close()
    (victim,) = folder.glob(f"vectors/segments/*/vector_storage-dense/{name}")
    victim.unlink()


def test_a_file_cut_short_at_which_the_engine_panics_is_told(folder: Path) -> None:
    EdgeStore(folder, DIM).close()
    (victim,) = folder.glob("vectors/segments/*/vector_storage-dense/deleted/status.dat")
    victim.write_bytes(b"")
    with pytest.raises(WorkspaceDamaged, match="hoplite index PATH --rebuild"):
        EdgeStore(folder, DIM)


def test_a_lost_file_that_the_engine_passes_over_shows_in_the_counts(folder: Path) -> None:
    without(folder, "vectors/status.dat")
    with closing(EdgeStore(folder, DIM)) as damaged:
        assert damaged.counts() == Counts(chunks=20, vectors=0)


def test_a_lost_file_of_the_engines_is_told_when_it_is_read(folder: Path) -> None:
    without(folder, "vectors/chunk_0.mmap")
    with closing(EdgeStore(folder, DIM)) as store:  # searches read the copy
        assert len(store.dense(vectors(1)[0], limit=20, scope=Scope())) == 20
    shutil.rmtree(folder / "vectors" / "rows")
    with pytest.raises(WorkspaceDamaged, match="could not be read"):
        EdgeStore(folder, DIM)


@pytest.mark.parametrize("lost", ["rows", "rows/ids.i64", "rows/vectors.f32"])
def test_a_lost_copy_of_the_vectors_is_made_again(folder: Path, lost: str) -> None:
    with closing(EdgeStore(folder, DIM)) as store:
        store.write(chunks(20), vectors(20))
        before = store.dense(vectors(1)[0], limit=9, scope=Scope())
    victim = folder / "vectors" / lost
    shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
    with closing(EdgeStore(folder, DIM)) as store:
        assert store.dense(vectors(1)[0], limit=9, scope=Scope()) == before
        assert store.vectors([chunks(1)[0].id]).keys() == {chunks(1)[0].id}
