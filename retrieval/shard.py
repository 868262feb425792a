"""The embedded vectors: one Qdrant shard in a folder, held by this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ingest.errors import EmbedderMismatch, UserError, WorkspaceBusy, WorkspaceDamaged
from ingest.types import Chunk, Kind
from retrieval.protocols import Vectors
from retrieval.ties import settled
from retrieval.types import Scored

if TYPE_CHECKING:
    import qdrant_edge as edge

BATCH = 2_000

# Bytes that must be free before a batch is written. The shard writes through mapped memory, where a full disk is no
# error but the end of the process (SIGBUS). A batch of 256 numbers a vector takes 3 MB.
ROOM = 32_000_000

# Below this many vectors every search reads them all: 2 ms at 45,000 x 256, and the result is exact. Above it, segments
# that `optimize` has given a graph (those of more than half as many) are searched by it.
EXACT = 200_000


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
            vectors={"dense": edge.EdgeVectorParams(size=dim, distance=edge.Distance.Cosine)},
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=EXACT // 2 * dim * 4 // 1024),  # in KB
        )
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        with self._told("opened"):
            if (folder / "edge_config.json").exists():
                self._shard = edge.EdgeShard.load(str(folder), config)
            else:
                self._check_room()
                self._shard = edge.EdgeShard.create(str(folder), config)
                for field in ("path", "kind"):
                    index = edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Keyword)
                    self._shard.update(index)

    def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Write the chunks' vectors, float32 (n, dim); on disk when it returns."""
        for start in range(0, len(chunks), BATCH):
            points = [
                self._edge.Point(
                    chunk.id,
                    {"dense": vector},
                    {"path": chunk.path, "kind": chunk.kind},
                )
                for chunk, vector in zip(
                    chunks[start : start + BATCH], vectors[start : start + BATCH].tolist(), strict=True
                )
            ]
            self._check_room()
            with self._told("written"):
                self._shard.update(self._edge.UpdateOperation.upsert_points(points))
        with self._told("written"):
            self._shard.flush()

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these vectors; unknown ids are no error."""
        with self._told("written"):
            self._shard.update(self._edge.UpdateOperation.delete_points(list(ids)))
            self._shard.flush()

    def nearest(self, vector: Vectors, *, limit: int, paths: Sequence[str] | None, kind: Kind | None) -> list[Scored]:
        """Return the nearest ids by cosine, best first, ties by id, among these paths and this kind where given."""
        if paths is not None and not paths:
            return []
        asked = np.asarray(vector, np.float32).tolist()
        wanted = self._filter(paths, kind)
        exact = self._shard.info().points_count <= EXACT

        def ask(n: int) -> list[Scored]:
            request = self._edge.QueryRequest(
                query=self._edge.Query.Nearest(asked, using="dense"),
                limit=n,
                filter=wanted,
                params=self._edge.SearchParams(exact=exact),
            )
            return [Scored(cast(int, point.id), point.score) for point in self._shard.query(request)]

        with self._told("searched"):
            return settled(ask, limit)

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, each float32 (dim,)."""
        with self._told("read"):
            records = self._shard.retrieve(list(ids), with_payload=False, with_vector=["dense"]) if ids else []
        return {
            cast(int, record.id): np.asarray(cast("dict[str, list[float]]", record.vector)["dense"], np.float32)
            for record in records
        }

    def ids(self) -> set[int]:
        """Return the id of every vector."""
        found: set[int] = set()
        offset = None
        while True:
            request = self._edge.ScrollRequest(offset=offset, limit=100_000, with_payload=False, with_vector=False)
            with self._told("read"):
                records, offset = self._shard.scroll(request)
            found.update(cast(int, record.id) for record in records)
            if offset is None:
                return found

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

    def _filter(self, paths: Sequence[str] | None, kind: Kind | None) -> edge.Filter | None:
        conditions: list[edge.ConditionType] = []
        if paths is not None:
            conditions.append(self._edge.FieldCondition(key="path", match=self._edge.MatchAny(list(paths))))
        if kind is not None:
            conditions.append(self._edge.FieldCondition(key="kind", match=self._edge.MatchValue(kind)))
        return self._edge.Filter(must=conditions) if conditions else None

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
