"""What ingestion made, written so that a run stopped anywhere loses nothing and doubles nothing.

A batch is embedded, written to the store, and only then recorded in the manifest; chunks that no document owns any more
go last. So what the manifest says is there is there, and what a stopped run leaves over belongs to nobody: the next run
takes it up, or sweeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np
from opentelemetry import trace

from ingest import spans
from ingest.errors import FileFailed, WorkspaceDamaged
from ingest.reading import FileRead
from ingest.types import Chunk
from retrieval import copies
from retrieval.embed_static import StaticEmbedder, Tokens
from retrieval.manifest import Entry, Failure, Manifest
from retrieval.prepare import Prepared
from retrieval.protocols import Embedder, Store, Vectors
from retrieval.terms import Terms, numbered
from retrieval.tokens import embedded, searchable

# Chunks a batch: two seconds of work to lose, and 12 MB of text and vectors in memory.
BATCH = 4_000

Phase = Literal["walking", "reading", "writing", "sweeping"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run did so far. `written` counts the `new` documents and the changed ones, `copies` those of them that are
    stored with another document, `embedded` the chunks whose vectors were not in the store yet."""

    written: int = 0
    new: int = 0
    copies: int = 0
    unchanged: int = 0
    failed: int = 0
    forgotten: int = 0
    chunks: int = 0
    embedded: int = 0


