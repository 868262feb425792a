"""The library: an open workspace, to search, read, grep and look names up in. Everything in it only reads."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
import regex
from opentelemetry import trace

from ingest import names, spans
from ingest.code_scopes import module_of
from ingest.errors import FileFailed, ToolError, WorkspaceMissing
from ingest.languages.recognise import DOCUMENTS
from ingest.load import load
from ingest.types import Chunk, Document, Kind
from ingest.walk import walk
from retrieval import dense, weights
from retrieval.callers import CallGraph
from retrieval.dense import Behind, Beside, Both, Filled
from retrieval.embedders import embedder_named
from retrieval.index import verify
from retrieval.manifest import Entry, Failure, Listed, Manifest, Settings, Totals
from retrieval.passages import passages
from retrieval.protocols import EVERY, HasServer, Store
from retrieval.ranking import is_test
from retrieval.rerank import reader_named
from retrieval.search import Searcher
from retrieval.stores import open_store
from retrieval.tokens import parts_of
from retrieval.types import HERE, Definition, Hit, Passage, Place, Scope, SearchResult, ServerState, Source, Symbols
from retrieval.workspace import Lock, Workspace

GREP_SECONDS = 5.0
"""How long one grep may take over all files, backtracking patterns included."""

GREP_LINE = 2_000
"""Characters of a line that grep looks at; longer lines are data or minified."""

GREP_SHOWN = 200
"""Characters of a matching line that are returned."""

READ_LINES = 200
"""Lines that one `read` returns at the most."""

_tracer = trace.get_tracer("hoplite.retrieval")


@dataclass(frozen=True, slots=True)
class Status:
    """What is indexed and in what state. `changed` and `gone` are documents whose file did since; `new` are files that
    are not indexed, None where nobody looked. `copies` maps documents to those they are stored with. `size` is in bytes
    of disk. `server` is the Qdrant server's state, None where the store is in the workspace. `dense` is
    how far a second model's vectors are, None where there are none."""

    base: Path
    folder: Path
    settings: Settings | None
    totals: Totals
    languages: Mapping[str, int]
    indexed_at: str | None
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...] | None
    failures: tuple[Failure, ...]
    skips: Mapping[str, int]
    skipped_paths: Mapping[str, tuple[str, ...]]
    copies: Mapping[str, str]
    sources: tuple[Source, ...]
    size: int
    server: ServerState | None = None
    dense: Filled | None = None

    @property
    def stale(self) -> tuple[str, ...]:
        """The documents that are not any more what was indexed."""
        return tuple(sorted((*self.changed, *self.gone)))


