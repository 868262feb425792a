"""One index run: from paths on the command line to a workspace that answers."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from opentelemetry import trace

from ingest import pipeline
from ingest.errors import UserError, WorkspaceMissing
from ingest.walk import FoundFile, walk
from retrieval import sources
from retrieval.embedders import embedder_named
from retrieval.index import Applied, FileResult, Indexer, repair
from retrieval.manifest import Failure, Manifest
from retrieval.sources import Fetched, below
from retrieval.store_edge import EdgeStore
from retrieval.workspace import Lock, Workspace, create, find, place

_tracer = trace.get_tracer("hoplite.retrieval")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: files looked at, of how many, and the chunks that were read."""

    done: int
    files: int
    chunks: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did. `documents` and `chunks` are what the workspace holds now; `repaired` counts the documents that
    were read again because the store had lost chunks of theirs."""

    workspace: Path
    documents: int
    chunks: int
    applied: Applied
    skipped: Mapping[str, int]
    failures: tuple[Failure, ...]
    repaired: int


def workspace_for(paths: Sequence[Path], chosen: Path | None = None) -> Workspace:
    """Return the workspace that these paths belong to, which may still have to be made.

    It is the one chosen, else the one above the first path, else a new one in the deepest folder that holds them all.
    Without a path, that is the current folder. Raises UserError for a path with nothing there.
    """
    for path in paths:
        if not path.exists():
            raise UserError(f"There is no file or folder at {path}. Check the spelling, or give another path.")
    here = paths or [Path.cwd()]
    folders = [path if path.is_dir() else path.parent for path in (Path(os.path.abspath(p)) for p in here)]
    base = Path(os.path.commonpath(folders))
    try:
        return find(folders[0], chosen)
    except WorkspaceMissing:
        return Workspace(place(base, chosen), base)


def index(
    paths: Sequence[Path],
    *,
    fetched: Fetched | None = None,
    chosen: Path | None = None,
    embedder: str | None = None,
    rebuild: bool = False,
    workers: int | None = None,
    on_workspace: Callable[[Workspace], object] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> IndexReport:
    """Index files and folders, reading only what changed since the last run.

    Args:
        paths: What to walk. Documents below them that are gone are forgotten; others are left alone.
        fetched: What `retrieval.sources.fetch` brought into the workspace; it is walked like the paths.
        chosen: The workspace's folder; see `workspace_for`.
        embedder: Its name; the workspace's own by default, the static one for a new workspace.
        rebuild: Start from nothing.
        workers: Processes that read and chunk; one a core by default.
        on_workspace: Told once the workspace is there and held, before the first span: so a first run is traced too.
        on_progress: Told after every file.

    Raises:
        UserError and its kin, each with the next step.
    """
    workspace = workspace_for(paths, chosen)
    fetched = fetched or Fetched()
    if rebuild:
        with suppress(UserError):  # a manifest that cannot be read is what one rebuilds for
            fetched = sources.again(workspace, fetched)
    begun = time.time_ns()
    origins = [*sources.folders(paths, workspace), *fetched.sources]
    files, skipped = _walked(paths, workspace, fetched)
    walked = time.time_ns()
    if not files and not workspace.manifest.exists():
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(skipped.items())) or "the folder is empty"
        named = ", ".join([*map(str, paths), *dict.fromkeys(source.asked for source in fetched.sources)])
        raise UserError(f"There is nothing to index in {named} ({reasons}). Name a folder of documents or code.")
    create(workspace.folder, workspace.base)
    with ExitStack() as held:
        held.enter_context(Lock(workspace))
        if on_workspace:
            on_workspace(workspace)
        held.enter_context(_tracer.start_as_current_span("index.run", start_time=begun))
        # Written after the fact: a workspace, and so a trace, is made only once there is something to put in it.
        _tracer.start_span("walk", start_time=begun, attributes={"hoplite.files": len(files)}).end(walked)
        if rebuild:
            _clear(workspace)
        with closing(Manifest(workspace.manifest)) as manifest:
            made = manifest.settings()
            chosen_embedder = embedder_named(embedder or (made.embedder if made else None))
            # Before the store is opened, which knows of another embedder no more than that its vectors do not fit.
            manifest.hold_to(chosen_embedder.name, chosen_embedder.dim)
            with closing(EdgeStore(workspace.store, chosen_embedder.dim)) as store:
                indexer = Indexer(store, manifest, chosen_embedder)
                repaired = _repaired(store, manifest)
                roots = [workspace.shown(path) for path in paths]
                results = _results(files, manifest, workers)
                applied = indexer.apply(
                    _counted(results, len(files), on_progress) if on_progress else results,
                    walked=sources.covers(manifest.sources(), roots, fetched),
                )
            manifest.note_sources(origins, gone=fetched.gone)
            manifest.note_failures([*manifest.failures(), *fetched.failures])
            manifest.note_skips(skipped)
            totals = manifest.totals()
            failures = manifest.failures()
    return IndexReport(workspace.folder, totals.documents, totals.chunks, applied, skipped, failures, repaired)


def remove(paths: Sequence[Path | str], *, chosen: Path | None = None) -> int:
    """Forget the documents at and below these paths, which need not be there any more; return how many.

    What was fetched is named by the path it is shown by, or by its address; its copy is deleted with it.

    Raises WorkspaceMissing where there is no workspace, and UserError where nothing indexed lies there.
    """
    workspace = find(Path.cwd(), chosen)
    with Lock(workspace), closing(Manifest(workspace.manifest)) as manifest:
        made = manifest.settings()
        noted = manifest.sources()
        found = {path: sources.named(str(path), noted) for path in paths}
        remote = [shown for fetched in found.values() for shown in fetched]
        local = [workspace.shown(Path(path)) for path, shown in found.items() if not shown]
        in_folders = sources.covers(noted, local, Fetched())
        gone = {p for p in manifest.paths() if in_folders(p) or any(below(p, root) for root in remote)}
        origins = [s for s in noted if any(below(s.prefix, root) for root in (local if s.kind == "folder" else remote))]
        if made is None or not (gone or origins):
            raise UserError(
                f"Nothing that is indexed lies at {', '.join(map(str, paths))}. `hoplite status` counts it."
            )
        manifest.forget(gone)
        with closing(EdgeStore(workspace.store, made.dim)) as store:
            Indexer(store, manifest, embedder_named(made.embedder)).sweep()
        sources.delete(origins, workspace)
        manifest.note_sources([], gone=[source.prefix for source in origins])
    return len(gone)


def _walked(paths: Sequence[Path], workspace: Workspace, fetched: Fetched) -> tuple[list[FoundFile], dict[str, int]]:
    """Every file once, in the order of shown paths, and how many were skipped, by reason."""
    files: dict[str, FoundFile] = {}
    skipped = Counter(fetched.skipped)
    places = [(path, workspace.base) for path in paths] + [(root, workspace.sources) for root in fetched.roots]
    for path, base in places:
        walked = walk(path, base=base)
        files |= {file.path: file for file in walked.files}
        skipped.update(walked.skipped)
    return [files[path] for path in sorted(files)], dict(sorted(skipped.items()))


def _results(files: Sequence[FoundFile], manifest: Manifest, workers: int | None) -> Iterator[FileResult]:
    """What became of each file: those as they were first, then the others as they are read."""
    new: list[FoundFile] = []
    for file in files:
        entry = manifest.entry(file.path)
        if entry is not None and (entry.size, entry.mtime_ns) == (file.size, file.mtime_ns):
            yield FileResult(
                file.path, entry.source, entry.digest, entry.size, entry.mtime_ns, entry.kind, entry.language
            )
        else:
            new.append(file)
    for read in pipeline.read(new, workers=workers):
        entry = manifest.entry(read.path)
        same = entry is not None and read.error is None and entry.digest == read.digest
        yield FileResult(
            read.path, read.source, read.digest, read.size, read.mtime_ns, read.kind, read.language,
            None if same else read.chunks, read.error,
        )  # fmt: skip


def _counted(
    results: Iterable[FileResult], files: int, on_progress: Callable[[Progress], None]
) -> Iterator[FileResult]:
    chunks = 0
    for done, result in enumerate(results, 1):
        chunks += len(result.chunks or ())
        on_progress(Progress(done, files, chunks))
        yield result


def _repaired(store: EdgeStore, manifest: Manifest) -> int:
    """Have what a damaged store has lost read again; looks closely only where the counts say so."""
    expected, found = manifest.totals().chunks, store.counts()
    return repair(store, manifest) if min(found.chunks, found.vectors) < expected else 0


def _clear(workspace: Workspace) -> None:
    """Remove the index, and nothing else that the workspace holds."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{workspace.manifest}{suffix}").unlink(missing_ok=True)
    shutil.rmtree(workspace.store, ignore_errors=True)
