"""Sources from elsewhere, fetched into the workspace and walked like any folder; and where every document came from.

A repository lies in `sources/host/owner/repo/`, a page in `sources/host/path.html`; both are shown without `sources/`.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import FileFailed, UserError
from ingest.fetching.address import Address, GitAddress, WebAddress, parse
from ingest.fetching.git import PROTOCOLS, head_of
from ingest.fetching.git import fetch as fetch_repository
from retrieval.manifest import Failure, Manifest
from retrieval.types import Source
from retrieval.workspace import Lock, Workspace, create

if TYPE_CHECKING:
    from ingest.fetching.get import Web


UPLOADS = "uploads"
"""What is said to have been asked for where a person gave files to the page, and the folder that they are shown in."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was brought into the workspace and is still to be indexed.

    `roots` are its folders and files, `sources` says where they came from, and `gone` are the prefixes of earlier
    sources that are no more. `failures` and `skipped` tell of the pages that could not be had, or were not asked for.
    """

    roots: tuple[Path, ...] = ()
    sources: tuple[Source, ...] = ()
    gone: frozenset[str] = frozenset()
    failures: tuple[Failure, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Means:
    """How addresses are reached. Tests replace it: repositories from folders, pages from loopback."""

    protocols: str = PROTOCOLS
    web: Web | None = None
    on_page: Callable[[int, int], object] = lambda done, pages: None


def fetch(
    addresses: Sequence[Address], workspace: Workspace, *, max_pages: int | None = None, means: Means | None = None
) -> Fetched:
    """Bring the workspace's copies of these addresses up to date, making the workspace where there is none.

    A repository that is there already moves to its new commit, and of pages only those that changed are sent; what is
    the same stays untouched. Raises UserError for what cannot be fetched, and WorkspaceBusy.
    """
    means = means or Means()
    new = not workspace.folder.exists()
    create(workspace.folder, workspace.base)
    try:
        with Lock(workspace):
            return _fetched(addresses, workspace, max_pages, means)
    except UserError:
        if new:  # an address that was misspelt leaves no workspace behind
            shutil.rmtree(workspace.folder, ignore_errors=True)
        raise


def keep(texts: Sequence[tuple[Source, str]], gone: Sequence[Source], workspace: Workspace) -> Fetched:
    """Write what a program handed over, each text to its source's copy, and delete the copies of those that are `gone`.

    A text that is there already stays untouched. Whoever calls this holds the workspace's lock. Raises UserError for
    a copy that cannot be written or would be shown by the path of another file.
    """
    delete(gone, workspace)
    for source, text in texts:
        _refuse_shadow(source.prefix, workspace)
        place = _copy(source, workspace)
        if not _inside(place, workspace):
            raise UserError(f"{place} is reached by a link, and is not written to. Remove the link.")
        data = text.encode("utf-8", "replace")  # half a surrogate pair is no character, and no reader accepts it
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_file() or place.read_bytes() != data:
                place.write_bytes(data)
        except OSError as error:
            raise UserError(
                f"{place} cannot be written: {error.strerror}. Free some space, or check who may."
            ) from error
    return Fetched(
        tuple(_copy(source, workspace) for source, _ in texts),
        tuple(source for source, _ in texts),
        frozenset(source.prefix for source in gone) - {source.prefix for source, _ in texts},
    )


def added(files: Sequence[Path], workspace: Workspace, fetched: Fetched | None = None) -> Fetched:
    """Return files that the page took into the workspace's uploads, together with what was fetched, to be indexed.

    Raises UserError for one that lies elsewhere, or would be shown by the path of another file.
    """
    moment, found = now(), []
    for file in files:
        prefix = Path(os.path.relpath(file, workspace.sources)).as_posix()
        source = Source(prefix, "upload", file.name, UPLOADS, moment)
        if not file.is_relative_to(workspace.uploads) or not _inside(_copy(source, workspace), workspace):
            raise UserError(f"{file} is not among the workspace's uploads. Add it again.")
        _refuse_shadow(prefix, workspace)
        found.append(source)
    return _plus(fetched or Fetched(), Fetched(tuple(files), tuple(found)))


def again(workspace: Workspace, fetched: Fetched) -> Fetched:
    """Return what was fetched together with the copies of all that was fetched earlier, to be indexed anew with it."""
    noted = noted_in(workspace)
    fresh = {source.prefix for source in fetched.sources} | fetched.gone
    earlier = [s for s in noted if s.kind != "folder" and s.prefix not in fresh and _copy(s, workspace).exists()]
    return _plus(Fetched(tuple(_copy(s, workspace) for s in earlier), tuple(earlier)), fetched)


def folders(paths: Iterable[Path], workspace: Workspace) -> list[Source]:
    """Return where the documents of folders and files of this machine come from: with the commit they are at."""
    found = []
    for path in paths:
        head = head_of(path if path.is_dir() else path.parent)
        place = str(path.absolute())
        commit, dirty = (head.commit, head.dirty) if head else ("", False)
        found.append(Source(workspace.shown(path), "folder", place, place, now(), commit=commit, dirty=dirty))
    return found


def covers(noted: Iterable[Source], roots: Collection[str], fetched: Fetched) -> Callable[[str], bool]:
    """Return what tells of a shown path whether a run over `roots` and `fetched` walked its place.

    Folders of this machine do not cover what was fetched, whose paths look as if they lay in the base.
    """
    fresh = {source.prefix for source in fetched.sources} | fetched.gone
    remote = fresh | {source.prefix for source in noted if source.kind != "folder"}

    def walked(shown: str) -> bool:
        owner = next((place for place in _above(shown) if place in remote), None)
        return owner in fresh if owner is not None else any(below(shown, root) for root in roots)

    return walked


def named(word: str, noted: Iterable[Source]) -> list[str]:
    """Return the shown paths of what was fetched that a user means: by `host/owner/repo`, by something above or below
    it, or by its address. [] where it is nothing that was fetched."""
    remote = [source for source in noted if source.kind != "folder"]
    address = parse(word)
    if isinstance(address, WebAddress):
        return [source.prefix for source in remote if address.url in (source.url, source.asked)]
    word = address.name if address else word.rstrip("/")
    return [word] if any(below(s.prefix, word) or below(word, s.prefix) for s in remote) and word != "." else []


def delete(gone: Iterable[Source], workspace: Workspace) -> None:
    """Delete the copies of what was fetched, and the folders that are empty then."""
    for source in gone:
        place = _copy(source, workspace)
        if source.kind == "folder" or not _inside(place, workspace):
            continue  # the user's own files, and what no fetch has written
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        for folder in place.parents:
            if folder == workspace.sources.parent or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def below(path: str, root: str) -> bool:
    """Whether a shown path is at or below another; "." is above all that is not outside of the base."""
    if {".", ".."}.issuperset(steps := root.split("/")):  # the base, or a folder above it
        return path.split("/").count("..") <= steps.count("..")
    return path == root or path.startswith(root.rstrip("/") + "/")


def _fetched(addresses: Sequence[Address], workspace: Workspace, max_pages: int | None, means: Means) -> Fetched:
    noted = noted_in(workspace)
    done = Fetched()
    for address in addresses:
        known = {s.prefix: s for s in (*noted, *done.sources) if s.kind != "folder" and s.prefix not in done.gone}
        found = (
            _repository(address, workspace, known, means)
            if isinstance(address, GitAddress)
            else _pages(address, workspace, known, max_pages, means)
        )
        done = _plus(done, found)
    return done


def noted_in(workspace: Workspace) -> tuple[Source, ...]:
    """Return where a workspace's documents came from, but for copies that lie outside of it."""
    if not workspace.manifest.exists():
        return ()
    with closing(Manifest(workspace.manifest)) as manifest:
        return tuple(s for s in manifest.sources() if s.kind == "folder" or _inside(_copy(s, workspace), workspace))


