"""What ingestion made, written so that a run stopped anywhere loses nothing and doubles nothing.

A batch is embedded, written to the store, and only then recorded in the manifest; chunks that no document owns any more
go last. So what the manifest says is there is there, and what a stopped run leaves over belongs to nobody: the next run
takes it up, or sweeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np
from opentelemetry import trace

from ingest.errors import FileFailed, WorkspaceDamaged
from ingest.reading import FileRead
from ingest.types import Chunk
from retrieval.manifest import Entry, Failure, Manifest
from retrieval.protocols import Embedder, Store
from retrieval.tokens import searchable

# Chunks a batch: two seconds of work to lose, and 12 MB of text and vectors in memory.
BATCH = 4_000

Phase = Literal["walking", "reading", "writing", "sweeping"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run did so far. `written` counts the `new` documents and the changed ones, `embedded` the chunks whose
    vectors were not in the store yet."""

    written: int = 0
    new: int = 0
    unchanged: int = 0
    failed: int = 0
    forgotten: int = 0
    chunks: int = 0
    embedded: int = 0


class Indexer:
    """Brings the store and the manifest to what the files say."""

    def __init__(self, store: Store, manifest: Manifest, embedder: Embedder, *, batch: int = BATCH) -> None:
        """Raises EmbedderMismatch where the workspace was indexed with another embedder."""
        manifest.hold_to(embedder.name, embedder.dim)
        self._store = store
        self._manifest = manifest
        self._embedder = embedder
        self._batch = batch
        self._tracer = trace.get_tracer("hoplite.retrieval")

    def apply(
        self,
        results: Iterable[FileRead],
        *,
        walked: Callable[[str], bool] = lambda path: True,
        sweep: bool = True,
        on_phase: Callable[[Phase], object] = lambda phase: None,
    ) -> Applied:
        """Index the results, and forget the documents that were walked past without being seen.

        Args:
            results: One for every file of the walk, the unchanged ones too; read as they come.
            walked: Tells of a shown path whether this run's walk covered its place; others are left alone.
            sweep: Look through the whole store for what a stopped run left; a run over a few files has no time for it.
            on_phase: Told when another phase begins.
        """
        failures: list[Failure] = []
        seen: set[str] = set()
        done = Applied()
        with self._tracer.start_as_current_span("index") as span:
            for batch in _batches(results, self._batch):
                seen |= {result.path for result in batch}
                failures += [Failure(r.path, r.error.reason, str(r.error)) for r in batch if r.error]
                on_phase("writing")
                done = self._write(batch, done)
                on_phase("reading")
            on_phase("sweeping")
            gone = {path for path in self._manifest.paths() - seen if walked(path)}
            self._forget(gone)
            if sweep:
                self.sweep()
            self._manifest.note_failures(failures, walked)
            done = _plus(done, forgotten=len(gone))
            span.set_attributes({f"hoplite.{field}": getattr(done, field) for field in Applied.__dataclass_fields__})
        return done

    def sweep(self) -> int:
        """Remove the chunks that no document owns, such as those of a run that was stopped; return how many."""
        orphans = sorted(self._store.ids() - self._manifest.chunk_ids())
        self._store.remove(orphans)
        return len(orphans)

    def _write(self, batch: Sequence[FileRead], done: Applied) -> Applied:
        """Embed, write, record, and only then remove."""
        changed = {r.path: r for r in batch if r.chunks is not None and r.error is None}
        for result in batch:
            if result.chunks is None and result.error is None:
                self._touch(result)
        chunks = [chunk for result in changed.values() for chunk in result.chunks or ()]
        embedded = sum(self._put(chunks[i : i + self._batch]) for i in range(0, len(chunks), self._batch))
        failed = [r.path for r in batch if r.error]
        before = self._manifest.owned([*changed, *failed])
        if changed:
            self._manifest.record([_entry(result) for result in changed.values()])
        # What cannot be read any more cannot be cited any more either.
        self._manifest.forget([path for path in failed if path in before])
        self._drop(chunk for ids in before.values() for chunk in ids)
        return _plus(
            done,
            written=len(changed),
            new=len(changed.keys() - before.keys()),
            unchanged=len(batch) - len(changed) - len(failed),
            failed=len(failed),
            chunks=len(chunks),
            embedded=embedded,
        )

    def _put(self, chunks: Sequence[Chunk]) -> int:
        """Write what the store does not have as it is; return how many vectors had to be made."""
        ids = [chunk.id for chunk in chunks]
        known, vectors = self._store.chunks(ids), self._store.vectors(ids)
        lacking = [chunk for chunk in chunks if chunk.id not in vectors]
        if lacking:
            with self._tracer.start_as_current_span("embed", attributes={"hoplite.chunks": len(lacking)}):
                made = self._embedder.embed([searchable(chunk) for chunk in lacking])
            vectors |= {chunk.id: vector for chunk, vector in zip(lacking, made, strict=True)}
        lacked = {chunk.id for chunk in lacking}
        fresh = [chunk for chunk in chunks if chunk.id in lacked or known.get(chunk.id) != chunk]
        if fresh:
            with self._tracer.start_as_current_span("write", attributes={"hoplite.chunks": len(fresh)}):
                self._store.write(fresh, np.stack([vectors[chunk.id] for chunk in fresh]))
        return len(lacking)

    def _touch(self, result: FileRead) -> None:
        """Note a new time, and a new place: the folder may have been moved with its workspace."""
        now = (result.path, result.size, result.mtime_ns, result.source)
        if not self._manifest.unchanged(*now):
            self._manifest.touch(*now)

    def _forget(self, paths: set[str]) -> None:
        before = self._manifest.owned(paths)
        self._manifest.forget(paths)
        self._drop(chunk for ids in before.values() for chunk in ids)

    def _drop(self, ids: Iterable[int]) -> None:
        """Remove from the store what no document owns."""
        candidates = set(ids)
        if candidates:
            self._store.remove(sorted(candidates - self._manifest.chunk_ids()))


