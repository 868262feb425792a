"""How searching grows: `python -m evals.search_speed FOLDER --chunks 10000 --chunks 100000`, over an indexed Django.

Each store is made of FOLDER's own chunks, through the store's own `write`. Where there are more to make than there are,
every fifth of the longer words is another one in each further round, names and all, and a vector is moved a little. The
queries are the questions of the shipped Django set, without the transformer. Each store is searched by a process of
its own, whose memory is what is told; `opened` is what that process takes to open the store and to answer once, without
the interpreter's start. Its mapped files count as memory, though the system may take that back.

BM25 is measured beside `rank_bm25.BM25Okapi` over the same chunks with `--against`, which needs 4 GB for 100,000.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib import resources
from itertools import count
from pathlib import Path
from statistics import median

import click
import numpy as np

from evals.datasets import load_questions
from evals.index_speed import measured
from ingest.ids import chunk_id
from ingest.types import Chunk
from retrieval.embedders import embedder_named
from retrieval.manifest import Settings
from retrieval.protocols import Vectors
from retrieval.search import LEXICAL_STAGE, Searcher
from retrieval.store_edge import EdgeStore
from retrieval.tokens import searchable, tokens
from retrieval.types import Scope
from retrieval.workspace import find

BATCH = 2_000
ROUNDS = 3
MOVED = 0.05
"""Length of what is added to a unit vector in a further round."""

_WORD = re.compile(r"[A-Za-z]{6,}")


def made(library: EdgeStore, want: int) -> Iterator[tuple[list[Chunk], Vectors]]:
    """Yield `want` chunks with their vectors, in batches."""
    ids = sorted(library.ids())
    random = np.random.default_rng(1)
    done = 0
    for turn in count():
        for start in range(0, len(ids), BATCH):
            asked = ids[start : start + min(BATCH, want - done)]
            if not asked:
                return
            chunks, vectors = library.chunks(asked), library.vectors(asked)
            rows = np.stack([vectors[i] for i in asked])
            if turn:
                rows += MOVED * random.standard_normal(rows.shape, np.float32) / np.sqrt(rows.shape[1])
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            yield [_other(turn, chunks[i]) if turn else chunks[i] for i in asked], rows
            done += len(asked)


def _other(turn: int, chunk: Chunk) -> Chunk:
    """The chunk as another file might have it."""
    path, other = f"part{turn:03}/{chunk.path}", partial(_WORD.sub, partial(_other_word, turn))
    header = path + other(chunk.header.removeprefix(chunk.path))
    text = other(chunk.text)
    return replace(
        chunk,
        id=chunk_id(header, text, chunk.start_line),  # the line tells repeated texts apart
        path=path,
        header=header,
        text=text,
        defines=tuple(map(other, chunk.defines)),
        mentions=tuple(map(other, chunk.mentions)),
        calls=tuple(map(other, chunk.calls)),
        imports=tuple(map(other, chunk.imports)),
    )


def _other_word(turn: int, found: re.Match[str]) -> str:
    word = found.group()
    return f"{word}x{turn}" if zlib.crc32(word.lower().encode()) % 5 == turn % 5 else word


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--chunks", "sizes", type=int, multiple=True, default=(10_000, 100_000), show_default=True)
@click.option("--scratch", type=click.Path(file_okay=False, path_type=Path), help="Where the stores are made.")
@click.option("--against", is_flag=True, help="Measure rank_bm25 too.")
@click.option("--store", "made_before", hidden=True, type=click.Path(path_type=Path))
def main(folder: Path, sizes: Sequence[int], scratch: Path | None, against: bool, made_before: Path | None) -> None:
    """Make a store for each number of chunks, and search it."""
    with resources.as_file(resources.files("evals.sets") / "django.jsonl") as file:
        queries = [question.question for question in load_questions(file)]
    settings = _settings(folder)
    if made_before:
        click.echo(json.dumps(_searched(made_before, settings, queries)))
        return
    click.echo("   chunks   made in  disk MB  memory MB   opened  first search   median     95 %")
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            taken = _make(folder, settings, Path(place), size, queries if against else [])
            cost = measured([sys.executable, "-m", "evals.search_speed", str(folder), "--store", place])
            found: dict[str, float] = json.loads(cost.said)
            disk = sum(f.lstat().st_blocks * 512 for f in Path(place).rglob("*") if f.is_file())
            click.echo(
                f"{size:9,} {taken:7.0f} s {disk / 1e6:8,.0f} {found['peak']:10,.0f} {found['opened']:6.2f} s "
                f"{found['first']:11.2f} s {1000 * found['median']:5.0f} ms {1000 * found['late']:5.0f} ms   "
                f"processor: median {1000 * found['cpu']:.0f} ms"
            )


def _settings(folder: Path) -> Settings:
    from retrieval.manifest import Manifest

    with closing(Manifest(find(folder).manifest)) as manifest:
        settings = manifest.settings()
    if settings is None:
        raise click.ClickException(f"Nothing is indexed in {folder}.")
    return settings


def _make(folder: Path, settings: Settings, place: Path, size: int, compared: Sequence[str]) -> float:
    """Make a store of `size` chunks and return the seconds that its writes took."""
    taken = 0.0
    terms: list[list[str]] = []
    with closing(EdgeStore(find(folder).store, settings.dim)) as real, closing(EdgeStore(place, settings.dim)) as store:
        for chunks, vectors in made(real, size):
            began = time.perf_counter()
            store.write(chunks, vectors)
            taken += time.perf_counter() - began
            if compared:
                terms += [tokens(searchable(chunk)) for chunk in chunks]
        if compared:
            _compare(store, terms, compared)
    return taken


def _compare(store: EdgeStore, documents: list[list[str]], queries: Sequence[str]) -> None:
    """Tell how long the best chunks of a first stage take here, with every term read anew, and how long the reference
    takes to score the chunks, which it does not sort."""
    from rank_bm25 import BM25Okapi

    reference = BM25Okapi(documents)
    ours, theirs = [], []
    for query in queries:
        asked = tokens(query)
        store._lexical.forget_terms()
        began = time.thread_time()
        store.lexical(asked, limit=LEXICAL_STAGE, scope=Scope())
        ours.append(time.thread_time() - began)
        found = store.lexical(asked, limit=len(documents), scope=Scope())
        began = time.thread_time()
        scores = reference.get_scores(asked)
        theirs.append(time.thread_time() - began)
        want = np.sort(scores[scores > 0])[::-1]
        if not np.allclose([hit.score for hit in found], want, rtol=1e-9, atol=1e-6):
            raise click.ClickException(f"The scores for {query!r} are not the reference's.")
    click.echo(
        f"BM25, {len(documents):,} chunks, equal scores: {1000 * median(ours):.1f} ms and "
        f"{1000 * median(theirs):.1f} ms of processor time, ratio {median(theirs) / median(ours):.0f}"
    )


def _searched(place: Path, settings: Settings, queries: Sequence[str]) -> dict[str, float]:
    """Open a store, search it, and return seconds: to open, for the first search, the median, the 95th percentile."""
    began = time.perf_counter()
    with closing(EdgeStore(place, settings.dim)) as store:
        searcher = Searcher(store, embedder_named(settings.embedder))
        opened = time.perf_counter() - began
        searcher.search(queries[0], rerank=False)
        first = time.perf_counter() - began - opened
        taken, cpu = [], []
        for _ in range(ROUNDS):
            for query in queries:
                began, busy = time.perf_counter(), time.process_time()
                searcher.search(query, rerank=False)
                taken.append(time.perf_counter() - began)
                cpu.append(time.process_time() - busy)
    late = float(np.percentile(taken, 95))
    return {
        "opened": opened,
        "first": first,
        "median": median(taken),
        "late": late,
        "cpu": median(cpu),
        "peak": _peak(),
    }


def _peak() -> float:
    """Return the most megabytes that this process has held. What its parent tells would be the parent's own, if those
    are more: the process begins as its copy."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) / 1000


if __name__ == "__main__":
    main()
