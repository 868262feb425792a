"""The store on a Qdrant server: everything a search needs lies in one collection, so that a cluster can hold it.

Any number of writers agree without a coordinator: a point's id and its sparse weights depend on its chunk alone.
The price: BM25's length normalisation uses a fixed average length, and idf is Qdrant's own (never negative), so scores
differ from the embedded store's by design.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from ingest.errors import EmbedderMismatch, UserError, WorkspaceDamaged
from ingest.types import Chunk
from retrieval.lexical import K1, B
from retrieval.links import everyday_calls
from retrieval.protocols import Vectors
from retrieval.server_link import said
from retrieval.terms import Terms
from retrieval.ties import settled
from retrieval.tokens import searchable, tokens
from retrieval.types import Counts, Layout, Place, Scope, Scored, ServerState

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

# Points a request: about 13 KB of JSON each with 256 numbers and 2 KB of text and names; a server takes 32 MB.
POINTS = 500
REQUEST_BYTES = 8_000_000
QUERIES = 256
# A chunk's fields that are lists of names.
_NAMES = ("defines", "mentions", "calls", "imports", "inherits")
PAGE = 10_000
# Points with their text or their vector in one answer.
RECORDS = 1_000
# Terms in a chunk of source code, about; only how much a longer chunk is held back depends on it.
AVERAGE_LENGTH = 180

CONFLICT = 409
_OURS = "hoplite"
_OTHER = "Choose another one with `--collection`."

FORMAT = 1
"""Rises with every change to what a point holds, or to `tokens`, whose terms are its sparse vector."""

_FIELDS = ("path", "kind", "defines", "mentions", "everyday_calls")
_T = TypeVar("_T")
_Method = TypeVar("_Method", bound=Callable[..., Any])


PLAIN = Layout()


def _told(method: _Method) -> _Method:
    """Say what a failing server means for the user."""

    @wraps(method)
    def telling(self: ServerStore, *args: Any, **kwargs: Any) -> Any:
        with said(self.url, f"`{method.__name__.strip('_')}` in the collection {self.collection}"):
            return method(self, *args, **kwargs)

    return cast(_Method, telling)


class ServerStore:
    """`Store` in one collection of a Qdrant server. Others may write to the collection too, each its own documents."""

    def __init__(
        self,
        client: QdrantClient,
        dim: int,
        *,
        collection: str = "hoplite",
        embedder: str = "",
        url: str = "",
        layout: Layout | None = PLAIN,
    ) -> None:
        """Use the collection, or make it, laid out so; without a layout it must be there.

        Raises EmbedderMismatch where its vectors are another embedder's, WorkspaceDamaged where it is not there, and
        UserError where it is not Hoplite's or the server does not answer. `url` is shown in messages.
        """
        from qdrant_client import models

        self.url = url
        self.collection = collection
        self._client = client
        self._models = models
        self._points = max(1, min(POINTS, REQUEST_BYTES // (8_000 + 20 * dim)))
        self._prepare(dim, embedder, layout)

    @_told
    def _prepare(self, dim: int, embedder: str, layout: Layout | None) -> None:
        if not self._client.collection_exists(self.collection):
            if layout is None:
                raise WorkspaceDamaged(
                    f"There is no collection {self.collection} on {self.url}. Run `hoplite index PATH` to index "
                    "into it again, or name the right server with `--store`."
                )
            self._create(dim, embedder, layout)
        found = self._client.get_collection(self.collection)
        here = described(found, self.collection)
        if (here.embedder, here.dim) != (embedder, dim):
            raise EmbedderMismatch(
                f"The collection {self.collection} holds vectors of {here.embedder or 'no name'} ({here.dim} numbers "
                f"each); {embedder or 'the embedder'} makes {dim}. Name another collection with `--collection`, or "
                "its embedder with `--embedder`; `--rebuild` empties it."
            )
        if layout is not None:  # also what a run that was stopped right after creating it left out
            for field in _FIELDS:
                if field not in found.payload_schema:
                    self._client.create_payload_index(
                        self.collection, field, self._models.PayloadSchemaType.KEYWORD, wait=True
                    )

    def _create(self, dim: int, embedder: str, layout: Layout) -> None:
        from qdrant_client.http.exceptions import UnexpectedResponse

        models = self._models
        try:
            self._client.create_collection(
                self.collection,
                vectors_config={"dense": models.VectorParams(size=dim, distance=models.Distance.COSINE)},
                sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata={_OURS: {"format": FORMAT, "embedder": embedder}},
                **layout.asked(),
            )
        except UnexpectedResponse as error:
            if error.status_code != CONFLICT:  # another machine was first, or the answer to our first try was lost
                raise

    @_told
    def write(self, chunks: Sequence[Chunk], vectors: Vectors, terms: Terms | None = None) -> None:
        """Make the chunks searchable; the server has them on disk when it returns.

        Points that were sent before an error stay, and are replaced by the next try.
        """
        if len(chunks) != len(vectors):
            raise ValueError(f"{len(chunks)} chunks, but {len(vectors)} vectors")
        points = [self._point(chunk, vector) for chunk, vector in zip(chunks, vectors, strict=True)]
        for batch in _slices(points, self._points):
            self._client.upsert(self.collection, batch, wait=True)

    @_told
    def remove(self, ids: Sequence[int]) -> None:
        """Forget these chunks; unknown ids are no error."""
        for batch in _slices(ids, PAGE):
            self._client.delete(self.collection, list(batch), wait=True)

    @_told
    def counts(self) -> Counts:
        """Count the points, and those with a vector."""
        having = self._models.Filter(must=[self._models.HasVectorCondition(has_vector="dense")])
        return Counts(
            chunks=self._client.count(self.collection, exact=True).count,
            vectors=self._client.count(self.collection, count_filter=having, exact=True).count,
        )

    @_told
    def ids(self) -> set[int]:
        """Every chunk id that has a point."""
        return {_number(record.id) for record in self._scroll(None, payload=False)}

    @_told
    def strays(self, owned: Collection[int], covered: Callable[[str], bool]) -> list[int]:
        """Return the chunks of covered documents that are not among those owned, ascending.

        What lies elsewhere may be another machine's, which alone knows whether it is owned.
        """
        paths = [path for path in self._paths() if covered(path)]
        found: set[int] = set()
        for batch in _slices(paths, RECORDS):
            here = self._models.Filter(must=[self._among(batch)])
            found.update(_number(record.id) for record in self._scroll(here, payload=False))
        return sorted(found.difference(owned))

    @_told
    def at_once(
        self, terms: Sequence[str], vector: Vectors, *, lexical: int, dense: int, scope: Scope
    ) -> tuple[list[Scored], list[Scored]]:
        """Return what `lexical` and `dense` return, with these limits, for one request to the server.

        The server could fuse the two lists as well, and hand back one. But hops start from a chunk's share of the BM25
        scores and from its cosine, each by itself, and no fusion of the server's keeps them: one counts ranks only, the
        other mixes the scores. So it is a batch of two queries instead of a prefetch.
        """
        if not terms:
            return [], self.dense(vector, limit=dense, scope=scope)
        wanted = self._filter(scope)
        asked = {
            "bm25": (self._sparse({term: float(n) for term, n in Counter(terms).items()}), lexical),
            "dense": (np.asarray(vector, np.float32).tolist(), dense),
        }
        requests = [
            self._models.QueryRequest(query=query, using=using, limit=limit + 1, filter=wanted, with_payload=False)
            for using, (query, limit) in asked.items()
        ]
        answers = dict(zip(asked, self._client.query_batch_points(self.collection, requests), strict=True))

        def found(using: str) -> list[Scored]:
            query, limit = asked[using]
            first = _scored(answers[using])
            # Only ties at the end of a list are worth another question.
            return settled(lambda n: first if n == limit + 1 else self._query(query, using, n, wanted), limit)

        return [hit for hit in found("bm25") if hit.score > 0], found("dense")

    @_told
    def dense(self, vector: Vectors, *, limit: int, scope: Scope) -> list[Scored]:
        """Return the nearest chunks by cosine, best first, ties by chunk id; by the server's graph when it has one."""
        asked = np.asarray(vector, np.float32).tolist()
        wanted = self._filter(scope)
        return settled(lambda n: self._query(asked, "dense", n, wanted), limit)

    @_told
    def lexical(self, terms: Sequence[str], *, limit: int, scope: Scope) -> list[Scored]:
        """Return the best chunks by BM25 with Qdrant's idf, best first, ties by chunk id, scores above 0."""
        if not terms:
            return []
        asked = self._sparse({term: float(n) for term, n in Counter(terms).items()})
        wanted = self._filter(scope)
        return [s for s in settled(lambda n: self._query(asked, "bm25", n, wanted), limit) if s.score > 0]

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
            answers = self._client.query_batch_points(self.collection, requests)
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
        for batch in _slices(ids, RECORDS):
            for record in self._client.retrieve(self.collection, list(batch), with_payload=True):
                found[_number(record.id)] = _chunk(record)
        return {i: found[i] for i in ids if i in found}

    @_told
    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, each float32 (dim,)."""
        found = {}
        for batch in _slices(ids, RECORDS):
            for record in self._client.retrieve(
                self.collection, list(batch), with_payload=False, with_vectors=["dense"]
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
        if not names:
            return set()  # a filter without conditions holds every point
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

    @_told
    def state(self) -> ServerState:
        """Return the server's version, and how many points there are, whoever wrote them."""
        points = self._client.count(self.collection, exact=True).count
        return ServerState(Place(self.url, self.collection), self._client.info().version, points)

    def optimize(self) -> None:
        """Nothing to do: the server merges by itself."""

    def close(self) -> None:
        """Close the connection; closing twice is no error."""
        self._client.close()

    @_told
    def _having(
        self, field: Literal["defines", "mentions"], names: Sequence[str], common: int
    ) -> dict[str, tuple[int, ...]]:
        if common >= PAGE:  # such lists are asked for in pages, however many names
            found = [
                (name, [_number(record.id) for record in self._scroll(self._having_name(field, name), payload=False)])
                for name in dict.fromkeys(names)
            ]
        else:
            # One more than `common` are asked for, so that too many can be told from just enough.
            found = list(self._each(field, names, limit=common + 1))
        return {name: tuple(sorted(ids)) for name, ids in found if 1 <= len(ids) <= common}

    def _having_name(self, field: str, name: str) -> models.Filter:
        return self._models.Filter(must=[self._match(field, name)])

    def _each(self, field: str, names: Iterable[str], *, limit: int) -> Iterator[tuple[str, list[int]]]:
        """Ask for up to `limit` chunks of each name, many names a request."""
        for batch in _slices(list(dict.fromkeys(names)), QUERIES):
            requests = [
                self._models.QueryRequest(filter=self._having_name(field, name), limit=limit, with_payload=False)
                for name in batch
            ]
            answers = self._client.query_batch_points(self.collection, requests)
            for name, answer in zip(batch, answers, strict=True):
                yield name, [_number(point.id) for point in answer.points]

    def _query(self, query: Any, using: str, limit: int, wanted: models.Filter | None) -> list[Scored]:
        return _scored(
            self._client.query_points(
                self.collection, query=query, using=using, limit=limit, query_filter=wanted, with_payload=False
            )
        )

    def _filter(self, scope: Scope) -> models.Filter | None:
        conditions: list[Any] = []
        if not scope.every_path:
            conditions.append(self._among([path for path in self._paths() if scope.reaches(path)]))
        if scope.kind is not None:
            conditions.append(self._match("kind", scope.kind))
        return self._models.Filter(must=conditions) if conditions else None

    def _paths(self) -> list[str]:
        """Every path of which there is a chunk."""
        hits = self._client.facet(self.collection, key="path", limit=1_000_000, exact=True).hits
        return [str(hit.value) for hit in hits]

    def _among(self, paths: Sequence[str]) -> models.FieldCondition:
        return self._models.FieldCondition(key="path", match=self._models.MatchAny(any=list(paths)))

    def _match(self, field: str, value: str) -> models.FieldCondition:
        return self._models.FieldCondition(key=field, match=self._models.MatchValue(value=value))

    def _scroll(self, wanted: models.Filter | None, *, payload: bool) -> Iterator[models.Record]:
        offset = None
        while True:
            records, offset = self._client.scroll(
                self.collection,
                scroll_filter=wanted,
                limit=RECORDS if payload else PAGE,
                offset=offset,
                with_payload=payload,
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


@dataclass(frozen=True, slots=True)
class Described:
    """Whose vectors a collection holds, and how many numbers each has."""

    embedder: str
    dim: int


def described(found: models.CollectionInfo, collection: str, *, readable: bool = True) -> Described:
    """Return whose vectors a collection holds.

    Raises UserError where it is not Hoplite's, and, where it has to be `readable`, where it is of another format.
    """
    dense = found.config.params.vectors
    ours = (found.config.metadata or {}).get(_OURS)
    if not isinstance(dense, dict) or "dense" not in dense or not isinstance(ours, dict):
        raise UserError(f"The collection {collection} is not Hoplite's. {_OTHER}")
    if readable and ours.get("format") != FORMAT:
        raise UserError(
            f"The collection {collection} is of format {ours.get('format')!r}; this Hoplite reads {FORMAT}. "
            "Use the Hoplite that wrote it, or run `hoplite index PATH --rebuild`."
        )
    return Described(str(ours.get("embedder", "")), dense["dense"].size)


def frequency_weights(terms: Sequence[str]) -> dict[str, float]:
    """Return the part of BM25 that depends on the chunk: each term's frequency, saturated and length-normalised."""
    norm = K1 * (1 - B + B * len(terms) / AVERAGE_LENGTH)
    return {term: n * (K1 + 1) / (n + norm) for term, n in Counter(terms).items()}


def _place(term: str) -> int:
    """Return a term's dimension of the sparse vector, the same for every writer."""
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest(), "little")


def _chunk(record: models.Record) -> Chunk:
    payload: dict[str, Any] = dict(record.payload or {})
    payload.pop("everyday_calls", None)  # for the server to look up
    try:
        return Chunk(id=_number(record.id), **payload | {field: tuple(payload[field]) for field in _NAMES})
    except (KeyError, TypeError) as error:
        raise UserError(
            f"The collection holds a point {record.id} that is not Hoplite's ({error}). {_OTHER}"
        ) from error


def _scored(answer: models.QueryResponse) -> list[Scored]:
    return [Scored(_number(point.id), point.score) for point in answer.points]


def _number(point: object) -> int:
    if not isinstance(point, int):
        raise UserError(f"The collection holds a point {point!r} that is not Hoplite's. {_OTHER}")
    return point


def _slices(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