def _inside(place: Path, workspace: Workspace) -> bool:
    """Whether a place is below the folder of sources, and not by a link or by `..`: a workspace may have come from
    elsewhere."""
    top = Path(os.path.realpath(workspace.folder)) / workspace.sources.name
    relative = os.path.relpath(place, workspace.sources)
    return relative != "." and not relative.startswith("..") and Path(os.path.realpath(place)) == top / relative


def _copy(source: Source, workspace: Workspace) -> Path:
    return workspace.sources / source.prefix


def _repository(address: GitAddress, workspace: Workspace, known: Mapping[str, Source], means: Means) -> Fetched:
    name = address.name
    for prefix, source in known.items():
        overlap = below(prefix, name) or below(name, prefix)
        if overlap and (prefix, source.kind) != (name, "git"):
            raise UserError(
                f"{name} cannot be fetched beside {prefix}, from {source.asked}: one would lie in the other. "
                f"Remove that first with `hoplite index --remove {prefix}`, or use another --workspace."
            )
    _refuse_shadow(name, workspace)
    folder = workspace.sources / name
    if not _inside(folder, workspace):
        raise UserError(f"{folder} is reached by a link, and is not written to. Remove the link.")
    commit = fetch_repository(address, folder, protocols=means.protocols)
    asked = f"{address.url}@{address.ref}" if address.ref else address.url
    return Fetched((folder,), (Source(name, "git", address.url, asked, now(), address.ref, commit),))


