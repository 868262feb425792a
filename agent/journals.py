"""The journals of a workspace: one file for each run that is not finished, and the answers of those that were.

They hold what the documents say and are as private as the index: files of the user's own in the workspace's folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from agent.guard import visible
from agent.journal import VERSION, Head, Journal, Taken
from agent.journal_file import Contents, Lines, read
from agent.plan import Plan
from agent.secret import own_secret
from agent.types import Answer
from ingest.errors import UserError

MOST = 20
"""Files that are kept of each kind; beyond it the oldest go."""

KEEP_DAYS = 30

LAST = "last"
"""Names the newest run that is not finished."""

SHORT = 8  # characters of a name that are shown
_JOURNAL, _ANSWER, _HALF = ".jsonl", ".answer", ".half"
_SHOWN = 3  # runs that an error names
_HEADS = TypeAdapter(Head)
_ANSWERS = TypeAdapter(Answer)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that can be resumed. `began` is in seconds since 1970."""

    id: str
    question: str
    began: float
    taken: Taken

    def as_json(self) -> dict[str, Any]:
        """Return what `hoplite status --json` prints of it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that was finished, and when (UTC, ISO 8601)."""

    head: Head
    answer: Answer
    when: str


class Journals:
    """The journals in one folder. `workspace` is the workspace's folder; `settings` are those of new runs, by name.

    `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        workspace: Path,
        settings: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._workspace = str(workspace)
        self._settings = dict(settings or {})
        self._clock = clock

    def begin(self, journal: Journal, run: str, span: str, question: str, plan: Plan, marker: str) -> None:
        """Have a new run written, from its first completed call on. `run` and `span` are its trace's and root span's
        ids; where nothing is traced it gets a name of its own."""
        run = run if run.strip("0") and not self._path(run).exists() else os.urandom(16).hex()
        head = Head(run, self._workspace, self._clock(), question, plan, marker, span, self._settings)

        def opens() -> Lines:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._prune()
            lines = Lines(self._path(run), own_secret())
            lines.add({"head": _HEADS.dump_python(head, mode="json")}, lasting=False)
            return lines

        journal.keep(head, opens, lambda answer: self._finish(head, answer))

    def open(self, named: str) -> Journal | Finished:
        """Return the run whose name begins so, `last` for the newest that is not finished: its journal, which goes on
        in the same file, or its answer. Raises UserError with the runs that there are."""
        path = self._named(named.strip().lower())
        held = self._read(path)
        head = self._head(path, held)
        if path.suffix == _ANSWER:
            try:
                answer, when = _ANSWERS.validate_python(held.records[1]["answer"]), float(held.records[1]["when"])
            except (IndexError, KeyError, ValueError, TypeError) as error:
                raise self._refused(path, "it is damaged") from error
            return Finished(head, answer, datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds"))
        journal = Journal(head, held.records[1:])
        journal.keep(head, lambda: Lines(path, own_secret(), held), lambda answer: self._finish(head, answer))
        return journal

    def unfinished(self) -> list[Unfinished]:
        """Return the runs that can be resumed, newest first. What cannot be read is none of them."""
        found = []
        for path in self._files(_JOURNAL):
            with suppress(UserError):
                held = self._read(path)
                head = self._head(path, held)
                found.append(Unfinished(head.id, head.question, head.began, Journal(head, held.records[1:]).taken))
        return sorted(found, key=lambda run: run.began, reverse=True)

    def _named(self, named: str) -> Path:
        if named == LAST:
            if newest := self.unfinished():
                return self._path(newest[0].id)
            raise UserError("No run is unfinished here. Ask a question: hoplite ask QUESTION.")
        # A run that was killed between its answer and its end has both files; the answer stands.
        found = {path.stem: path for path in (*self._files(_JOURNAL), *self._files(_ANSWER)) if named}
        fitting = [path for run, path in found.items() if run.startswith(named)]
        if len(fitting) == 1:
            return fitting[0]
        what = "More than one run begins" if fitting else "No run begins"
        raise UserError(f"{what} with {visible(named)!r}. {self._there()}")

    def _there(self) -> str:
        runs = self.unfinished()
        if not runs:
            return "No run is unfinished here."
        shown = ", ".join(f"{run.id[:SHORT]} ({visible(run.question)[:60]})" for run in runs[:_SHOWN])
        return f"Unfinished: {shown}{f' and {len(runs) - _SHOWN} more' if len(runs) > _SHOWN else ''}."

    def _read(self, path: Path) -> Contents:
        try:
            return read(path, own_secret())
        except OSError as error:
            raise self._refused(path, error.strerror or str(error)) from error

    def _head(self, path: Path, held: Contents) -> Head:
        """Return the head of a file. Raises UserError for what is no journal, or none of this workspace."""
        try:
            said = held.records[0]["head"]
            if said["version"] != VERSION:
                raise self._refused(path, f"another Hoplite wrote it, in format {said['version']}; this is {VERSION}")
            head = _HEADS.validate_python(said)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            why = "it is damaged, or was written by somebody else or on another machine"
            raise self._refused(path, why) from error
        if head.workspace != self._workspace or head.id != path.stem:
            raise self._refused(path, f"it is of another workspace, {visible(head.workspace)}")
        return head

    @staticmethod
    def _refused(path: Path, why: str) -> UserError:
        name = visible(path.stem)[:SHORT]
        return UserError(f"The run {name} cannot be resumed: {why} ({visible(str(path))}). Ask its question again.")

    def _finish(self, head: Head, answer: Answer) -> None:
        """Write the answer, then remove what led to it."""
        path = self._path(head.id)
        half = path.with_suffix(_HALF)
        half.unlink(missing_ok=True)
        lines = Lines(half, own_secret())
        try:
            lines.add({"head": _HEADS.dump_python(head, mode="json")}, lasting=False)
            kept = _ANSWERS.dump_python(replace(answer, passages=()), mode="json")
            lines.add({"answer": kept, "when": self._clock()})
        finally:
            lines.close()
        os.replace(half, path.with_suffix(_ANSWER))
        path.unlink(missing_ok=True)

    def _prune(self) -> None:
        """Remove what is old, and what is more than is kept."""
        oldest = self._clock() - KEEP_DAYS * 86_400
        for suffix in (_JOURNAL, _ANSWER, _HALF):
            for place, (path, written) in enumerate(self._dated(suffix), 1):
                if place >= MOST or written < oldest:
                    with suppress(OSError):
                        path.unlink()

    def _dated(self, suffix: str) -> list[tuple[Path, float]]:
        """The files with when each was last written, newest first."""
        found = []
        for path in self._files(suffix):
            with suppress(OSError):
                found.append((path, path.lstat().st_mtime))
        return sorted(found, key=lambda each: -each[1])

    def _files(self, suffix: str) -> Iterator[Path]:
        with suppress(OSError):
            yield from sorted(path for path in self._folder.iterdir() if path.suffix == suffix)

    def _path(self, run: str) -> Path:
        return self._folder / f"{run}{_JOURNAL}"
