"""`hoplite index`: bring the index to what the files say."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui.cli import INTERRUPTED
from ui.commands.fill import Filling
from ui.commands.options import json_option, print_json, workspace_option
from ui.progress import Meter
from ui.render import by_reason, counted, failure_line, some, visible

if TYPE_CHECKING:
    from ingest.fetching.address import Address
    from retrieval.dense import Filled
    from retrieval.indexing import IndexReport, Part, Progress
    from retrieval.protocols import Embedder
    from retrieval.workspace import Workspace

SHOWN = 10
"""Failures that are listed; `hoplite status --json` has them all."""

BUSY_SECONDS = 1.0
"""How often a watching run looks whether another process has given the workspace back."""


class PartType(click.ParamType["Part"]):
    """`I/N`: the I-th of N parts."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Part:
        """Return the part, or fail with what was given."""
        from retrieval.indexing import Part

        number, slash, of = str(value).partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            self.fail(f"{value} is no part of a whole: name one as I/N with I from 1 to N, such as 1/4.", param, ctx)
        return Part(int(number), int(of))


@click.command()
@click.argument("words", nargs=-1, metavar="PATH|URL...")
@click.option("--rebuild", is_flag=True, help="Index everything again, as after a change of embedder.")
@click.option(
    "--remove",
    multiple=True,
    metavar="PATH",
    help="Forget a file, a folder or what was fetched, with its copy; can be repeated.",
)
@click.option("--watch", is_flag=True, help="Keep running, and bring in what changes; Ctrl-C ends it.")
@click.option(
    "--shard",
    type=PartType(),
    metavar="I/N",
    help="Only the I-th of N parts of the files, by their paths; the same part on every machine.",
)
@click.option("--max-pages", type=click.IntRange(1), metavar="N", help="Pages of a sitemap at most; 500 by default.")
@click.option("--embedder", metavar="M", help="Any sentence-transformers model, for full dense indexing.")
@click.option(
    "--dense",
    metavar="M",
    help="Then embed every chunk with this model too, while the index is searched already; the workspace remembers it. "
    "none forgets these vectors.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Keep the index on a Qdrant server, such as http://localhost:6333; the workspace remembers it.",
)
@click.option("--collection", metavar="NAME", help="The server's collection; by default one of the workspace's own.")
@json_option
@workspace_option
@click.pass_context
def index(
    ctx: click.Context,
    words: tuple[str, ...],
    rebuild: bool,
    remove: tuple[str, ...],
    watch: bool,
    shard: Part | None,
    max_pages: int | None,
    embedder: str | None,
    dense: str | None,
    store: str | None,
    collection: str | None,
    as_json: bool,
    workspace: Path | None,
) -> int:
    """Index files and folders. Again, it touches only what changed; interrupted, it goes on where it was.

    https://host/owner/repo@REF on a known forge, any address that ends in .git, and git@host:owner/repo@REF are fetched
    with git: a branch, a tag or a commit. git+https:// makes any address a repository; every other one is a page, or a
    sitemap of pages. They are kept in the workspace.

    With --watch, files on a network drive, whose changes the system does not tell of, are found with
    WATCHFILES_FORCE_POLLING=1.

    The key of a Qdrant server is read from HOPLITE_QDRANT_API_KEY or QDRANT_API_KEY, and kept nowhere.
    """
    from ingest.fetching.address import parse
    from retrieval.indexing import workspace_for

    if remove:
        if words:
            raise click.UsageError(
                f"--remove takes one path, and {visible(words[0])} would be indexed: name several as "
                "`--remove A --remove B`, and index in a run of its own.",
                ctx,
            )
        return _remove(remove, workspace, as_json)
    if rebuild and shard:
        raise click.UsageError("--rebuild starts from nothing, and would lose the other parts of --shard.", ctx)
    if not words:
        raise click.UsageError("Nothing was named to index, such as `hoplite index .`.", ctx)
    named = {word: parse(word) for word in words}
    paths = [Path(word) for word, address in named.items() if address is None]
    addresses = [address for address in named.values() if address is not None]
    if watch and not paths:
        raise click.UsageError("--watch needs a file or folder of this machine to watch.", ctx)
    filling = _filling(workspace_for(paths, workspace), dense, rebuild=rebuild, store=store, quiet=as_json)
    bursts = _watched(paths, workspace, filling) if watch else None
    begun = time.monotonic()
    try:
        report = run(
            paths,
            addresses,
            chosen=workspace,
            embedder=embedder,
            rebuild=rebuild,
            part=shard,
            max_pages=max_pages,
            store=store,
            collection=collection,
            quiet=as_json,
        )
    except KeyboardInterrupt:
        return _stopped(paths, workspace)
    seconds = time.monotonic() - begun
    if not as_json:
        click.echo(summary(report, seconds, shard), err=True)
    if bursts is not None:
        if as_json:
            click.echo(json.dumps(found(report, seconds, shard), ensure_ascii=False))
        return _follow(bursts, paths, workspace, shard, as_json, filling)
    stopped = not _filled(filling)
    if as_json:
        print_json(found(report, seconds, shard, filling.at))
    if stopped:
        return INTERRUPTED
    return 4 if report.failures else 0


