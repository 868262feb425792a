"""The runs of a workspace as the page reads them. A run's folder may come from anybody: what is wrong with it is said,
and the others are shown all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.asked import name_of
from evals.batch import asked_with
from evals.run_asked import ASKED, read_asked
from evals.run_files import ANSWERS, RUN, Place, at, read_run, scan
from evals.run_summary import Summary, Tally, ordering
from evals.types import Finished
from ingest.errors import UserError
from ingest.ids import digest
from ui.render import visible

LISTED = 100
"""Runs of a list, the newest ones."""

LARGEST = 300_000_000
"""Bytes of answers that the page reads of one run."""

PAGE = 20
"""Questions that are shown together."""

ORDERS = {"worst": "lowest score first", "asked": "as asked", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Row:
    """One answer of a run, and where it stands in its file."""

    name: str
    place: Place
    score: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands on disk.

    `ended` is when its last answer was written, in seconds since 1970. `set` and `total` are "" and None where it does
    not say what it asks. `problem` says why it cannot be read; then there is no more of it.
    """

    name: str
    folder: Path
    ended: float
    set: str = ""
    model: str = ""
    total: int | None = None
    baseline: bool = False
    summary: Summary | None = None
    rows: Sequence[Row] = ()
    problem: str = ""

    @property
    def key(self) -> str:
        """What it is called in an address of the page: a folder's name can be anything."""
        return digest(self.name.encode("utf-8", "surrogateescape"))[:16]

    @property
    def missing(self) -> int:
        """How many answers it lacks, as far as it says: those that were not asked, and those that failed."""
        if self.total is None or self.summary is None:
            return 0
        return max(0, self.total - self.summary.answered)


Stamp = tuple[tuple[int, int], ...]


class Runs:
    """Reads the runs of one folder; each again only once it has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, Run]] = {}
        self._lock = threading.Lock()

    def all(self, folder: Path) -> list[Run]:
        """Return the runs in a folder, the newest first. Links are not followed."""
        try:
            found = [each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]
        except OSError:
            return []
        with_run = [each for each in found if (each / RUN).exists()]
        newest = sorted(with_run, key=lambda each: (_ended(each), each.name), reverse=True)[:LISTED]
        return [self._run(each) for each in newest]

    def one(self, folder: Path, name: str) -> Run:
        """Return the run of this name in a folder. Raises UserError where there is none, or it cannot be read."""
        try:
            place = next((each for each in folder.iterdir() if each.name == name and not each.is_symlink()), None)
        except OSError:
            place = None
        if place is None or not (place / RUN).exists():
            raise UserError(f"There is no run {visible(name[:100])!r} any more. Choose one from the list.")
        found = self._run(place)
        if found.problem:
            raise UserError(found.problem)
        return found

    def keyed(self, folder: Path, key: str) -> Run:
        """Return the run of this key. Raises UserError where there is none, or it cannot be read."""
        if (found := next((run for run in self.all(folder) if run.key == key), None)) is None:
            raise UserError("There is no such run any more. Choose one from the list.")
        return self.one(folder, found.name)

    def _run(self, folder: Path) -> Run:
        stamp = _stamp(folder)
        with self._lock:  # two that look at one run read it once
            known = self._known.get(folder)
            if known is None or known[0] != stamp:
                known = self._known[folder] = (stamp, _read(folder))
            return known[1]


def rows(run: Run, order: str) -> list[Row]:
    """Return the answers in an order of `ORDERS`; what failed comes last, or alone."""
    if order == "failed":
        return [row for row in run.rows if row.failed]
    if order == "asked":
        return list(run.rows)
    return sorted(run.rows, key=lambda row: (row.failed, row.score))


def read_rows(run: Run, wanted: Sequence[Row]) -> list[Finished]:
    """Return these answers of a run whole. Raises UserError where its file changed meanwhile."""
    path = run.folder / ANSWERS
    try:
        with path.open("rb") as file:
            return [at(file, path, row.place) for row in wanted]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Correct its permissions.") from error


def _read(folder: Path) -> Run:
    ended = _ended(folder)
    try:
        made = read_run(folder)
        asked = read_asked(folder)
        model = _model(folder)
        path = folder / ANSWERS
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} is too large for the page. `hoplite eval report {folder}` reads it.")
        tally, found = Tally(details=0), []
        with path.open("rb") as file:
            for place in scan(file, path).places.values():
                line = at(file, path, place)
                tally.add(line)
                found.append(Row(name_of(line), place, ordering(line), line.error is not None))
    except UserError as error:
        return Run(folder.name, folder, ended, problem=str(error))
    except OSError as error:
        return Run(folder.name, folder, ended, problem=f"{folder} cannot be read: {error.strerror}.")
    return Run(
        folder.name,
        folder,
        ended,
        set=asked.set if asked else "",
        model=model,
        total=asked.total if asked else None,
        baseline="baseline" in made.fingerprint,
        summary=tally.summary(),
        rows=tuple(found),
    )


def _model(folder: Path) -> str:
    try:
        said = asked_with(folder)
    except UserError:
        return ""
    return str(said.get("answer_model") or said.get("model") or "")


def _ended(folder: Path) -> float:
    try:
        return (folder / ANSWERS).stat().st_mtime
    except OSError:
        return 0.0


def _stamp(folder: Path) -> Stamp:
    """What changes when a run does."""
    found = []
    for name in (RUN, ANSWERS, ASKED):
        try:
            about = (folder / name).stat()
            found.append((about.st_size, about.st_mtime_ns))
        except OSError:
            found.append((0, 0))
    return tuple(found)


def when(seconds: float) -> str:
    """Return a day and a time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else "not begun"
