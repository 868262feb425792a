"""The embedded vectors: one Qdrant shard in a folder, held by this process, with a flat copy that searches read."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ingest.errors import EmbedderMismatch, UserError, WorkspaceBusy, WorkspaceDamaged
from ingest.types import Chunk
from retrieval.protocols import Vectors
from retrieval.rows import Ids, Rows
from retrieval.types import Scored

if TYPE_CHECKING:
    import qdrant_edge as edge

BATCH = 2_000

# Bytes that must be free before a batch is written. The shard writes through mapped memory, where a full disk is no
# error but the end of the process (SIGBUS). A batch of 256 numbers a vector takes 3 MB.
ROOM = 32_000_000

# More KB than any segment has: the engine builds no graph. Every search reads all vectors, from the flat copy, so that
# results are exact: 1 ms at 39,000 x 256.
NO_GRAPH = 2**40


class Shard:
    """Vectors by chunk id, searchable by cosine, with the chunk's path and kind to filter by. Safe among threads."""

    def __init__(self, folder: Path, dim: int) -> None:
        """Open or create the shard.

        Raises WorkspaceBusy where another process holds it, EmbedderMismatch where its vectors have another length,
        WorkspaceDamaged where it cannot be opened.
        """
        import qdrant_edge as edge

        self._edge = edge
        self._dim = dim
        config = edge.EdgeConfig(
            vectors={"dense": edge.EdgeVectorParams(size=dim, distance=edge.Distance.Cosine, memory=edge.Memory.Cold)},
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=NO_GRAPH),
        )
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        with self._told("opened"):
            if (folder / "edge_config.json").exists():
                self._shard = edge.EdgeShard.load(str(folder), config)
            else:
                self._check_room()
                self._shard = edge.EdgeShard.create(str(folder), config)
        try:
            self._rows = Rows(folder / "rows", dim)
            # A kill between the two, a copy that was lost, a shard of before there was one.
            if len(self._rows) != self.count():
                self._rows.rewrite(self._scrolled())
        except BaseException:
            self._shard.close()
            raise
        self._lock = threading.Lock()

    def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Write the chunks' vectors, float32 (n, dim); on disk when it returns."""
        for start in range(0, len(chunks), BATCH):
            points = [
                self._edge.Point(chunk.id, {"dense": vector})
                for chunk, vector in zip(
                    chunks[start : start + BATCH], vectors[start : start + BATCH].tolist(), strict=True
                )
            ]
            self._check_room()
            with self._told("written"):
                self._shard.update(self._edge.UpdateOperation.upsert_points(points))
        with self._told("written"):
            self._shard.flush()
        with self._lock:
            self._rows.put([chunk.id for chunk in chunks], vectors)

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these vectors; unknown ids are no error."""
        with self._told("written"):
            self._shard.update(self._edge.UpdateOperation.delete_points(list(ids)))
            self._shard.flush()
        with self._lock:
            self._rows.remove(ids)
            if self._rows.wasteful:
                self._rows.rewrite(self._scrolled())

    def nearest(self, vector: Vectors, *, limit: int, among: Ids | None) -> list[Scored]:
        """Return the nearest ids by cosine to a unit vector (dim,), best first, ties by id; `among` are those that may
        be returned."""
        with self._lock:
            return self._rows.nearest(np.asarray(vector, np.float32), limit=limit, among=among)

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, each float32 (dim,)."""
        with self._lock:
            return self._rows.vectors(ids)

    def ids(self) -> set[int]:
        """Return the id of every vector."""
        return {cast(int, record.id) for records in self._records(with_vector=False) for record in records}

    def count(self) -> int:
        """Count the points that have their vector, exactly; a lost file of vectors leaves points without."""
        having = self._edge.Filter(must=[self._edge.HasVectorCondition("dense")])
        with self._told("counted"):
            return self._shard.count(self._edge.CountRequest(exact=True, filter=having))

    def optimize(self) -> None:
        """Merge small segments and drop what was deleted."""
        with self._told("optimized"):
            self._shard.optimize()

    def close(self) -> None:
        """Flush and release the folder; closing twice is no error."""
        self._shard.close()

    def _check_room(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < ROOM:
            raise UserError(
                f"{self._folder} could not be written: the disk is full ({free / 1e6:,.1f} MB are free, and "
                f"{ROOM / 1e6:,.0f} MB are needed). Make room and try again."
            )

    def _scrolled(self) -> Iterator[tuple[list[int], Vectors]]:
        """Yield every vector, a batch at a time."""
        for records in self._records(with_vector=True):
            found = {
                cast(int, record.id): cast("dict[str, list[float]]", record.vector)["dense"]
                for record in records
                if record.vector
            }
            yield list(found), np.asarray(list(found.values()), np.float32).reshape(-1, self._dim)

    def _records(self, *, with_vector: bool) -> Iterator[list[edge.Record]]:
        offset = None
        while True:
            request = self._edge.ScrollRequest(
                offset=offset, limit=BATCH if with_vector else 100_000, with_payload=False, with_vector=with_vector
            )
            with self._told("read"):
                records, offset = self._shard.scroll(request)
            yield records
            if offset is None:
                return

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Say what an error of the library means for the user."""
        try:
            yield
        except BaseException as error:
            # The library raises bare Exceptions, and panics (which are none) on files cut short: its message is all
            # there is to tell by.
            if type(error) is not Exception and type(error).__name__ != "PanicException":
                raise
            said = str(error)
            if "not initialized" in said:  # used after close: ours to fix
                raise
            if "WouldBlock" in said:
                raise WorkspaceBusy(f"{self._folder} is in use. Close the other Hoplite on it first.") from error
            if "No space left" in said:
                raise UserError(
                    f"{self._folder} could not be {what}: the disk is full. Make room and try again."
                ) from error
            if "incompatible" in said:
                raise EmbedderMismatch(
                    f"{self._folder} holds vectors of another length than the embedder's {self._dim} ({said}). "
                    "Re-index with `hoplite index PATH --rebuild`, or choose the embedder it was indexed with."
                ) from error
            raise WorkspaceDamaged(
                f"{self._folder} could not be {what} ({said}). Run `hoplite index PATH --rebuild`."
            ) from error
