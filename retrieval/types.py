"""The values that retrieval takes and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from ingest.types import Chunk, Kind


@dataclass(frozen=True, slots=True)
class Scope:
    """Which chunks a search may return. `path` is a glob over shown paths, `*` crossing slashes; None means all.
    `within` are globs of which one must match besides, where there are any: those of a collection."""

    path: str | None = None
    kind: Kind | None = None
    within: tuple[str, ...] = ()

    def holds(self, chunk: Chunk) -> bool:
        """Whether a chunk lies inside."""
        return (self.kind is None or chunk.kind == self.kind) and self.reaches(chunk.path)

    def reaches(self, path: str) -> bool:
        """Whether a document's path lies inside, of whatever kind it is."""
        return (self.path is None or fnmatchcase(path, self.path)) and (
            not self.within or any(fnmatchcase(path, glob) for glob in self.within)
        )

    @property
    def every_path(self) -> bool:
        """Whether no path lies outside."""
        return self.path is None and not self.within


@dataclass(frozen=True, slots=True)
class Source:
    """Where the documents at and below a shown path came from, and when they were read.

    `prefix` is that path, "." for the whole base. `url` is a repository's or a page's address, without a login, or the
    absolute path of a folder or file of this machine. `asked` is what was named: a repository's address with its ref,
    a page's sitemap. `ref` is a branch, a tag or a commit; `commit` is the hash it led to, or that of the commit which
    the folder is at; `dirty` tells of a folder with changes that are in no commit. `etag` and `modified` are what a
    page's server said. "" stands for what there is none of. `fetched_at` is UTC, ISO 8601. A document that a program
    handed over has its id there as `url`, and the collection that it belongs to as `asked`. An upload, which a person
    gave to the page, has the name that it has there as `url`, and all of them have one `asked`.
    """

    prefix: str
    kind: Literal["folder", "git", "web", "document", "upload"]
    url: str
    asked: str
    fetched_at: str
    ref: str = ""
    commit: str = ""
    dirty: bool = False
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is: in a collection of the Qdrant server at `url`, or in the workspace itself where that is ""."""

    url: str = ""
    collection: str = ""

    def __str__(self) -> str:
        return f"{self.url}, collection {self.collection}" if self.url else "the workspace"


HERE = Place()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a new collection lies on the server's machines; None leaves it to the server. One that is there stays.

    `shards` are its parts, `replicas` the machines that hold each, `consistency` how many of those have a write before
    it is acknowledged. `payload_on_disk` keeps texts and names out of memory.
    """

    shards: int | None = None
    replicas: int | None = None
    consistency: int | None = None
    payload_on_disk: bool | None = None

    def asked(self) -> dict[str, Any]:
        """Return it as the server takes it."""
        named = {
            "shard_number": self.shards,
            "replication_factor": self.replicas,
            "write_consistency_factor": self.consistency,
            "on_disk_payload": self.payload_on_disk,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ServerState:
    """A Qdrant server's version, and how many points the collection at `place` holds, whoever wrote them."""

    place: Place
    version: str
    points: int


class Scored(NamedTuple):
    """A chunk's identity with a score, comparable within one list only. A tuple, because a search makes 4,000."""

    id: int
    score: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How many chunks each part of a store holds. In a sound store they are equal, and equal to the manifest's."""

    chunks: int
    vectors: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found. `via` names what found it: `("bm25", "dense")`, `("hop: HERON_RETENTION",)`.
    `copies` are the chunks that were found below it and say the same; see `retrieval.duplicates`."""

    chunk: Chunk
    score: float
    via: tuple[str, ...]
    copies: tuple[Chunk, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What one query found.

    `hits` is the order of the last stage. `stages` maps each stage's name to its own ranking, in the order in which the
    stages ran; the last one is the order of `hits`. `timings` maps the same names to seconds.
    """

    query: str
    hits: tuple[Hit, ...]
    stages: Mapping[str, tuple[Scored, ...]] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Definition:
    """One thing that a name can mean, and who refers to it in code.

    `name` is its dotted name from the top of what is indexed, `line` its first line, `signature` that line's text.
    `callers` are the chunks that call it for certain; `possible` those that call something of that name on a receiver
    that is not known. `importers` import it, `subclasses` inherit from it.
    """

    name: str
    path: str
    line: int
    end_line: int
    signature: str
    callers: tuple[Chunk, ...]
    possible: tuple[Chunk, ...]
    importers: tuple[Chunk, ...]
    subclasses: tuple[Chunk, ...]


State = Literal["found", "unmentioned", "unresolved", "unknown"]
"""What is known of a name: it is defined and mentioned; defined only; mentioned only; neither."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """Where a name is defined and who mentions it, code before prose and tests last.

    `defined` and `mentioned` are at most as many as was asked for. `definitions` are what it can mean in code, each
    with those that refer to it; `other` are chunks of code that mention it in no such way, `documentation` those of
    prose that mention or head a section with it. `near` are defined names that look like it, where none is it.
    """

    name: str
    defined: tuple[Chunk, ...]
    mentioned: tuple[Chunk, ...]
    definitions: tuple[Definition, ...] = ()
    other: tuple[Chunk, ...] = ()
    documentation: tuple[Chunk, ...] = ()
    near: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """What is known of the name."""
        if not self.defined and not self.definitions:
            return "unresolved" if self.mentioned else "unknown"
        used = any(d.callers or d.possible or d.importers or d.subclasses for d in self.definitions)
        return "found" if used or self.mentioned or self.documentation else "unmentioned"


@dataclass(frozen=True, slots=True)
class Passage:
    """What the model and the reader are shown: whole lines of one document, possibly several chunks merged.

    `label` is what an answer cites, a number in square brackets without the brackets: "1". `text` is the lines
    `start_line` to `end_line` as they are in the document; `excerpt` is the part that matters for the question, what
    a model with a small window is shown. `names` are the names the passage defines, for hops from it. `page` is the
    page or slide where the passage begins, 0 where the format has neither. `copies` are other places that say the same
    as a part of it, as `path:12-18`.
    """

    label: str
    path: str
    header: str
    start_line: int
    end_line: int
    text: str
    excerpt: str
    via: tuple[str, ...]
    score: float
    names: tuple[str, ...] = ()
    page: int = 0
    copies: tuple[str, ...] = ()
