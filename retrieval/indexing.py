"""One index run: from paths on the command line to a workspace that answers."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from opentelemetry import trace

from ingest import pipeline
from ingest.errors import UserError, WorkspaceMissing
from ingest.reading import FileRead
from ingest.walk import FoundFile, shown, walk
from retrieval.embedders import embedder_named
from retrieval.index import Applied, Indexer, Phase, repair
from retrieval.manifest import Failure, Manifest
from retrieval.protocols import Embedder
from retrieval.store_edge import EdgeStore
from retrieval.workspace import Lock, Workspace, create, find, place

_tracer = trace.get_tracer("hoplite.retrieval")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: files looked at, of how many (0 while walking), the chunks that were read, and the files that
    failed."""

    phase: Phase = "walking"
    done: int = 0
    files: int = 0
    chunks: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One of `of` parts of a folder, counted from 1. A file's part follows from its path alone, on every machine."""

    number: int
    of: int

    def __contains__(self, path: str) -> bool:
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.of == self.number - 1


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did. `files` counts those it looked at; `documents` and `chunks` are what the workspace holds now;
    `failures` are those of the places walked; `repaired` counts the documents that were read again because the store
    had lost chunks of theirs."""

    workspace: Path
    files: int
    documents: int
    chunks: int
    applied: Applied
    skipped: Mapping[str, int]
    failures: tuple[Failure, ...]
    repaired: int


def workspace_for(paths: Sequence[Path], chosen: Path | None = None) -> Workspace:
    """Return the workspace that these paths belong to, which may still have to be made.

    It is the one chosen, else the one above the first path, else a new one in the deepest folder that holds them all.
    Raises UserError for a path with nothing there.
    """
    for path in paths:
        if not path.exists():
            raise UserError(f"There is no file or folder at {path}. Check the spelling, or give another path.")
    folders = [path if path.is_dir() else path.parent for path in (Path(os.path.abspath(p)) for p in paths)]
    base = Path(os.path.commonpath(folders))
    try:
        return find(folders[0], chosen)
    except WorkspaceMissing:
        return Workspace(place(base, chosen), base)


def index(
    paths: Sequence[Path],
    *,
    chosen: Path | None = None,
    embedder: str | Embedder | None = None,
    rebuild: bool = False,
    only: Collection[str] | None = None,
    part: Part | None = None,
    workers: int | None = None,
    on_workspace: Callable[[Workspace], object] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> IndexReport:
    """Index files and folders, reading only what changed since the last run.

    Args:
        paths: What to walk. Documents below them that are gone are forgotten; others are left alone.
        chosen: The workspace's folder; see `workspace_for`.
        embedder: Its name, or itself; the workspace's own by default, the static one for a new workspace.
        rebuild: Start from nothing.
        only: Real paths; of what lies below `paths` nothing but these and what is below them is looked at.
        part: Only the files of this part are read, and only its documents are forgotten.
        workers: Processes that read and chunk; one a core by default.
        on_workspace: Told once the workspace is there and held, before the first span: so a first run is traced too.
        on_progress: Told after every file, and when another phase begins.

    Raises:
        UserError and its kin, each with the next step.
    """
    workspace = workspace_for(paths, chosen)
    begun = time.time_ns()
    told = _Told(on_progress or (lambda at: None))
    files, skipped = _walked(paths, workspace, only)
    files = [file for file in files if part is None or file.path in part]
    walked = time.time_ns()
    if not files and not workspace.manifest.exists() and part is None:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(skipped.items())) or "the folder is empty"
        named = ", ".join(map(str, paths))
        raise UserError(f"There is nothing to index in {named} ({reasons}). Name a folder of documents or code.")
    create(workspace.folder, workspace.base)
    with ExitStack() as held:
        held.enter_context(Lock(workspace, writes=True))
        covered = _coverage(paths, workspace, only, part)
        if only is not None and not files and (idle := _nothing_there(workspace, covered)):
            return idle
        if on_workspace:
            on_workspace(workspace)
        held.enter_context(_tracer.start_as_current_span("index.run", start_time=begun))
        # Written after the fact: a workspace, and so a trace, is made only once there is something to put in it.
        _tracer.start_span("walk", start_time=begun, attributes={"hoplite.files": len(files)}).end(walked)
        if rebuild:
            _clear(workspace)
        with closing(Manifest(workspace.manifest)) as manifest:
            made = manifest.settings()
            if embedder is None or isinstance(embedder, str):
                embedder = embedder_named(embedder or (made.embedder if made else None))
            # Before the store is opened, which knows of another embedder no more than that its vectors do not fit.
            manifest.hold_to(embedder.name, embedder.dim)
            with closing(EdgeStore(workspace.store, embedder.dim)) as store:
                indexer = Indexer(store, manifest, embedder)
                repaired = _repaired(store, manifest) if only is None else 0
                applied = indexer.apply(
                    told.results(_results(files, manifest, workers), len(files)),
                    walked=covered,
                    sweep=only is None,
                    on_phase=told.phase,
                )
            if only is None:
                manifest.note_skips(skipped)
            report = _report(workspace, manifest, covered)
    return replace(report, files=len(files), applied=applied, skipped=skipped, repaired=repaired)


def embedder_of(workspace: Workspace) -> Embedder:
    """Return the embedder that a workspace was indexed with, for runs to share; it is loaded when it is needed.

    Raises WorkspaceMissing where nothing was indexed yet.
    """
    with closing(Manifest(workspace.manifest)) as manifest:
        made = manifest.settings()
    if made is None:
        raise WorkspaceMissing(f"Nothing is indexed in {workspace.folder} yet. Run `hoplite index {workspace.base}`.")
    return embedder_named(made.embedder)


def documents_in(workspace: Workspace) -> int:
    """Return how many documents are in the index, whoever holds it; 0 where there is none yet."""
    if not workspace.manifest.exists():
        return 0
    with closing(Manifest(workspace.manifest)) as manifest:
        return manifest.totals().documents


@dataclass(frozen=True, slots=True)
class Removed:
    """What was forgotten, by shown path and in chunks, and how many documents are left."""

    paths: tuple[str, ...]
    chunks: int
    left: int


def remove(paths: Sequence[Path], *, chosen: Path | None = None) -> Removed:
    """Forget the documents at and below these paths, and what failed there; the files need not be there any more.

    Raises WorkspaceMissing where there is no workspace, and UserError, with nothing forgotten, where a path is not one
    of an indexed file or of a folder of such.
    """
    workspace = _workspace_of(paths[0], chosen)
    with Lock(workspace, writes=True), closing(Manifest(workspace.manifest)) as manifest:
        made = manifest.settings()
        # The name of a link is its own, the folder that it lies in is a real one.
        roots = {str(path): _shown(_real_parent(path), workspace) for path in paths}
        known = manifest.paths() | {failure.path for failure in manifest.failures()}
        strangers = [name for name, root in roots.items() if not any(_below(path, root) for path in known)]
        if made is None or strangers:
            raise UserError(
                f"Nothing that is indexed lies at {', '.join(strangers or roots)}, so nothing was forgotten. "
                "Name files and folders; `hoplite status` shows the folder that is indexed."
            )
        gone = sorted(path for path in manifest.paths() if any(_below(path, root) for root in roots.values()))
        chunks = manifest.totals().chunks
        manifest.forget(gone)
        manifest.note_failures((), lambda path: any(_below(path, root) for root in roots.values()))
        with closing(EdgeStore(workspace.store, made.dim)) as store:
            Indexer(store, manifest, embedder_named(made.embedder)).sweep()
        left = manifest.totals()
    return Removed(tuple(gone), chunks - left.chunks, left.documents)


def _workspace_of(path: Path, chosen: Path | None) -> Workspace:
    """The workspace that was chosen or lies above the path, else the one above the current folder."""
    try:
        return find(path, chosen)
    except WorkspaceMissing:
        return find(Path.cwd(), chosen)


def _coverage(
    paths: Sequence[Path], workspace: Workspace, only: Collection[str] | None, part: Part | None
) -> Callable[[str], bool]:
    """Tell of a shown path whether a run covers its place."""
    roots = [_shown(os.path.realpath(path), workspace) for path in paths]
    chosen = None if only is None else {_shown(path, workspace) for path in only}

    def covered(path: str) -> bool:
        if chosen is not None and not _at_or_below(path, chosen):
            return False
        return any(_below(path, root) for root in roots) and (part is None or path in part)

    return covered


def _nothing_there(workspace: Workspace, covered: Callable[[str], bool]) -> IndexReport | None:
    """What a run without files reports where nothing is known of the places it covers; None where something is."""
    with closing(Manifest(workspace.manifest)) as manifest:
        if any(map(covered, manifest.paths())):
            return None
        report = _report(workspace, manifest, covered)
        return None if report.failures else report


def _report(workspace: Workspace, manifest: Manifest, covered: Callable[[str], bool]) -> IndexReport:
    """What the workspace holds, as a report of nothing done."""
    totals = manifest.totals()
    failures = tuple(failure for failure in manifest.failures() if covered(failure.path))
    return IndexReport(workspace.folder, 0, totals.documents, totals.chunks, Applied(), {}, failures, 0)


def _walked(
    paths: Sequence[Path], workspace: Workspace, only: Collection[str] | None
) -> tuple[list[FoundFile], dict[str, int]]:
    """Every file once, in the order of shown paths, and how many were skipped, by reason."""
    files: dict[str, FoundFile] = {}
    skipped: Counter[str] = Counter()
    for path in paths:
        walked = walk(path, base=workspace.base, only=only)
        files |= {file.path: file for file in walked.files}
        skipped.update(walked.skipped)
    return [files[path] for path in sorted(files)], dict(sorted(skipped.items()))


def _results(files: Sequence[FoundFile], manifest: Manifest, workers: int | None) -> Iterator[FileRead]:
    """What became of each file: those as they were first, then the others as they are read."""
    new: list[FoundFile] = []
    for file in files:
        entry = manifest.entry(file.path)
        if entry is not None and (entry.size, entry.mtime_ns) == (file.size, file.mtime_ns):
            yield FileRead(file.path, file.source, entry.digest, entry.size, entry.mtime_ns, entry.kind, entry.language)
        else:
            new.append(file)
    for read in pipeline.read(new, workers=workers):
        entry = manifest.entry(read.path)
        same = entry is not None and read.error is None and entry.digest == read.digest
        yield replace(read, chunks=None) if same else read


class _Told:
    """Keeps count of a run, and tells it on."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._at = Progress()
        tell(self._at)

    def phase(self, phase: Phase) -> None:
        self._at = replace(self._at, phase=phase)
        self._tell(self._at)

    def results(self, results: Iterable[FileRead], files: int) -> Iterator[FileRead]:
        """Count results as they pass."""
        self._at = replace(self._at, files=files)
        self.phase("reading")
        for result in results:
            at = self._at
            self._at = replace(
                at,
                done=at.done + 1,
                chunks=at.chunks + len(result.chunks or ()),
                failed=at.failed + (result.error is not None),
            )
            self._tell(self._at)
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


def _shown(real: str, workspace: Workspace) -> str:
    """A path as the walk shows it, whether or not something is there."""
    return shown(os.path.relpath(real, os.path.realpath(workspace.base)))


def _real_parent(path: Path) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def _below(path: str, root: str) -> bool:
    if {".", ".."}.issuperset(steps := root.split("/")):  # the base, or a folder above it
        return path.split("/").count("..") <= steps.count("..")
    return path == root or path.startswith(root + "/")


def _at_or_below(path: str, roots: set[str]) -> bool:
    """Like `_below` for any of the roots, in the time that the path's length takes and not their number."""
    while path not in roots:
        path, slash, _ = path.rpartition("/")
        if not slash:
            return "." in roots
    return True