def _pages(
    address: WebAddress, workspace: Workspace, known: Mapping[str, Source], max_pages: int | None, means: Means
) -> Fetched:
    from ingest.fetching.get import Known
    from ingest.fetching.web import MAX_PAGES, Page
    from ingest.fetching.web import fetch as fetch_pages

    mine = {s.url: s for s in known.values() if s.kind == "web" and (s.asked == address.url or s.url == address.url)}
    try:
        site = fetch_pages(
            address.url,
            workspace.sources,
            before=[Page(s.url, s.prefix, Known(s.etag, s.modified)) for s in mine.values()],
            taken=[prefix for prefix, s in known.items() if s.url not in mine],
            max_pages=MAX_PAGES if max_pages is None else max_pages,
            web=means.web,
            on_page=means.on_page,
        )
    except FileFailed as error:
        raise UserError(str(error)) from error
    moment = now()
    sources = [
        Source(p.name, "web", p.url, address.url, moment, etag=p.known.etag, modified=p.known.modified)
        for p in site.pages
    ]
    sources += [mine[page.url] for page in site.kept]
    for source in sources:
        _refuse_shadow(source.prefix, workspace)
    gone = {source.prefix for source in mine.values()} - {source.prefix for source in sources}
    old = {page.url for page in site.kept}
    failures = [
        Failure(url, error.reason, f"{error}{' The copy that was there stays.' if url in old else ''}")
        for url, error in site.failures
    ]
    roots = tuple(workspace.sources / source.prefix for source in sources)
    return Fetched(roots, tuple(sources), frozenset(gone), tuple(failures), site.skipped)


def _refuse_shadow(name: str, workspace: Workspace) -> None:
    """Two files must not be shown by one path."""
    place = workspace.base / name
    if place.exists():
        raise UserError(
            f"{name} would be shown by the same path as {place}, which is there already. "
            "Fetch it into another workspace: add `--workspace DIR`."
        )


def _plus(one: Fetched, other: Fetched) -> Fetched:
    return Fetched(
        (*one.roots, *other.roots),
        (*one.sources, *other.sources),
        (one.gone | other.gone) - {source.prefix for source in other.sources},
        (*one.failures, *other.failures),
        dict(Counter(one.skipped) + Counter(other.skipped)),
    )


def _above(shown: str) -> list[str]:
    """The path and the folders above it, the nearest first."""
    above = [shown]
    while "/" in shown:
        shown = shown.rpartition("/")[0]
        above.append(shown)
    return [*above, "."]


def now() -> str:
    """Return this moment as sources note it: UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
