"""A second model's vectors, filled in behind an index that answers already; searches use them as far as they are.

Static vectors come with the index itself; a transformer takes minutes where they take seconds. The workspace is held
only to note one batch and to take the next, not while the model reads: others search meanwhile, and may index. A
chunk's id is a hash of its text, so that a vector made while the index changed is still right, or belongs to nobody.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ingest.errors import EmbedderMismatch, UserError, WorkspaceBusy, WorkspaceDamaged, WorkspaceMissing
from ingest.types import Chunk
from retrieval.embedders import embedder_named
from retrieval.fusion import cosines_of, ranked
from retrieval.manifest import Manifest, Settings
from retrieval.protocols import Embedder, Vectors
from retrieval.rows import Ids, Rows
from retrieval.store_edge import EdgeStore
from retrieval.stores import EMBEDDED
from retrieval.tokens import embedded
from retrieval.types import Scope, Scored
from retrieval.workspace import Lock, Workspace

BATCH = 128
"""Chunks that are embedded between two notes: a few seconds of work to lose, and for a change to wait."""

NONE = "none"
"""Said instead of a model: forget the second vectors."""

WHOLE = 1.0
"""What the second model's cosine is worth beside the first one's once every chunk has one: it speaks alone. MRR on
CoSQA before the last stage is 40.6 without a second model, 44.8 with half, 46.8 with this."""

PART = 0.5
"""The same while some chunks have none, for which the first one alone speaks: both must be of one size then."""

BUSY_SECONDS = 1.0
"""How often a fill looks whether another process has given the workspace back."""


@dataclass(frozen=True, slots=True)
class Made:
    """The second model, and the numbers of one of its vectors."""

    model: str
    dim: int


@dataclass(frozen=True, slots=True)
class Filled:
    """How many of the index's chunks have a vector of the second model, and how many there are."""

    model: str
    dim: int
    done: int
    chunks: int


class Behind:
    """The second model's vectors by chunk id, in a folder of their own. Safe among threads."""

    def __init__(self, folder: Path, made: Made) -> None:
        """Open or create them. What a kill left half written is cut off, and what has no readable note of whose vectors
        they are is made anew.

        Raises EmbedderMismatch where they are another model's.
        """
        here = None
        with suppress(WorkspaceDamaged):
            here = noted(folder)
        if here is None:
            shutil.rmtree(folder, ignore_errors=True)
            _note(folder, made)
        elif here != made:
            raise _mismatch(here, f"{made.model} ({made.dim} numbers a vector)")
        self.made = made
        self._rows = Rows(folder, made.dim)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Write vectors, float32 (n, dim); on disk when it returns."""
        with self._lock:
            self._rows.put(ids, vectors)

    def keep(self, owned: Ids) -> None:
        """Forget every vector but those of these chunks."""
        with self._lock:
            gone = np.setdiff1d(self._rows.ids(), owned)
            if len(gone):
                self._rows.remove(gone.tolist())
            if self._rows.wasteful:
                self._rows.compact()

    def check(self) -> None:
        """Look at every vector, and forget those that no model made: a sound one has length 1."""
        with self._lock:
            if len(unsound := self._rows.unsound()):
                self._rows.remove(unsound.tolist())

    def share(self, owned: Ids) -> float:
        """Return what these vectors are worth beside the first model's, where these are all the chunks."""
        return PART if len(self.lacking(owned)) else WHOLE

    def lacking(self, owned: Ids) -> Ids:
        """Return those of the chunks that have no vector, ascending."""
        with self._lock:
            return np.setdiff1d(owned, self._rows.ids())

    def nearest(self, vector: Vectors, *, limit: int, among: Ids | None) -> list[Scored]:
        """Return the nearest ids by cosine, best first, ties by id; `among` are those that may be returned."""
        with self._lock:
            return self._rows.nearest(vector, limit=limit, among=among)

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, each float32 (dim,)."""
        with self._lock:
            return self._rows.vectors(ids)


class Beside:
    """Two embedders as one: a vector is those of both side by side, so that a cosine is theirs, weighed by `share`."""

    def __init__(self, first: Embedder, second: Embedder, share: float) -> None:
        self._first, self._second, self._share = first, second, share

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self._first.name} and {self._second.name}"

    @property
    def dim(self) -> int:
        """Numbers of both vectors. Raises ModelUnavailable."""
        return self._first.dim + self._second.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n, dim), rows in unit length. Raises ModelUnavailable."""
        return _side_by_side(self._first.embed(texts), self._second.embed(texts), self._share)


