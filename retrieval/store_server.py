"""The store on a Qdrant server: everything a search needs lies in one collection, so that a cluster can hold it.

Any number of writers agree without a coordinator: a point's id and its sparse weights depend on its chunk alone.
The price: BM25's length normalisation uses a fixed average length, and idf is Qdrant's own (never negative), so scores
differ from the embedded store's by design.
"""

from __future__ import annotations

import fnmatch
import hashlib
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

import numpy as np

from ingest.errors import EmbedderMismatch, UserError
from ingest.types import Chunk
from retrieval.lexical import K1, B
from retrieval.links import everyday_calls
from retrieval.protocols import Vectors
from retrieval.terms import Terms
from retrieval.ties import settled
from retrieval.tokens import searchable, tokens
from retrieval.types import Counts, Scope, Scored

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

# A point is about 7 KB of JSON (256 numbers, 1.5 KB of text); the server takes 32 MB a request.
POINTS = 500
QUERIES = 256
# A chunk's fields that are lists of names.
_NAMES = ("defines", "mentions", "calls", "imports", "inherits")
PAGE = 10_000
# Terms in a chunk of source code, about; only how much a longer chunk is held back depends on it.
AVERAGE_LENGTH = 180

_T = TypeVar("_T")
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _told(method: _Method) -> _Method:
    """Say what a failing server means for the user."""

    @wraps(method)
    def telling(*args: Any, **kwargs: Any) -> Any:
        from qdrant_client.http.exceptions import ApiException

        try:
            return method(*args, **kwargs)
        except ApiException as error:
            raise UserError(
                f"The Qdrant server failed at `{method.__name__.strip('_')}`: {error}. "
                "Check that it runs, its URL (`--store`) and its key."
            ) from error

    return cast(_Method, telling)