class Library:
    """An open workspace. Safe among the threads of one process; other processes wait outside."""

    def __init__(self, workspace: Workspace, *, store: Store | None = None, reranker: str | None = None) -> None:
        """Open it. `reranker` names a cross-encoder; see `retrieval.rerank.reader_named`.

        Raises WorkspaceBusy with the holder's process id, WorkspaceDamaged with the command that repairs it, and
        WorkspaceMissing where nothing was indexed yet.
        """
        self.workspace = workspace
        with ExitStack() as undo:
            self._lock = undo.enter_context(Lock(workspace))
            self._manifest = undo.enter_context(closing(Manifest(workspace.manifest)))
            made = self._manifest.settings()
            if made is None:
                raise WorkspaceMissing(
                    f"Nothing is indexed in {workspace.folder} yet. Run `hoplite index {workspace.base}`."
                )
            self._embedder = embedder_named(made.embedder)
            behind = self._opened_behind(made) if store is None else None
            if behind is not None:
                share = behind.share(np.fromiter(self._manifest.chunk_ids(), np.int64))
                store = Both(workspace.store, made.dim, behind, share)
                self._embedder = Beside(self._embedder, embedder_named(behind.made.model), share)
            self.store: Store = undo.enter_context(closing(store or open_store(workspace, made)))
            verify(self.store, self._manifest)
            reader = weights.installed(weights.TRANSFORMER_INT8)
            self.reads_closely = reader is not None
            self._reads_with = (reranker or weights.TRANSFORMER_INT8) if reader else ""
            self._searcher = Searcher(self.store, self._embedder, reader_named(reranker) if reader else None)
            undo.pop_all()  # open: from here on it is `close` that gives all this back

    # Search ---------------------------------------------------------------------------------------------------------

    def search(
        self, query: str, *, k: int = 8, hops: int | None = None, scope: Scope | None = None, rerank: bool = True
    ) -> SearchResult:
        """Return the best chunks for the query; see `Searcher.search`."""
        return self._searcher.search(query, k=k, hops=hops, scope=scope, rerank=rerank)

    def leads(self, query: str, hits: Sequence[Hit], *, k: int = 6, scope: Scope | None = None) -> SearchResult:
        """Return what the names in these hits lead to; see `Searcher.leads`."""
        return self._searcher.leads(query, hits, k=k, scope=scope)

    def passages(
        self,
        result: SearchResult,
        *,
        query: str,
        limit: int = 3,
        first_label: int = 1,
        budget: int | None = None,
        best: Literal["first", "last"] = "first",
    ) -> list[Passage]:
        """Return the hits merged and trimmed for the query, labelled from `first_label` on; `budget` is in tokens.

        See `retrieval.passages`.
        """
        with _tracer.start_as_current_span("passages", attributes={spans.KIND: "RETRIEVER"}) as span:
            found = passages(
                result.hits,
                query=query,
                limit=limit,
                idf=self.store.idf,
                first_label=first_label,
                budget=budget,
                best=best,
                in_document=self.store.in_document,
            )
            if span.is_recording():
                shown = ((f"{p.path}:{p.start_line}-{p.end_line}", float(p.score), p.excerpt) for p in found)
                span.set_attributes(spans.documents(shown))
        return found

    def symbols(self, name: str, limit: int = 10) -> Symbols:
        """Return the chunks that define a name and those that mention it, at most `limit` of each; and what the name
        can mean in code, with everything that refers to it.

        A code name is looked up as written, prose as it folds: `load_settings()`, `Settings.load`, "Data retention".
        `callers` says in which other ways a code name may be written.
        """
        with _tracer.start_as_current_span("symbols", attributes={spans.KIND: "RETRIEVER", "hoplite.name": name}):
            bare = _bare(name)
            forms = [form for form in dict.fromkeys([bare, names.prose_name(bare)]) if form]
            defined = self._with_names(self.store.definers(forms, common=EVERY))
            found = self.callers(bare)
            known = {chunk.id for one in found for chunk in self._referring(one)}
            # A name in full is written in many ways, and what is bare belongs to it where it means nothing else.
            own = [one.name.removeprefix(f"{module_of(one.path)}.") for one in found]
            forms += [
                form
                for one in own
                if one != bare
                for form in (one, *names.with_tails(one)[: 3 if len(own) == 1 else 2])
            ]
            defining = [chunk for one in found if (chunk := self._graph.chunk_at(one.path, one.line))]
            mentioned = self._with_names(self.store.mentioners(forms, common=EVERY), but=[*defined, *defining])
            headed = [chunk for chunk in defined if chunk.kind == "prose"]
            near = () if defined or found else self._near(bare)
        return Symbols(
            name=name,
            defined=(defined or tuple(defining))[:limit],
            mentioned=mentioned[:limit],
            definitions=tuple(found),
            other=tuple(chunk for chunk in mentioned if chunk.kind == "code" and chunk.id not in known),
            documentation=(*headed, *(chunk for chunk in mentioned if chunk.kind == "prose")),
            near=near,
        )

    def callers(self, name: str) -> list[Definition]:
        """Return everything in code that a name can mean, each with the chunks that call it; none for an unknown name.

        The name may be bare, of a class, in full, or with its file: `slugify`, `QuerySet.filter`,
        `django.utils.text.slugify`, `django/utils/text.py:slugify`.
        """
        with _tracer.start_as_current_span("callers", attributes={spans.KIND: "RETRIEVER", "hoplite.name": name}):
            return [self._graph.definition(place) for place in self._graph.places(_bare(name))]

    def meanings(self, name: str) -> list[str]:
        """Return everything in code that a name can mean, as `path:name`; a test's only where there are no others.

        It costs less than `callers`, whose names these are.
        """
        found = [place for place in self._graph.places(_bare(name)) if place.name]
        return [f"{p.path}:{p.name}" for p in ([p for p in found if not is_test(p.path)] or found)]

    # Files ----------------------------------------------------------------------------------------------------------

    def paths(self) -> list[str]:
        """Return every indexed document's path, sorted."""
        return sorted(self._manifest.paths())

    def resolve(self, path: str) -> Document | None:
        """Return an indexed file as it is now, loaded as it was for the index; None where it cannot be read.

        Only what was indexed can be resolved, so that no path a model invents leads outside.
        """
        return resolved(self._manifest, path)

    def documents(self, *, words: str = "", kind: Kind | None = None, scope: Scope | None = None) -> list[Listed]:
        """Return the documents whose path holds these words, or fits them where they are a glob, sorted by path."""
        glob = Scope(words) if any(char in words for char in "*?[") else None
        return [
            each
            for each in self._manifest.listed()
            if (kind is None or each.kind == kind)
            and (scope is None or scope.reaches(each.path))
            and (glob.reaches(each.path) if glob else words.lower() in each.path.lower())
        ]

    def original(self, path: str) -> str:
        """Return the document that a copy is stored with, "" for one that is stored for itself."""
        entry = self._manifest.entry(path)
        return entry.original if entry else ""

    def state(self, document: Listed) -> Literal["same", "changed", "gone"]:
        """Return what became of a document's file since it was indexed."""
        return _state(document)

    def digest(self, path: str) -> str | None:
        """Return the digest that a document was indexed with."""
        entry = self._manifest.entry(path)
        return entry.digest if entry else None

    def source_of(self, path: str) -> Source | None:
        """Return where a document came from and when; None where that was never noted."""
        return self._manifest.source_of(path)

    def sources(self) -> tuple[Source, ...]:
        """Return where the documents came from, by prefix."""
        return self._manifest.sources()

    def chunk_with(self, path: str, line: int, quote: str) -> Chunk | None:
        """Return the chunk of a document that holds a quote, white space aside; else the one at a line of the file;
        None where neither is."""
        wanted = " ".join(quote.split())
        chunks = self.store.in_document(path)
        holding = (chunk for chunk in chunks if wanted and wanted in " ".join(chunk.text.split()))
        there = (chunk for chunk in chunks if chunk.start_line <= line <= chunk.end_line)
        return next(holding, None) or next(there, None)

    def read(self, path: str, start_line: int, end_line: int) -> Passage:
        """Return lines of an indexed file, counted from 1, both ends included, at most `READ_LINES`.

        Raises ToolError for a path that is not indexed and for lines that are not there.
        """
        document = self.resolve(path)
        if document is None:
            similar = [p for p in self.paths() if p.endswith("/" + path) or p.rsplit("/", 1)[-1] == path][:3]
            hint = f" Did you mean {', '.join(similar)}?" if similar else ""
            raise ToolError(f"There is no indexed file {path}.{hint}")
        lines = document.text.split("\n")
        numbers = document.source_lines or range(1, len(lines) + 1)
        last = max(numbers, default=1)
        if start_line > last or end_line < start_line or end_line < 1:
            raise ToolError(f"{path} has lines 1 to {last}; asked for {start_line} to {end_line}.")
        start, end = max(1, start_line), min(last, end_line, start_line + READ_LINES - 1)
        text = "\n".join(line for line, number in zip(lines, numbers, strict=True) if start <= number <= end)
        return Passage(
            label="", path=path, header=path, start_line=start, end_line=end, text=text, excerpt=text,
            via=("read",), score=0.0,
        )  # fmt: skip

    def grep(
        self, pattern: str, path_glob: str | None = None, limit: int = 20, *, scope: Scope | None = None
    ) -> list[tuple[str, int, str]]:
        """Return (path, line, text) where a regular expression matches an indexed chunk's lines, of documents whose
        path fits the glob and lies in `scope`.

        Raises ToolError for a pattern that does not compile, and for one that takes longer than `GREP_SECONDS`.
        """
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise ToolError(f"{pattern!r} is no regular expression: {error}.") from None
        asked = Scope(path_glob)
        paths = [p for p in self.paths() if asked.reaches(p) and (scope is None or scope.reaches(p))]
        with _tracer.start_as_current_span("grep", attributes={spans.KIND: "RETRIEVER", "hoplite.pattern": pattern}):
            return _grep(pattern, self._numbered(paths), limit)

    # State ----------------------------------------------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """A hash of every document's path and digest and of the embedder: changes when the index does."""
        made = self._manifest.settings()
        body = hashlib.sha256(f"{made.embedder if made else ''}".encode())
        for path, digest in self._manifest.digests().items():
            body.update(f"{path}\0{digest}\n".encode())
        return body.hexdigest()[:16]

    @property
    def version(self) -> str | None:
        """What a search depends on besides its query: the index, how many chunks have a vector of a second model, and
        which transformer orders what is found.

        None where the index is on a server: others may write to it, and nobody here would know.
        """
        if isinstance(self.store, HasServer):
            return None
        behind = f" {self.store.behind.made.model} {len(self.store.behind)}" if isinstance(self.store, Both) else ""
        return f"{self.fingerprint} {self._reads_with}{behind}"

    @property
    def place(self) -> Place:
        """Where the store is."""
        made = self._manifest.settings()
        return made.place if made else HERE

    def status(self, *, check: bool = False) -> Status:
        """Count what is indexed, and compare every file's size and time with the manifest's.

        `check` also walks the workspace's base for files that are not indexed, which takes a second for 4,000.
        """
        entries = [entry for path in self.paths() if (entry := self._manifest.entry(path))]
        languages: dict[str, int] = {}
        for entry in entries:
            languages[entry.language] = languages.get(entry.language, 0) + 1
        states = {entry.path: _state(entry) for entry in entries}
        made = self._manifest.settings()
        return Status(
            base=self.workspace.base,
            folder=self.workspace.folder,
            settings=made,
            totals=self._manifest.totals(),
            languages=dict(sorted(languages.items(), key=lambda item: (-item[1], item[0]))),
            indexed_at=self._manifest.indexed_at(),
            changed=tuple(path for path, state in states.items() if state == "changed"),
            gone=tuple(path for path, state in states.items() if state == "gone"),
            new=self._new({entry.path for entry in entries}) if check else None,
            failures=self._manifest.failures(),
            skips=self._manifest.skips(),
            skipped_paths=self._manifest.skipped_paths(),
            copies=self._manifest.copies(),
            sources=self._manifest.sources(),
            # Blocks, not lengths: the shard's files are sparse, and a new one's, 150 MB long, take 0.3 MB.
            server=self.store.state() if isinstance(self.store, HasServer) else None,
            dense=None if made is None or made.place.url else dense.filled(self.workspace, self._manifest),
            size=sum(f.lstat().st_blocks * 512 for f in self.workspace.folder.rglob("*") if f.is_file()),
        )

    def _new(self, known: set[str]) -> tuple[str, ...]:
        """The files below the base that an index run would read for the first time; those that failed are not new."""
        known = known | {failure.path for failure in self._manifest.failures()}
        return tuple(file.path for file in walk(self.workspace.base).files if file.path not in known)

    def close(self) -> None:
        """Give the workspace back; closing twice is no error."""
        self.store.close()
        self._manifest.close()
        self._lock.release()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened_behind(self, made: Settings) -> Behind | None:
        """A second model's vectors, where some are filled in."""
        noted = None if made.place.url else dense.noted(dense.folder_in(self.workspace))
        behind = Behind(dense.folder_in(self.workspace), noted) if noted else None
        return behind if behind else None

    @cached_property
    def _graph(self) -> CallGraph:
        return CallGraph(self.store, self.paths())

    def _numbered(self, paths: Sequence[str]) -> Iterator[tuple[str, list[tuple[int, str]]]]:
        """Each file's lines with their numbers. Documents that would have to be parsed come as they were indexed:
        parsing them all would take longer than a search may."""
        for entry in filter(None, map(self._manifest.entry, paths)):
            if entry.language in DOCUMENTS:
                chunks = sorted(self.store.chunks(entry.chunks).values(), key=lambda c: (c.start_line, c.id))
                lines = [(c.start_line + i, line) for c in chunks for i, line in enumerate(c.text.split("\n"))]
            elif document := self.resolve(entry.path):
                texts = document.text.split("\n")
                lines = list(zip(document.source_lines or range(1, len(texts) + 1), texts, strict=True))
            else:
                continue  # `status` lists it; a search over the others still helps
            yield entry.path, lines

    def _referring(self, found: Definition) -> tuple[Chunk, ...]:
        return (*found.callers, *found.possible, *found.importers, *found.subclasses)

    def _with_names(self, found: Mapping[str, tuple[int, ...]], but: Sequence[Chunk] = ()) -> tuple[Chunk, ...]:
        """The chunks found, code before prose and tests last, in the order of their places."""
        known = {chunk.id for chunk in but}
        ids = sorted({chunk for chunks in found.values() for chunk in chunks} - known)
        chunks = self.store.chunks(ids).values()
        return tuple(sorted(chunks, key=lambda c: (c.kind != "code", is_test(c.path), c.path, c.start_line, c.id)))

    def _near(self, name: str) -> tuple[str, ...]:
        """Defined names that differ from this one in case, humps, underscores or a qualifier."""
        spellings = [names.prose_name(name)]
        for form in names.with_tails(name):
            parts = parts_of(form)
            snake, pascal = "_".join(parts), "".join(map(str.capitalize, parts))
            camel = pascal[:1].lower() + pascal[1:]
            spellings += [form, form.lower(), form.upper(), "".join(parts), snake, snake.upper(), camel, pascal]
        return tuple(sorted(self.store.defined([s for s in spellings if s and s != name])))