class Both(EdgeStore):
    """The embedded store as a search sees it once a second model has vectors: those of both models side by side.

    A chunk that the second model has not read yet counts with the first one's cosine alone. For searching; what indexes
    opens an `EdgeStore`, whose vectors are the first model's.
    """

    def __init__(self, folder: Path, dim: int, behind: Behind, share: float = PART) -> None:
        """Open the store; see `EdgeStore`. `share` is what the second model's cosine is worth."""
        super().__init__(folder, dim)
        self._dim = dim
        self.behind = behind
        self.share = share

    def dense(self, vector: Vectors, *, limit: int, scope: Scope) -> list[Scored]:
        """Return, of each model's nearest chunks, those with the best of both cosines together, ties by chunk id.

        Raises EmbedderMismatch where the second model is not any more what it was.
        """
        if len(vector) != self._dim + self.behind.made.dim:
            raise EmbedderMismatch(
                f"{self.behind.made.model} makes {len(vector) - self._dim} numbers a vector now, and the chunks' "
                f"second vectors have {self.behind.made.dim}. Forget them with `hoplite index PATH --dense {NONE}`."
            )
        first = super().dense(vector[: self._dim], limit=limit, scope=scope)
        second = self.behind.nearest(vector[self._dim :], limit=limit, among=self.among(scope))
        found = self.vectors(list({hit.id for hit in (*first, *second)}))
        return list(ranked(cosines_of(vector, found))[:limit])

    def vectors(self, ids: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors that are here, by id, made of both models'."""
        first = super().vectors(ids)
        second = self.behind.vectors(list(first))
        if not first:
            return {}
        rows = np.zeros((len(first), self.behind.made.dim), np.float32)
        for row, chunk in enumerate(first):
            rows[row] = second.get(chunk, 0.0)
        both = _side_by_side(np.stack(list(first.values())), rows, self.share)
        if self.share < 1:
            # Stretched, so that its product with a question is the first model's cosine, and no share of it.
            both[[chunk not in second for chunk in first]] /= 1 - self.share
        return dict(zip(first, both, strict=True))


def _side_by_side(first: Vectors, second: Vectors, share: float) -> Vectors:
    return np.concatenate([first * (1 - share) ** 0.5, second * share**0.5], axis=1, dtype=np.float32)


# The workspace's ------------------------------------------------------------------------------------------------------


def folder_in(workspace: Workspace) -> Path:
    """Return where a workspace keeps them: in the embedded store's folder, which a rebuild clears."""
    return workspace.store / "dense"


def chosen(
    workspace: Workspace, asked: str | None, *, rebuild: bool = False, store: str | None = None
) -> Embedder | None:
    """Return the second model: the one that was asked for, else the one that the workspace has vectors of; else None.

    `store` is what a run is asked for the store; see `retrieval.stores`.

    Raises UserError where a second model does not fit what is there, and EmbedderMismatch where that is another one's.
    """
    if asked == NONE:
        return None
    here = made = None
    # Who says whose they are to be, or rebuilds, need not know what they were.
    with suppress(WorkspaceDamaged) if asked or rebuild else nullcontext():
        here = noted(folder_in(workspace))
    if asked is None and here is None:
        return None
    with suppress(UserError) if rebuild else nullcontext():
        made = _settings(workspace)
    url = store if store not in (None, EMBEDDED) else made.place.url if made and store is None else ""
    if url:
        if asked is None:
            return None  # these vectors stay where the store was before
        raise _on_server(url, asked)
    embedder = embedder_named(asked or (here.model if here else None))
    if made is not None and not rebuild and embedder.name == made.embedder:
        raise UserError(f"{made.embedder} is what the index was made with. Name another model to embed its chunks too.")
    if here is not None and not rebuild and embedder.name != here.model:
        raise _mismatch(here, embedder.name)
    return embedder


def forget(workspace: Workspace) -> None:
    """Delete the second model's vectors; none is no error. Raises WorkspaceBusy."""
    if (folder := folder_in(workspace)).exists():
        with Lock(workspace):
            shutil.rmtree(folder)


def fill(
    workspace: Workspace,
    embedder: Embedder,
    *,
    batch: int = BATCH,
    on_wait: Callable[[WorkspaceBusy], object] = lambda busy: None,
) -> Iterator[Filled]:
    """Embed every chunk that lacks a vector, and forget the vectors of chunks that are gone; yield after each batch.

    The workspace is free while the model reads and while the caller has the word. A process that holds it is waited
    for; `on_wait` is told. Stopped anywhere, the next call goes on, with at most one batch to do again.

    Raises UserError and its kin.
    """
    made = None
    with suppress(WorkspaceDamaged):
        made = noted(folder_in(workspace))
    if made is None or made.model != embedder.name:
        made = Made(embedder.name, embedder.dim)  # loads the model, which nothing else does where nothing is lacking
    ids, vectors = list[int](), np.zeros((0, made.dim), np.float32)
    checked = False
    while True:
        with _when_free(workspace, on_wait), closing(Manifest(workspace.manifest)) as manifest:
            settings = manifest.settings()
            if settings is None:
                raise WorkspaceMissing(f"Nothing is indexed in {workspace.folder} any more. Index it again.")
            if settings.place.url:
                raise _on_server(settings.place.url, made.model)
            if settings.embedder == made.model:
                return  # after a rebuild with this embedder; every chunk has such a vector
            behind = Behind(folder_in(workspace), made)
            if not checked:
                behind.check()
            checked = True
            if ids:
                behind.put(ids, vectors)
            owned = np.fromiter(manifest.chunk_ids(), np.int64)
            behind.keep(owned)
            lacking = behind.lacking(owned)
            chunks: list[Chunk] = []
            if len(lacking):
                with closing(EdgeStore(workspace.store, settings.dim)) as store:
                    chunks = list(store.chunks(lacking[:batch].tolist()).values())
        if len(lacking) and not chunks:
            raise WorkspaceDamaged(
                f"The index is damaged: {len(lacking)} of {len(owned)} chunks are not there. "
                f"Run `hoplite index {workspace.base}` to repair it."
            )
        yield Filled(made.model, made.dim, len(owned) - len(lacking), len(owned))
        if not chunks:
            return
        ids, vectors = [chunk.id for chunk in chunks], embedder.embed([embedded(chunk) for chunk in chunks])
        if vectors.shape[1] != made.dim:
            raise _mismatch(made, f"{embedder.name} as it is now ({vectors.shape[1]})")


def filled(workspace: Workspace, manifest: Manifest) -> Filled | None:
    """Return how far the second vectors are; None where there are none. The workspace must be held.

    Raises WorkspaceDamaged as `noted` does.
    """
    if (made := noted(folder_in(workspace))) is None:
        return None
    owned = np.fromiter(manifest.chunk_ids(), np.int64)
    lacking = Behind(folder_in(workspace), made).lacking(owned)
    return Filled(made.model, made.dim, len(owned) - len(lacking), len(owned))


def noted(folder: Path) -> Made | None:
    """Return whose vectors a folder has; None where it has none.

    Raises WorkspaceDamaged where that cannot be read, with the command that makes them again.
    """
    try:
        data = json.loads((folder / "made.json").read_text(encoding="utf-8"))
        return Made(str(data["model"]), int(data["dim"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceDamaged(
            f"{folder / 'made.json'} does not say any more whose vectors are there ({error!r}). Make them again with "
            f"`hoplite index PATH --dense MODEL`, or forget them with `--dense {NONE}`."
        ) from error


def _on_server(url: str, model: str) -> UserError:
    return UserError(
        f"--dense is for an index in the workspace, and this one is on {url}. To embed every chunk with {model} there, "
        f"use `--rebuild --embedder {model}`."
    )


def _mismatch(here: Made, asked: str) -> EmbedderMismatch:
    return EmbedderMismatch(
        f"The chunks' second vectors are of {here.model} ({here.dim} numbers a vector), not of {asked}. Forget them "
        f"with `hoplite index PATH --dense {NONE}` first, or go on with `--dense {here.model}`."
    )


def _note(folder: Path, made: Made) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / "made.new"
    with new.open("w", encoding="utf-8") as file:
        json.dump(asdict(made), file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / "made.json")


def _settings(workspace: Workspace) -> Settings | None:
    if not workspace.manifest.exists():
        return None
    with closing(Manifest(workspace.manifest)) as manifest:
        return manifest.settings()


def _when_free(workspace: Workspace, on_wait: Callable[[WorkspaceBusy], object]) -> Lock:
    while True:
        try:
            return Lock(workspace)
        except WorkspaceBusy as busy:
            on_wait(busy)
            time.sleep(BUSY_SECONDS)
