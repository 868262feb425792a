"""A dataset's corpus as a searchable store, made once and kept in the user's cache."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from evals.datasets import Dataset, Record
from ingest.errors import WorkspaceBusy
from ingest.ids import digest
from ingest.types import Chunk, Document
from retrieval.dense import BATCH as DENSE_BATCH
from retrieval.dense import Behind
from retrieval.protocols import Embedder, Store
from retrieval.weights import user_cache

BATCH = 1024  # chunks a write

Progress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True, slots=True)
class Indexing:
    """How a corpus becomes a store: the same parts that a workspace is indexed with.

    `to_chunks` makes a record's chunks, their `path` being the record's id. `text_of` is what of a chunk is embedded.
    `open_store` is given a folder and the embedder's numbers a vector.
    """

    to_chunks: Callable[[Record], Sequence[Chunk]]
    text_of: Callable[[Chunk], str]
    embedder: Embedder
    open_store: Callable[[Path, int], Store]


@dataclass(frozen=True, slots=True)
class DatasetStore:
    """An open store of a dataset, and the seconds it took to make or find it."""

    store: Store
    seconds: float


def as_document(record: Record, looks_like_code: Callable[[str], str | None]) -> Document:
    """A record as `ingest` would have loaded it: code as it is, prose as Markdown under its title. Its path is its id.

    `looks_like_code` returns a text's language, or None for prose.
    """
    language = looks_like_code(record.text)
    title = " ".join(record.title.split())
    text = record.text if language or not title else f"# {title}\n\n{record.text}"
    return Document(
        path=record.id,
        text=text.replace("\r\n", "\n").replace("\r", "\n"),
        kind="code" if language else "prose",
        language=language or "markdown",
        digest=digest(text.encode("utf-8", "surrogatepass")),
    )


def dataset_cache() -> Path:
    """The folder under which the stores of all datasets are kept."""
    return user_cache() / "datasets"


@contextmanager
def dataset_store(
    dataset: Dataset, indexing: Indexing, root: Path, on_progress: Progress | None = None
) -> Iterator[DatasetStore]:
    """Open the dataset's store under `root`, indexing the corpus first unless that was done and nothing changed since.

    What may not change: the corpus, the embedder, and the code of `ingest` and `retrieval`. A store of other code is
    replaced, so that there is one for each corpus and embedder. `on_progress` counts records.
    Raises WorkspaceBusy while another process holds the same store.
    """
    started = time.perf_counter()
    fingerprint = {"corpus": dataset.digest, "embedder": indexing.embedder.name, "code": code_version()}
    place = digest(f"{dataset.digest} {indexing.embedder.name}".encode())[:12]
    folder = root / f"{dataset.name}-{place}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _held(folder.with_name(f"{folder.name}.lock"), dataset.name):
        if not _complete(folder, fingerprint, indexing):
            _index(dataset, indexing, folder, fingerprint, on_progress or (lambda done, total: None))
        with closing(_open(folder, indexing)) as store:
            yield DatasetStore(store, time.perf_counter() - started)


def fill(
    store: Store, behind: Behind, embedder: Embedder, text_of: Callable[[Chunk], str], on_progress: Progress
) -> None:
    """Embed the chunks that lack a vector of a second model; `on_progress` counts chunks."""
    ids = np.fromiter(store.ids(), np.int64)
    lacking = behind.lacking(ids).tolist()
    for at in range(0, len(lacking), DENSE_BATCH):
        chunks = store.chunks(lacking[at : at + DENSE_BATCH])
        behind.put(list(chunks), embedder.embed([text_of(chunk) for chunk in chunks.values()]))
        on_progress(min(at + DENSE_BATCH, len(lacking)), len(lacking))


@cache
def code_version() -> str:
    """Digest of the sources that decide what an index holds and in which order."""
    packages = Path(__file__).parent.parent
    sources = [
        path
        for name in ("ingest", "retrieval")
        for path in sorted((packages / name).rglob("*"))
        if path.suffix in {".py", ".scm"}
    ]
    return digest(
        b"\0".join(path.relative_to(packages).as_posix().encode() + b"\0" + path.read_bytes() for path in sources)
    )


def _open(folder: Path, indexing: Indexing) -> Store:
    return indexing.open_store(folder / "store", indexing.embedder.dim)


def _complete(folder: Path, fingerprint: dict[str, str], indexing: Indexing) -> bool:
    """Whether the folder holds a whole index of this fingerprint: its mark is written last, and counts must agree."""
    mark = folder / "complete.json"
    if not mark.is_file():
        return False
    recorded = json.loads(mark.read_text(encoding="utf-8"))
    if recorded["fingerprint"] != fingerprint:
        return False
    with closing(_open(folder, indexing)) as store:
        counts = store.counts()
        return bool(counts.chunks == counts.vectors == recorded["chunks"])


def _index(
    dataset: Dataset, indexing: Indexing, folder: Path, fingerprint: dict[str, str], on_progress: Progress
) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    waiting: list[Chunk] = []
    with closing(_open(folder, indexing)) as store:
        for done, record in enumerate(dataset.records, start=1):
            waiting += indexing.to_chunks(record)
            if len(waiting) >= BATCH or done == len(dataset.records):
                store.write(waiting, indexing.embedder.embed([indexing.text_of(chunk) for chunk in waiting]))
                waiting = []
                on_progress(done, len(dataset.records))
        store.optimize()
        mark = json.dumps({"fingerprint": fingerprint, "chunks": store.counts().chunks})
    (folder / "complete.json").write_text(mark, encoding="utf-8")


@contextmanager
def _held(path: Path, name: str) -> Iterator[None]:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkspaceBusy(f"Another process evaluates {name} with this embedder. Wait for it to end.") from error
        yield
