"""The embedded vectors: one Qdrant shard in a folder, held by this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ingest.errors import EmbedderMismatch, WorkspaceBusy, WorkspaceDamaged
from ingest.types import Chunk, Kind
from retrieval.protocols import Vectors
from retrieval.ties import settled
from retrieval.types import Scored

if TYPE_CHECKING:
    import qdrant_edge as edge

BATCH = 2_000

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
        try:
            if (folder / "edge_config.json").exists():
                self._shard = edge.EdgeShard.load(str(folder), config)
            else:
                self._shard = edge.EdgeShard.create(str(folder), config)
                for field in ("path", "kind"):
                    index = edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Keyword)
                    self._shard.update(index)
        except Exception as error:  # the library raises no narrower class; its message is all there is to tell by
            said = str(error)
            if "WouldBlock" in said:
                raise WorkspaceBusy(f"{folder} is in use. Close the other Hoplite on this workspace first.") from error
            if "incompatible" in said:
                raise EmbedderMismatch(
                    f"{folder} holds vectors of another length than the embedder's {dim} ({said}). "
                    "Re-index with `hoplite index --rebuild`, or choose the embedder it was indexed with."
                ) from error
            raise WorkspaceDamaged(f"{folder} cannot be opened ({said}). Run `hoplite index --rebuild`.") from error

    def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Write the chunks' vectors, float32 (n, dim); on disk when it returns."""
        for start in range(0, len(chunks), BATCH):
            points = [
                self._edge.Point(
                    chunk.id,
                    {"dense": vector},
                    {"path": chunk.path, "kind": chunk.kind, "language": chunk.language},
                )
                for chunk, vector in zip(
                    chunks[start : start + BATCH], vectors[start : start + BATCH].tolist(), strict=True
                )
            ]
            self._shard.update(self._edge.UpdateOperation.upsert_points(points))
        self._shard.flush()

    def remove(self, ids: Sequence[int]) -> None:
        """Forget these vectors; unknown ids are no error."""
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

        return settled(ask, limit)

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, each float32 (dim,)."""
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
            records, offset = self._shard.scroll(request)
            found.update(cast(int, record.id) for record in records)
            if offset is None:
                return found

    def count(self) -> int:
        """Count the vectors, exactly."""
        return self._shard.count(self._edge.CountRequest(exact=True))

    def optimize(self) -> None:
        """Merge small segments and drop what was deleted."""
        self._shard.optimize()

    def close(self) -> None:
        """Flush and release the folder; closing twice is no error."""
        self._shard.close()

    def _filter(self, paths: Sequence[str] | None, kind: Kind | None) -> edge.Filter | None:
        conditions: list[edge.ConditionType] = []
        if paths is not None:
            conditions.append(self._edge.FieldCondition(key="path", match=self._edge.MatchAny(list(paths))))
        if kind is not None:
            conditions.append(self._edge.FieldCondition(key="kind", match=self._edge.MatchValue(kind)))
        return self._edge.Filter(must=conditions) if conditions else None