def run(
    paths: Sequence[Path],
    addresses: Sequence[Address] = (),
    *,
    chosen: Path | None = None,
    embedder: str | Embedder | None = None,
    rebuild: bool = False,
    only: Collection[str] | None = None,
    part: Part | None = None,
    max_pages: int | None = None,
    store: str | None = None,
    collection: str | None = None,
    uploaded: Sequence[Path] = (),
    quiet: bool = False,
    on_progress: Callable[[Progress], object] | None = None,
    on_page: Callable[[int, int], object] | None = None,
) -> IndexReport:
    """Fetch the addresses, then index them, what was `uploaded` and the paths, or `only` some below them; with a trace
    in the workspace. Progress goes to standard error, unless it is told `on_progress` and `on_page`, pages alone."""
    from agent.settings import load_settings
    from agent.tracing import start_tracing
    from retrieval.indexing import index as index_paths
    from retrieval.indexing import workspace_for
    from retrieval.sources import Means, added, fetch
    from retrieval.stores import Asked
    from ui.commands.store import layout_of, store_of

    workspace = workspace_for(paths, chosen)
    resolved = load_settings(workspace.folder, {"embedder": embedder if isinstance(embedder, str) else None})
    if embedder is None or isinstance(embedder, str):
        embedder = resolved.settings.embedder
    if store is None and not workspace.manifest.exists():
        store = store_of(resolved, workspace)
    fetched = None
    if addresses:
        with Meter(unit="pages", quiet=quiet) as meter:
            means = Means(on_page=on_page or (lambda done, pages: meter.show("fetching", done, pages)))
            fetched = fetch(addresses, workspace, max_pages=max_pages, means=means)
    if uploaded:
        fetched = added(uploaded, workspace, fetched)
    with ExitStack() as closing, Meter(unit="files", quiet=quiet) as meter:
        return index_paths(
            paths,
            fetched=fetched,
            chosen=chosen,
            embedder=embedder,
            rebuild=rebuild,
            only=only,
            part=part,
            store=Asked(store, collection, layout_of(resolved.settings)),
            on_workspace=lambda made: closing.callback(start_tracing(made.traces).close),
            on_progress=on_progress or (lambda at: _show(meter, at)),
        )


def _show(meter: Meter, at: Progress) -> None:
    notes = (counted(at.chunks, "chunk") if at.chunks else "", f"{at.failed:,} failed" if at.failed else "")
    meter.show("indexing", at.done, at.files or None, ", ".join(filter(None, notes)), phase=at.phase)


def _remove(paths: tuple[str, ...], workspace: Path | None, as_json: bool) -> int:
    from retrieval.indexing import remove

    removed = remove(paths, chosen=workspace)
    if as_json:
        print_json(
            {
                "forgotten": len(removed.paths),
                "chunks": removed.chunks,
                "documents": removed.left,
                "paths": list(removed.paths),
            }
        )
    else:
        named = f" ({some(removed.paths)})" if removed.paths else ""
        click.echo(
            f"{counted(len(removed.paths), 'document')} and {counted(removed.chunks, 'chunk')} forgotten{named}; "
            f"{counted(removed.left, 'document')} left.",
            err=True,
        )
    return 0


def _stopped(paths: Sequence[Path], workspace: Path | None) -> int:
    """Say what is kept of a run that Ctrl-C ended."""
    from retrieval.indexing import documents_in, workspace_for

    kept = documents_in(workspace_for(paths, workspace))
    click.echo(
        f"Stopped. {counted(kept, 'document')} {'is' if kept == 1 else 'are'} indexed and can be searched; "
        "the same command goes on from there.",
        err=True,
    )
    return INTERRUPTED


def _filling(workspace: Workspace, dense: str | None, *, rebuild: bool, store: str | None, quiet: bool) -> Filling:
    """Return what embeds with the second model that was asked for or is kept; forget its vectors for "none"."""
    from agent.settings import load_settings
    from retrieval.dense import NONE, chosen, forget

    asked = load_settings(workspace.folder, {"dense": dense}).settings.dense
    embedder = chosen(workspace, asked, rebuild=rebuild, store=store)
    if asked == NONE:
        forget(workspace)
    return Filling(workspace, embedder, quiet=quiet)


def _filled(filling: Filling) -> bool:
    """Embed what lacks a vector of the second model; tell whether that was not stopped with Ctrl-C."""
    filling.begin()
    try:
        while filling.open:
            filling.step()
    except KeyboardInterrupt:
        filling.close()
        if at := filling.at:
            click.echo(
                f"Stopped. {at.done:,} of {counted(at.chunks, 'chunk')} embedded with {visible(at.model)}. The index "
                "can be searched; the same command goes on from there.",
                err=True,
            )
        return False
    finally:
        filling.close()
    return True


