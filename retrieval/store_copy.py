"""Moving an index between stores: ids, texts and vectors as they are, terms and names made again from the texts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ingest.errors import UserError, WorkspaceMissing
from ingest.types import Chunk
from retrieval.manifest import Manifest, Settings
from retrieval.protocols import Store, Vectors
from retrieval.stores import Asked, describe, named, open_server, open_store, placed
from retrieval.types import HERE, Place
from retrieval.workspace import Lock, Workspace, find

BATCH = 2_000
"""Chunks that are read and written together."""

CLOSE = 1e-6
"""How far a vector's numbers may be from those it was written with: a server normalises again."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy came to: `chunks` are in both stores now, and `written` of them were not, or not so, before."""

    source: Place
    target: Place
    chunks: int
    written: int
    workspace: Path | None


def copy(
    source: str,
    target: str,
    *,
    asked: Asked | None = None,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> Copied:
    """Copy an index from one end to the other. Each end is a workspace's folder or a server's address.

    From a workspace, what its manifest knows is copied out of the store that it uses; afterwards it uses the target.
    Into a workspace, what its manifest knows is copied into its own folder, which it uses afterwards. From server to
    server, the whole collection is copied. Again, it goes on where it was, and writes only what is not there already.

    Args:
        asked: The collection at the servers, and how one is made; without a name the workspace's counts.
        on_progress: Told how many chunks of how many are done.

    Raises UserError and its kin; the source is never changed, and a workspace uses the target only once all is there.
    """
    asked = asked or Asked()
    if "://" in source and "://" in target:
        return _between_servers(source, target, asked, on_progress)
    if "://" not in source and "://" not in target:
        raise UserError(
            f"{source} and {target} are both folders. Name one server, such as http://localhost:6333; "
            "a workspace's folder can be copied like any other."
        )
    outwards = "://" in target
    workspace = find(Path.cwd(), Path(source if outwards else target))
    with Lock(workspace, writes=True), closing(Manifest(workspace.manifest)) as manifest:
        made = manifest.settings()
        if made is None:
            raise WorkspaceMissing(f"Nothing is indexed in {workspace.folder} yet. Run `hoplite index PATH` first.")
        there = placed(replace(asked, url=target if outwards else source), made.place, workspace, made.created)
        places = (made.place, there) if outwards else (there, HERE)
        if places[0] == places[1]:
            raise UserError(f"{workspace.folder} keeps its index in {there} already. Name another place.")
        with _both(workspace, made, places, asked) as (old, new):
            copied = _copied(places, old, new, manifest.chunk_ids(), on_progress)
            if not outwards:  # left over from when the workspace used its own folder before
                new.remove(new.strays(manifest.chunk_ids(), lambda path: True))
        manifest.note_place(places[1])
    return replace(copied, workspace=workspace.folder)


@contextmanager
def _both(
    workspace: Workspace, made: Settings, places: tuple[Place, Place], asked: Asked
) -> Iterator[tuple[Store, Store]]:
    with ExitStack() as held:
        old = held.enter_context(closing(open_store(workspace, made, "write", place=places[0], asked=asked)))
        new = held.enter_context(closing(open_store(workspace, made, "make", place=places[1], asked=asked)))
        yield old, new


def _between_servers(source: str, target: str, asked: Asked, on_progress: Callable[[int, int], object]) -> Copied:
    if asked.collection is None:
        raise UserError("Which collection is to be copied? Name it with `--collection`; `hoplite status` shows it.")
    places = Place(named(source), asked.collection), Place(named(target), asked.collection)
    if places[0] == places[1]:
        raise UserError(f"Both ends are {places[0]}. Name another server.")
    whose = describe(places[0], asked.patience)
    with (
        closing(open_server(places[0], whose.embedder, whose.dim, "write", asked=asked)) as old,
        closing(open_server(places[1], whose.embedder, whose.dim, "make", asked=asked)) as new,
    ):
        return _copied(places, old, new, old.ids(), on_progress)


def _copied(
    places: tuple[Place, Place], old: Store, new: Store, wanted: Collection[int], tell: Callable[[int, int], object]
) -> Copied:
    """Copy batch by batch, then compare the counts."""
    ids = sorted(wanted)
    written = 0
    tell(0, len(ids))
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        chunks, vectors = old.chunks(batch), old.vectors(batch)
        _demand(batch, chunks.keys() & vectors.keys(), places[0], "Run `hoplite index PATH` to repair it, then copy.")
        fresh = _fresh(chunks, vectors, new)
        if fresh:
            new.write(fresh, np.stack([vectors[chunk.id] for chunk in fresh]))
        written += len(fresh)
        tell(start + len(batch), len(ids))
    _demand(ids, new.ids(), places[1], "Does another process write there? Copy again.")
    return Copied(*places, len(ids), written, None)


def _fresh(chunks: dict[int, Chunk], vectors: dict[int, Vectors], new: Store) -> list[Chunk]:
    """The chunks that the new store does not have as they are."""
    ids = list(chunks)
    here, there = new.chunks(ids), new.vectors(ids)
    return [
        chunk
        for chunk in chunks.values()
        if here.get(chunk.id) != chunk
        or chunk.id not in there
        or not np.allclose(there[chunk.id], vectors[chunk.id], rtol=0, atol=CLOSE)
    ]


def _demand(ids: Collection[int], found: Collection[int], place: Place, step: str) -> None:
    if missing := set(ids).difference(found):
        raise UserError(f"{len(missing):,} of {len(ids):,} chunks are not in {place}. {step}")