def verify(store: Store, manifest: Manifest) -> None:
    """Compare the store's counts with the manifest's.

    More in the store than in the manifest is what a stopped run leaves, and harmless.
    Raises WorkspaceDamaged where there is less, with the command that repairs it.
    """
    expected, found = manifest.totals().chunks, store.counts()
    for part, here in (("chunks", found.chunks), ("vectors", found.vectors)):
        if here < expected:
            raise WorkspaceDamaged(
                f"The index is damaged: {here} of {expected} {part} are there. "
                "Run `hoplite index PATH` to repair it: only what is missing is read again."
            )


def repair(store: Store, manifest: Manifest) -> int:
    """Forget the documents with chunks that the store does not have, so that the next walk reads them again.

    What is left of them in the store is taken up by that run, or swept at its end. Returns how many were forgotten.
    """
    missing: set[int] = set()
    expected = iter(sorted(manifest.chunk_ids()))
    while ids := list(islice(expected, BATCH)):
        missing |= set(ids) - (store.chunks(ids).keys() & store.vectors(ids).keys())
    broken = [path for path, ids in manifest.owned(manifest.paths()).items() if missing & set(ids)] if missing else []
    manifest.forget(broken)
    return len(broken)


def _batches(results: Iterable[FileRead], chunks: int) -> Iterator[list[FileRead]]:
    """Group results until they hold about so many chunks, or as many files without any."""
    batch: list[FileRead] = []
    weight = 0
    for result in results:
        result = _checked(result)
        batch.append(result)
        weight += max(1, len(result.chunks or ()))
        if weight >= chunks:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _checked(result: FileRead) -> FileRead:
    """Turn a document that no database and no tokenizer accepts into a failed one.

    A JSON notebook can spell half a surrogate pair, and a file name need not be UTF-8.
    """
    try:
        for text in (result.path, *(searchable(chunk) for chunk in result.chunks or ())):
            text.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = result.path.encode("utf-8", "backslashreplace").decode("utf-8")
        message = f"{shown} holds text that is not Unicode ({error.reason}). Save it again as UTF-8."
        return replace(result, path=shown, chunks=None, error=FileFailed("encoding", message))
    return result


def _entry(result: FileRead) -> Entry:
    return Entry(
        path=result.path,
        source=result.source,
        digest=result.digest,
        size=result.size,
        mtime_ns=result.mtime_ns,
        kind=result.kind,
        language=result.language,
        chunks=tuple(chunk.id for chunk in result.chunks or ()),
    )


def _plus(done: Applied, **more: int) -> Applied:
    return Applied(**{field: getattr(done, field) + more.get(field, 0) for field in Applied.__dataclass_fields__})