def _watched(paths: Sequence[Path], workspace: Path | None, filling: Filling) -> Iterator[frozenset[str] | None]:
    """Begin to watch, so that nothing that changes during the first run is missed; return what changes from now on."""
    from retrieval.indexing import workspace_for
    from retrieval.watch import changes

    bursts = changes(
        paths,
        but=workspace_for(paths, workspace).folder,
        say=lambda line: click.echo(visible(line), err=True),
        busy=lambda: filling.open,
    )
    next(bursts)
    return bursts


def _follow(
    bursts: Iterator[frozenset[str] | None],
    paths: Sequence[Path],
    workspace: Path | None,
    part: Part | None,
    as_json: bool,
    filling: Filling,
) -> int:
    """Bring in what changes until Ctrl-C, and embed what lacks a vector of the second model while nothing does.

    Between two runs the workspace is free for others.
    """
    from retrieval.indexing import embedder_of, workspace_for

    held = workspace_for(paths, workspace)
    embedder = embedder_of(held)
    click.echo(f"Watching {some([str(path) for path in paths])} for changes. Ctrl-C ends it.", err=True)
    filling.begin()
    try:
        for only in bursts:
            if only is not None and not only:
                filling.step()
                continue
            report, seconds = _when_free(paths, workspace, embedder, only, part)
            if report.applied.written or report.applied.forgotten:
                filling.begin()
            if not (report.applied.written or report.applied.forgotten or report.failures):
                continue
            if as_json:
                click.echo(json.dumps(found(report, seconds, part), ensure_ascii=False))
            else:
                click.echo(_change(report, seconds, [held.shown(Path(path)) for path in sorted(only or ())]), err=True)
    except KeyboardInterrupt:
        filling.close()
        click.echo("Stopped watching. What is listed above is in the index.", err=True)
    return 0


def _when_free(
    paths: Sequence[Path],
    workspace: Path | None,
    embedder: Embedder,
    only: frozenset[str] | None,
    part: Part | None,
) -> tuple[IndexReport, float]:
    """Run as soon as no other process holds the workspace; return what was done, and in how many seconds."""
    from ingest.errors import WorkspaceBusy

    told = False
    while True:
        begun = time.monotonic()
        try:
            report = run(paths, chosen=workspace, embedder=embedder, only=only, part=part, quiet=True)
            return report, time.monotonic() - begun
        except WorkspaceBusy as busy:
            if not told:
                click.echo(f"Changes wait: {visible(str(busy))}", err=True)
            told = True
            time.sleep(BUSY_SECONDS)


# Output ---------------------------------------------------------------------------------------------------------------


def found(
    report: IndexReport, seconds: float, part: Part | None = None, filled: Filled | None = None
) -> dict[str, Any]:
    """Return what `index --json` prints."""
    return {
        "workspace": str(report.workspace),
        "store": report.place.url or None,
        "collection": report.place.collection or None,
        "documents": report.documents,
        "chunks": report.chunks,
        **asdict(report.applied),
        "changed": report.applied.written - report.applied.new,
        "repaired": report.repaired,
        "dense": asdict(filled) if filled else None,
        "shard": f"{part.number}/{part.of}" if part else None,
        "skipped": dict(report.skipped),
        "failures": [asdict(failure) for failure in report.failures],
        "files": report.files,
        "seconds": round(seconds, 3),
    }


def summary(report: IndexReport, seconds: float, part: Part | None = None) -> str:
    """Return what was done, what was left out and why, and the failures."""
    rate = f", {report.files / seconds:,.0f} files a second" if seconds >= 1 and report.files >= 100 else ""
    of = f"part {part.number} of {part.of}: " if part else ""
    held = f"{counted(report.documents, 'document')}, {counted(report.chunks, 'chunk')}"
    on = f", on {visible(str(report.place))}" if report.place.url else ""
    lines = [
        f"{held} in {visible(str(report.workspace))}{on}",
        f"{of}{_done(report)}; {seconds:.1f} s{rate}",
    ]
    if report.repaired:
        lines.append(f"{counted(report.repaired, 'document')} repaired: the index had lost passages of theirs")
    if report.skipped:
        lines.append(f"skipped: {by_reason(report.skipped)}")
    return "\n".join([*lines, *_failed(report)])


def _change(report: IndexReport, seconds: float, paths: Sequence[str]) -> str:
    """Return what one burst of changes came to."""
    named = f": {some(paths)}" if paths else ""
    head = f"{time.strftime('%H:%M:%S')}  {_done(report, idle=False)}; {seconds:.1f} s{named}"
    return "\n".join([head, *_failed(report)])


def _done(report: IndexReport, *, idle: bool = True) -> str:
    done = report.applied
    parts = {"new": done.new, "changed": done.written - done.new, "unchanged": done.unchanged, "gone": done.forgotten}
    return ", ".join(f"{number:,} {what}" for what, number in parts.items() if idle or number) or "nothing new"


def _failed(report: IndexReport) -> Iterator[str]:
    failures = report.failures
    if not failures:
        return
    yield f"failed: {by_reason(Counter(failure.reason for failure in failures))}"
    for failure in failures[:SHOWN]:
        yield f"  {failure_line(failure.path, failure.message)}"
    if len(failures) > SHOWN:
        yield f"  and {len(failures) - SHOWN:,} more; `hoplite status --json` has all"