class _Ahead:
    """What workers have done ahead for some chunks of a batch, and what is left to do for the others."""

    def __init__(self, results: Iterable[FileRead], wanted: Collection[int]) -> None:
        self.terms = Terms()
        self._cut: dict[int, Tokens] = {}
        for result in results:
            chunks, prepared = result.chunks or (), result.prepared
            if not isinstance(prepared, Prepared):
                self.terms.counted(chunk for chunk in chunks if chunk.id in wanted)
                continue
            places = numbered(self.terms.vocabulary, prepared.words)
            self.terms.of.update((c.id, places[t]) for c, t in zip(chunks, prepared.terms, strict=True))
            if prepared.cut is not None:
                self._cut.update((c.id, tokens) for c, tokens in zip(chunks, prepared.cut, strict=True))

    def embed(self, embedder: Embedder, chunks: Sequence[Chunk]) -> Vectors:
        """Return the chunks' vectors."""
        if isinstance(embedder, StaticEmbedder) and all(chunk.id in self._cut for chunk in chunks):
            return embedder.embed_cut([self._cut[chunk.id] for chunk in chunks])
        return embedder.embed([embedded(chunk) for chunk in chunks])


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
        self._embeds: dict[str, str | int] = {
            spans.KIND: "EMBEDDING",
            spans.OPERATION: "embeddings",
            "gen_ai.request.model": embedder.name,
            "gen_ai.embeddings.dimension.count": embedder.dim,
        }

    def apply(
        self,
        results: Iterable[FileRead],
        *,
        gone: Collection[str] = (),
        covered: Callable[[str], bool] = lambda path: True,
        again: Callable[[Collection[str]], Iterable[FileRead]] = lambda paths: (),
        on_phase: Callable[[Phase], object] = lambda phase: None,
    ) -> Applied:
        """Index the results, and forget the documents that are gone.

        Args:
            results: One for every file that may have changed, in the order of their paths; read as they come.
            gone: Documents whose files were not found any more.
            covered: Tells of a shown path whether this run walked its place; failures noted elsewhere are left alone.
            again: Reads indexed documents anew: those whose original is not any more what they were copies of.
            on_phase: Told when another phase begins.
        """
        failures: list[Failure] = []
        done = Applied()
        with self._tracer.start_as_current_span("index", attributes={spans.KIND: "CHAIN"}) as span:

            def bring_in(results: Iterable[FileRead]) -> None:
                nonlocal done
                for batch in _batches(results, self._batch):
                    failures.extend(Failure(r.path, r.error.reason, str(r.error)) for r in batch if r.error)
                    on_phase("writing")
                    done = self._write(batch, done, gone)
                    on_phase("reading")

            bring_in(results)
            left = self._manifest.owned(gone)
            self._manifest.forget(gone)
            if stranded := self._manifest.stranded():
                bring_in(again(stranded))
            on_phase("sweeping")
            self._store.remove(sorted(i for ids in left.values() for i in ids))
            self.sweep(covered)
            self._manifest.note_failures(failures, covered)
            done = _plus(done, forgotten=len(gone))
            span.set_attributes({f"hoplite.{field}": getattr(done, field) for field in Applied.__dataclass_fields__})
        return done

    def sweep(self, covered: Callable[[str], bool] = lambda path: True) -> int:
        """Remove the chunks that no document owns, such as those of a run that was stopped; return how many.

        In a store that others write to, only those of the places covered.

        Looks closely only where the counts say so.
        """
        counts, owned = self._store.counts(), self._manifest.totals().chunks
        if counts.chunks == counts.vectors == owned:
            return 0
        orphans = self._store.strays(self._manifest.chunk_ids(), covered)
        self._store.remove(orphans)
        return len(orphans)

    def _write(self, batch: Sequence[FileRead], done: Applied, gone: Collection[str]) -> Applied:
        """Embed, write, record, and only then remove."""
        changed = {r.path: r for r in batch if r.chunks is not None and r.error is None}
        for result in batch:
            if result.chunks is None and result.error is None:
                self._manifest.touch(result.path, result.size, result.mtime_ns, result.source)
        failed = [r.path for r in batch if r.error]
        before = self._manifest.owned([*changed, *failed])
        entries, chunks, twins = self._compared(changed, gone)
        ahead = _Ahead(changed.values(), {chunk.id for chunk in chunks})
        shared = self._shared(before)
        embedded = sum(self._put(chunks[i : i + self._batch], twins, ahead) for i in range(0, len(chunks), self._batch))
        if entries:
            self._manifest.record(entries)
        # What cannot be read any more cannot be cited any more either.
        self._manifest.forget([path for path in failed if path in before])
        # An identity begins with the path: nobody else owns these. The text of a document that has copies stays until
        # they have been read again.
        kept = {i for entry in entries for i in entry.chunks} | shared
        self._store.remove(sorted({i for ids in before.values() for i in ids} - kept))
        return _plus(
            done,
            written=len(changed),
            new=len(changed.keys() - before.keys()),
            copies=sum(bool(entry.original) for entry in entries),
            unchanged=len(batch) - len(changed) - len(failed),
            failed=len(failed),
            chunks=len(chunks),
            embedded=embedded,
        )

    def _compared(
        self, changed: Mapping[str, FileRead], gone: Collection[str]
    ) -> tuple[list[Entry], list[Chunk], dict[int, int]]:
        """Compare documents with those that are here and with one another.

        Returns what to record, the chunks to store, and for chunks whose text stands elsewhere already the id there.
        """
        entries: dict[str, Entry] = {}
        signed: dict[int, list[str]] = {}
        kept: list[Chunk] = []
        twins: dict[int, int] = {}
        for path, result in changed.items():
            chunks = result.chunks or ()
            keys = [copies.key(chunk) for chunk in chunks]
            signs = copies.signature(keys)
            alike = self._manifest.alike(signs)
            for other in alike.values():
                twins.update(_same(chunks, keys, other))
            here = {other: entries[other] for sign in signs for other in signed.get(sign, ())[: copies.COMMON]}
            standing = {p: e for p, e in alike.items() if p not in changed and p not in gone} | here
            candidates = {p: frozenset(e.keys) for p, e in standing.items() if not e.original}
            found = copies.original(chunks, keys, candidates)
            own = [(chunk, k) for chunk, k in zip(chunks, keys, strict=True) if not found or k not in found.shared]
            kept += [chunk for chunk, _ in own]
            entries[path] = _entry(result, own, found.path if found else "")
            for sign in copies.signature(k for _, k in own):
                signed.setdefault(sign, []).append(path)
        return list(entries.values()), kept, twins

    def _put(self, chunks: Sequence[Chunk], twins: Mapping[int, int], ahead: _Ahead) -> int:
        """Write what the store does not have as it is; return how many vectors had to be made.

        `twins` are other chunks with the same text, whose vectors serve as well.
        """
        ids = [chunk.id for chunk in chunks]
        known, vectors = self._store.chunks(ids), self._store.vectors(ids)
        lacking = [chunk for chunk in chunks if chunk.id not in vectors]
        lacked = {chunk.id for chunk in lacking}
        vectors |= self._borrowed(lacked, twins)
        new = [chunk for chunk in lacking if chunk.id not in vectors]
        if new:
            with self._tracer.start_as_current_span(
                f"embeddings {self._embedder.name}", attributes=self._embeds
            ) as span:
                span.set_attribute("hoplite.chunks", len(new))
                made = ahead.embed(self._embedder, new)
            vectors |= {chunk.id: vector for chunk, vector in zip(new, made, strict=True)}
        fresh = [chunk for chunk in chunks if chunk.id in lacked or known.get(chunk.id) != chunk]
        if fresh:
            with self._tracer.start_as_current_span("write", attributes={spans.KIND: "CHAIN"}) as span:
                span.set_attribute("hoplite.chunks", len(fresh))
                self._store.write(fresh, np.stack([vectors[chunk.id] for chunk in fresh]), ahead.terms)
        return len(new)

    def _borrowed(self, lacked: Collection[int], twins: Mapping[int, int]) -> dict[int, Vectors]:
        wanted = {i: twins[i] for i in lacked if i in twins}
        found = self._store.vectors(sorted(set(wanted.values()))) if wanted else {}
        return {i: found[twin] for i, twin in wanted.items() if twin in found}

    def _shared(self, before: Mapping[str, Collection[int]]) -> set[int]:
        """The chunks of those of the documents that have copies."""
        originals = set(self._manifest.copies().values())
        return {i for path, ids in before.items() if path in originals for i in ids}


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


def _same(chunks: Sequence[Chunk], keys: Sequence[int], other: Entry) -> Iterator[tuple[int, int]]:
    """Yield the chunks that another document has too, each with the id that it has there."""
    there = dict(zip(other.keys, other.chunks, strict=True))
    return ((chunk.id, there[k]) for chunk, k in zip(chunks, keys, strict=True) if k in there)


def _entry(result: FileRead, own: Sequence[tuple[Chunk, int]], original: str) -> Entry:
    return Entry(
        path=result.path,
        source=result.source,
        digest=result.digest,
        size=result.size,
        mtime_ns=result.mtime_ns,
        kind=result.kind,
        language=result.language,
        chunks=tuple(chunk.id for chunk, _ in own),
        keys=tuple(k for _, k in own),
        original=original,
    )


def _plus(done: Applied, **more: int) -> Applied:
    return Applied(**{field: getattr(done, field) + more.get(field, 0) for field in Applied.__dataclass_fields__})