def resolved(manifest: Manifest, path: str) -> Document | None:
    """Return a file that a manifest knows, as it is now and loaded as it was for the index; None where it cannot be
    read."""
    entry = manifest.entry(path)
    if entry is None:
        return None
    try:
        return load(entry.source, entry.path)
    except FileFailed:
        return None


def _bare(name: str) -> str:
    return name.strip().strip("`").removesuffix("()")


def _state(entry: Entry | Listed) -> Literal["same", "changed", "gone"]:
    try:
        status = os.stat(entry.source)
    except OSError:
        return "gone"
    return "same" if (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns) else "changed"


def _grep(
    pattern: str, numbered: Iterable[tuple[str, list[tuple[int, str]]]], limit: int
) -> list[tuple[str, int, str]]:
    deadline = time.monotonic() + GREP_SECONDS
    compiled = regex.compile(pattern)
    found: list[tuple[str, int, str]] = []
    for path, lines in numbered:
        for number, line in lines:
            try:
                matches = compiled.search(line[:GREP_LINE], timeout=max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                raise ToolError(
                    f"{pattern!r} took longer than {GREP_SECONDS:.0f} s. Use a simpler pattern, or search()."
                ) from None
            if matches:
                found.append((path, number, line.strip()[:GREP_SHOWN]))
                if len(found) == limit:
                    return found
    return found
