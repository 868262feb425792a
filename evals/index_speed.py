"""How long indexing takes: `python -m evals.index_speed race FOLDER` and `… scale FOLDER...`.

`race` copies the files that Hoplite would index into a folder of their own and indexes that, each run a process from
nothing; then again unchanged, and again with one file changed, up to the search that finds the change. With
`--against PYTHON`, an interpreter that has semble (https://pypi.org/project/semble), both index the same files with the
same static model in turns. Text files are named `.rst` in the copy, because semble reads no `.txt`.

`scale` makes trees of many files out of real ones and tells what indexing each costs. Where there are more files to
make than to make them from, copies differ: in each, every fifth of the longer words is another one, so that none is
taken for a copy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

import click

from evals.semble_model import written
from ingest.walk import FoundFile, walk

_SEMBLE = """
import sys
from semble.index.index import _ALL_CONTENT, SembleIndex
index = SembleIndex.from_path(sys.argv[1], content=_ALL_CONTENT, model_path=sys.argv[2])
index.save(sys.argv[3])
print(index.stats.indexed_files, "files,", index.stats.total_chunks, "chunks")
"""
_WORD = re.compile(rb"\b[a-z]{6,}\b")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds, seconds of processor time, megabytes at most, and what it printed.

    The megabytes are the largest of its processes', not their sum.
    """

    wall: float
    cpu: float
    peak: int
    said: str


def measured(command: Sequence[str], done: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end. Raises CalledProcessError where its exit code is none of `done`."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)  # noqa: S603 - our own commands
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        out.seek(0)
        said = out.read().decode("utf-8", "replace").strip()
    if process.returncode not in done:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, said)


def hoplite(*arguments: str) -> list[str]:
    """A command line of Hoplite's, in this interpreter."""
    return [sys.executable, "-c", "import sys; from ui.cli import main; sys.exit(main())", *arguments]


def copied(files: Sequence[FoundFile], target: Path, want: int) -> Iterator[Path]:
    """Write `want` files made from real ones below `target`, and yield their paths.

    The first round is the files as they are; in each later one, words differ.
    """
    made = 0
    for turn in count():
        for file in files:
            if made == want:
                return
            path = target / f"part{turn:03}" / file.path if turn else target / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            data = Path(file.source).read_bytes()
            path.write_bytes(_WORD.sub(partial(_other, turn), data) if turn else data)
            made += 1
            yield path


def _other(turn: int, found: re.Match[bytes]) -> bytes:
    word = found.group()
    return word + b"x%d" % turn if zlib.crc32(word) % 5 == turn % 5 else word


@click.group()
def main() -> None:
    """Measure indexing."""


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--against", metavar="PYTHON", help="An interpreter that has semble.")
@click.option("--rounds", default=3, show_default=True)
def race(folder: Path, against: str | None, rounds: int) -> None:
    """Index FOLDER's files from nothing, unchanged, and with one file changed."""
    with tempfile.TemporaryDirectory(dir=folder.resolve().parent) as scratch:
        tree = Path(scratch) / "tree"
        files = walk(folder).files
        for path in copied(files, tree, len(files)):
            if path.suffix == ".txt" and not path.with_suffix(".rst").exists():
                path.rename(path.with_suffix(".rst"))
        model = written(Path(scratch) / "model") if against else None
        ours: list[float] = []
        theirs: list[float] = []
        for turn in range(rounds):
            if against:
                cost = measured([against, "-c", _SEMBLE, str(tree), str(model), str(Path(scratch) / f"semble{turn}")])
                theirs.append(cost.wall)
                _tell("semble, from nothing", cost)
            shutil.rmtree(tree / ".hoplite", ignore_errors=True)
            cost = measured(hoplite("index", str(tree)))
            ours.append(cost.wall)
            _tell("hoplite, from nothing", cost)
        if theirs:
            click.echo(
                f"medians {median(ours):.1f} and {median(theirs):.1f} s, ratio {median(ours) / median(theirs):.2f}"
            )
        _tell("hoplite, unchanged", measured(hoplite("index", str(tree))))
        changed = max(tree.rglob("*.py"), key=lambda path: path.stat().st_size, default=None)
        if changed:
            with changed.open("a") as file:
                file.write("\n\ndef heron_of_the_measurement():\n    return 'only here'\n")
            _tell("hoplite, one file changed", measured(hoplite("index", str(tree))))
            found = measured(hoplite("search", "heron_of_the_measurement", "--workspace", str(tree / ".hoplite")))
            _tell("hoplite, search for it", found)


@main.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--files", multiple=True, type=int, default=(1_000, 10_000, 100_000), show_default=True)
def scale(folders: Sequence[Path], files: Sequence[int]) -> None:
    """Index 1,000, 10,000 and 100,000 files made from those of FOLDERS."""
    # Under names of our own: a folder such as "site-packages" would be left out where it is not the one asked for.
    real = [
        replace(file, path=f"tree{i}/{file.path}")
        for i, folder in enumerate(folders)
        for file in walk(folder, base=folder.resolve()).files
    ]
    click.echo(f"made from {len(real):,} real files")
    click.echo("| files | chunks | seconds | files a second | again | MB of memory | MB on disk | MB of text |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for wanted in files:
        with tempfile.TemporaryDirectory(dir=folders[0].resolve().parent) as scratch:
            tree = Path(scratch) / "tree"
            text = sum(path.stat().st_size for path in copied(real, tree, wanted))
            # Real trees have files that fail on purpose: tests of parsers.
            first = measured(hoplite("index", str(tree), "--json"), (0, 4))
            again = measured(hoplite("index", str(tree)), (0, 4))
            size = sum(f.lstat().st_blocks * 512 for f in (tree / ".hoplite").rglob("*") if f.is_file())
            told = json.loads(first.said)
            looked, made = told["files"], told["chunks"]
            if told["failures"]:
                click.echo(f"failed: {Counter(failure['reason'] for failure in told['failures'])}", err=True)
            rate = looked / first.wall
            click.echo(
                f"| {looked:,} | {made:,} | {first.wall:.1f} | {rate:.0f} | {again.wall:.1f} | {first.peak} "
                f"| {size // 10**6:,} | {text // 10**6:,} |"
            )


def _tell(what: str, cost: Cost) -> None:
    last = cost.said.rpartition("\n")[2]
    click.echo(f"{what:26} {cost.wall:6.2f} s, {cost.cpu:6.1f} s of processor, {cost.peak:4} MB  {last}")


if __name__ == "__main__":
    main()