def connect(url: str, api_key: str | None = None) -> QdrantClient:
    """Return a client for a server. Raises UserError where the key would travel unencrypted to another machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{url} is no address of a Qdrant server. Write it like http://localhost:6333.")
    if api_key and parts.scheme == "http" and not _loopback(parts.hostname):
        raise UserError(f"{url} would carry the API key unencrypted. Use https, or leave the key out.")
    from qdrant_client import QdrantClient

    # Its own check of versions runs in a thread and warns there; a server that is not there is told by `ServerStore`.
    return QdrantClient(url=url, api_key=api_key, timeout=60, check_compatibility=False)


class ServerStore:
    """`Store` in one collection of a Qdrant server."""

    def __init__(self, client: QdrantClient, dim: int, *, collection: str = "hoplite") -> None:
        """Use the collection, or make it.

        Raises EmbedderMismatch where its vectors have another length, UserError where it is not Hoplite's or the server
        does not answer.
        """
        from qdrant_client import models

        self._client = client
        self._models = models
        self._collection = collection
        self._prepare(dim)

    @_told
    def _prepare(self, dim: int) -> None:
        models = self._models
        if self._client.collection_exists(self._collection):
            dense = self._client.get_collection(self._collection).config.params.vectors
            if not isinstance(dense, dict) or "dense" not in dense:
                raise UserError(f"The collection {self._collection} is not Hoplite's. Choose another name for it.")
            if dense["dense"].size != dim:
                raise EmbedderMismatch(
                    f"The collection {self._collection} holds vectors of {dense['dense'].size} numbers; the embedder "
                    f"makes {dim}. Re-index with `hoplite index PATH --rebuild`, or choose the embedder it was "
                    "indexed with."
                )
            return
        self._client.create_collection(
            self._collection,
            vectors_config={"dense": models.VectorParams(size=dim, distance=models.Distance.COSINE)},
            sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
        for field in ("path", "kind", "defines", "mentions", "everyday_calls"):
            self._client.create_payload_index(self._collection, field, models.PayloadSchemaType.KEYWORD, wait=True)

    @_told
    def write(self, chunks: Sequence[Chunk], vectors: Vectors, terms: Terms | None = None) -> None:
        """Make the chunks searchable; the server has them on disk when it returns."""
        if len(chunks) != len(vectors):
            raise ValueError(f"{len(chunks)} chunks, but {len(vectors)} vectors")
        points = [self._point(chunk, vector) for chunk, vector in zip(chunks, vectors, strict=True)]
        for batch in _slices(points, POINTS):
            self._client.upsert(self._collection, batch, wait=True)

    @_told
    def remove(self, ids: Sequence[int]) -> None:
        """Forget these chunks; unknown ids are no error."""
        for batch in _slices(ids, PAGE):
            self._client.delete(self._collection, list(batch), wait=True)

    @_told
    def counts(self) -> Counts:
        """Count the points, and those with a vector."""
        having = self._models.Filter(must=[self._models.HasVectorCondition(has_vector="dense")])
        return Counts(
            chunks=self._client.count(self._collection, exact=True).count,
            vectors=self._client.count(self._collection, count_filter=having, exact=True).count,
        )

    @_told
    def ids(self) -> set[int]:
        """Every chunk id that has a point."""
        return {_number(record.id) for record in self._scroll(None, payload=False)}

    @_told
    def dense(self, vector: Vectors, *, limit: int, scope: Scope) -> list[Scored]:
        """Return the nearest chunks by cosine, best first, ties by chunk id; by the server's graph when it has one."""
        asked = np.asarray(vector, np.float32).tolist()
        return settled(lambda n: self._query(asked, "dense", n, scope), limit)

    @_told
    def lexical(self, terms: Sequence[str], *, limit: int, scope: Scope) -> list[Scored]:
        """Return the best chunks by BM25 with Qdrant's idf, best first, ties by chunk id, scores above 0."""
        if not terms:
            return []
        asked = self._sparse({term: float(n) for term, n in Counter(terms).items()})
        return [s for s in settled(lambda n: self._query(asked, "bm25", n, scope), limit) if s.score > 0]

    @_told
    def idf(self, terms: Sequence[str]) -> dict[str, float]:
        """Return each known term's inverse document frequency, as the server weighs it.

        The server does not tell it, but a chunk's score for one term is its idf times the weight stored for it.
        """
        found = {}
        for batch in _slices(list(dict.fromkeys(terms)), QUERIES):
            requests = [
                self._models.QueryRequest(
                    query=self._sparse({term: 1.0}), using="bm25", limit=1, with_vector=["bm25"], with_payload=False
                )
                for term in batch
            ]
            answers = self._client.query_batch_points(self._collection, requests)
            for term, answer in zip(batch, answers, strict=True):
                for point in answer.points:
                    stored: Any = point.vector
                    weights = dict(zip(stored["bm25"].indices, stored["bm25"].values, strict=True))
                    if weight := weights.get(_place(term)):
                        found[term] = point.score / weight
        return found

    @_told
    def chunks(self, ids: Sequence[int]) -> dict[int, Chunk]:
        """Return the chunks that are here, by id, in the order asked."""
        found = {}
        for batch in _slices(ids, PAGE):
            for record in self._client.retrieve(self._collection, list(batch), with_payload=True):
                found[_number(record.id)] = _chunk(record)
        return {i: found[i] for i in ids if i in found}

    @_told
    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, each float32 (dim,)."""
        found = {}
        for batch in _slices(ids, PAGE):
            for record in self._client.retrieve(
                self._collection, list(batch), with_payload=False, with_vectors=["dense"]
            ):
                stored: Any = record.vector
                found[_number(record.id)] = np.asarray(stored["dense"], np.float32)
        return found

    def definers(self, names: Sequence[str], *, common: int) -> dict[str, tuple[int, ...]]:
        """Map each name that between 1 and `common` chunks define to those chunks, ascending."""
        return self._having("defines", names, common)

    def mentioners(self, names: Sequence[str], *, common: int) -> dict[str, tuple[int, ...]]:
        """Map each name that between 1 and `common` chunks mention to those chunks, ascending."""
        return self._having("mentions", names, common)

    @_told
    def callers(self, names: Sequence[str]) -> set[int]:
        """Return the chunks that mention one of these names, or call something of which it is the last part."""
        either: list[Any] = [self._match(field, name) for name in names for field in ("mentions", "everyday_calls")]
        return {_number(record.id) for record in self._scroll(self._models.Filter(should=either), payload=False)}

    @_told
    def defined(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that any chunk defines."""
        return {name for name, ids in self._each("defines", names, limit=1) if ids}

    def begun(self, pairs: Collection[str]) -> Collection[str]:
        """Return the pairs as they are: the server is asked for the names themselves."""
        return pairs

    @_told
    def in_document(self, path: str) -> list[Chunk]:
        """Return a document's chunks in the order of their lines."""
        wanted = self._models.Filter(must=[self._match("path", path)])
        chunks = [_chunk(record) for record in self._scroll(wanted, payload=True)]
        return sorted(chunks, key=lambda c: (c.start_line, c.end_line, c.id))

    def optimize(self) -> None:
        """Nothing to do: the server merges by itself."""

    def close(self) -> None:
        """Close the connection; closing twice is no error."""
        self._client.close()

    @_told
    def _having(
        self, field: Literal["defines", "mentions"], names: Sequence[str], common: int
    ) -> dict[str, tuple[int, ...]]:
        # One more than `common` are asked for, so that too many can be told from just enough.
        found = self._each(field, names, limit=common + 1)
        return {name: tuple(sorted(ids)) for name, ids in found if 1 <= len(ids) <= common}

    def _each(self, field: str, names: Iterable[str], *, limit: int) -> Iterator[tuple[str, list[int]]]:
        """Ask for up to `limit` chunks of each name, many names a request."""
        for batch in _slices(list(dict.fromkeys(names)), QUERIES):
            requests = [
                self._models.QueryRequest(
                    filter=self._models.Filter(must=[self._match(field, name)]), limit=limit, with_payload=False
                )
                for name in batch
            ]
            answers = self._client.query_batch_points(self._collection, requests)
            for name, answer in zip(batch, answers, strict=True):
                yield name, [_number(point.id) for point in answer.points]

    def _query(self, query: Any, using: str, limit: int, scope: Scope) -> list[Scored]:
        wanted = self._filter(scope)
        answer = self._client.query_points(
            self._collection, query=query, using=using, limit=limit, query_filter=wanted, with_payload=False
        )
        return [Scored(_number(point.id), point.score) for point in answer.points]

    def _filter(self, scope: Scope) -> models.Filter | None:
        conditions: list[Any] = []
        if scope.path is not None:
            match = re.compile(fnmatch.translate(scope.path)).match
            known = self._client.facet(self._collection, key="path", limit=1_000_000, exact=True).hits
            paths = [str(hit.value) for hit in known if match(str(hit.value))]
            conditions.append(self._models.FieldCondition(key="path", match=self._models.MatchAny(any=paths)))
        if scope.kind is not None:
            conditions.append(self._match("kind", scope.kind))
        return self._models.Filter(must=conditions) if conditions else None

    def _match(self, field: str, value: str) -> models.FieldCondition:
        return self._models.FieldCondition(key=field, match=self._models.MatchValue(value=value))

    def _scroll(self, wanted: models.Filter | None, *, payload: bool) -> Iterator[models.Record]:
        offset = None
        while True:
            records, offset = self._client.scroll(
                self._collection, scroll_filter=wanted, limit=PAGE, offset=offset, with_payload=payload
            )
            yield from records
            if offset is None:
                return

    def _point(self, chunk: Chunk, vector: Vectors) -> models.PointStruct:
        payload = {field: getattr(chunk, field) for field in Chunk.__dataclass_fields__ if field != "id"}
        payload |= {field: list(payload[field]) for field in _NAMES}
        payload["everyday_calls"] = sorted(everyday_calls(chunk))
        named: dict[str, Any] = {"dense": np.asarray(vector, np.float32).tolist()}
        if weights := frequency_weights(tokens(searchable(chunk))):
            named["bm25"] = self._sparse(weights)
        return self._models.PointStruct(id=chunk.id, vector=named, payload=payload)

    def _sparse(self, weights: dict[str, float]) -> models.SparseVector:
        # Two terms in one place (five pairs among 200,000 terms) are weighed as one.
        places: dict[int, float] = {}
        for term, weight in weights.items():
            places[_place(term)] = places.get(_place(term), 0.0) + weight
        return self._models.SparseVector(indices=list(places), values=list(places.values()))


def frequency_weights(terms: Sequence[str]) -> dict[str, float]:
    """Return the part of BM25 that depends on the chunk: each term's frequency, saturated and length-normalised."""
    norm = K1 * (1 - B + B * len(terms) / AVERAGE_LENGTH)
    return {term: n * (K1 + 1) / (n + norm) for term, n in Counter(terms).items()}


def _place(term: str) -> int:
    """Return a term's dimension of the sparse vector, the same for every writer."""
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "little")


def _chunk(record: models.Record) -> Chunk:
    payload: dict[str, Any] = record.payload or {}
    fields = payload | {field: tuple(payload[field]) for field in _NAMES}
    del fields["everyday_calls"]  # for the server to look up
    return Chunk(id=_number(record.id), **fields)


def _number(point: object) -> int:
    if not isinstance(point, int):
        raise UserError(f"The collection holds a point {point!r} that is not Hoplite's. Choose another collection.")
    return point


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _slices(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
