"""The folder that holds an index and everything learnt over it: where it is, and who holds it."""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ingest.errors import UserError, WorkspaceBusy, WorkspaceMissing

NAME = ".hoplite"
# The lock doubles as the mark by which a folder is known to be a workspace; it is the first file made.
_LOCK = "hoplite.lock"
_BASE = "base"
_WRITES = "writes"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace's folder, and `base`, the folder that shown paths are relative to. Both absolute."""

    folder: Path
    base: Path

    @property
    def manifest(self) -> Path:
        """The manifest's file."""
        return self.folder / "manifest.sqlite"

    @property
    def store(self) -> Path:
        """The embedded store's folder."""
        return self.folder / "store"

    @property
    def traces(self) -> Path:
        """The traces' file."""
        return self.folder / "traces.sqlite"

    @property
    def memory(self) -> Path:
        """The memory's file."""
        return self.folder / "memory.sqlite"

    @property
    def answers(self) -> Path:
        """The file of answers that can be given again."""
        return self.folder / "answers.sqlite"

    @property
    def journals(self) -> Path:
        """The folder of what runs under way have found."""
        return self.folder / "journals"

    @property
    def sessions(self) -> Path:
        """The file of the page's conversations."""
        return self.folder / "sessions.sqlite"

    @property
    def runs(self) -> Path:
        """The folder of finished runs."""
        return self.folder / "runs"

    @property
    def sources(self) -> Path:
        """The folder of what was fetched from elsewhere."""
        return self.folder / "sources"

    @property
    def collections(self) -> Path:
        """The file of the collections that questions can be asked in."""
        return self.folder / "collections.json"

    @property
    def uploads(self) -> Path:
        """The folder of files that were added through the page. It lies in `sources`, so that no run over a folder of
        this machine forgets them."""
        return self.sources / "uploads"

    @property
    def arriving(self) -> Path:
        """The folder of files on their way in through the page, empty when nobody serves it."""
        return self.folder / "arriving"

    @property
    def serving(self) -> Path:
        """The file that says who serves the page."""
        return self.folder / "serving.json"

    def shown(self, path: Path) -> str:
        """Return the name of a file as it is shown and stored: relative to the base, absolute outside it."""
        absolute = Path(os.path.abspath(path))
        return absolute.relative_to(self.base).as_posix() if absolute.is_relative_to(self.base) else absolute.as_posix()


def find(start: Path, chosen: Path | None = None) -> Workspace:
    """Return the workspace above `start` (as git finds `.git`), or the one that `--workspace` chose.

    Raises WorkspaceMissing with the command that makes one.
    """
    if chosen is not None:
        folder = place(start, chosen)
        if not _is_workspace(folder):
            raise WorkspaceMissing(
                f"There is no workspace in {chosen}. Make one with `hoplite index PATH --workspace {chosen}`."
            )
        return _opened(folder)
    start = Path(os.path.abspath(start))
    for above in (start, *start.parents):
        if _is_workspace(above / NAME):
            return _opened(above / NAME)
    raise WorkspaceMissing(
        f"There is no workspace in {start} or above it. "
        "Make one with `hoplite index PATH`, or name one with `--workspace DIR`."
    )


def place(base: Path, chosen: Path | None = None) -> Path:
    """Return the folder where the workspace for `base` is or would be made.

    A chosen folder is taken itself where it is a workspace, new or empty; an ordinary folder gets one inside it.
    """
    if chosen is None:
        return Path(os.path.abspath(base)) / NAME
    folder = Path(os.path.abspath(chosen.expanduser()))
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{chosen} is a file. A workspace is a folder: choose another name for --workspace.")
    try:
        taken = not _is_workspace(folder) and folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise UserError(f"{chosen} cannot be read: {error.strerror}. Choose another folder for --workspace.") from error
    return folder / NAME if taken else folder


def create(folder: Path, base: Path) -> Workspace:
    """Make the workspace, private to the user; one that is there already is returned with the base it was made with.

    Raises UserError where the folder cannot be written.
    """
    if _is_workspace(folder):
        return _opened(folder)
    base = Path(os.path.abspath(base))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        if base != folder.parent:
            (folder / _BASE).write_bytes(os.fsencode(base))
        (folder / _LOCK).touch(0o600)
    except OSError as error:
        raise UserError(
            f"The workspace {folder} cannot be made: {error.strerror}. Choose another folder with `--workspace DIR`."
        ) from error
    return Workspace(folder, base)


class Lock:
    """The right to use a workspace, held by one process until `release` or its end, however that comes.

    All threads of the process share the one that holds it.
    """

    def __init__(self, workspace: Workspace, *, wait: float = 2.0, writes: bool = False) -> None:
        """Take the lock, waiting up to `wait` seconds for another process; a writer does not wait for another writer.

        Raises WorkspaceBusy, with that process's id.
        """
        path = workspace.folder / _LOCK
        self._file: int | None = None
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UserError(
                f"The workspace {workspace.folder} cannot be locked: {error.strerror}. Check the folder's permissions."
            ) from error
        deadline = time.monotonic() + wait
        before: list[str] = []
        while not _locked(self._file):
            note = os.pread(self._file, 32, 0).decode("ascii", "replace").split()
            # Seen twice: the first may be what a killed process left, and the holder is about to overwrite.
            behind_writer = writes and note[1:] == [_WRITES] and note == before
            if behind_writer or time.monotonic() >= deadline:
                self._close()
                raise WorkspaceBusy(
                    f"The workspace {workspace.folder} is in use by process {note[0] if note else 'unknown'}. "
                    "Wait until it has finished, or stop it."
                )
            before = note
            time.sleep(0.05)
        # Who holds it helps others, but is not what holds it: a full disk is told of by whoever has to write.
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}{' ' + _WRITES if writes else ''}\n".encode(), 0)
        # A forked worker inherits the lock with the descriptor, and would keep it after this process was killed.
        mine = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: lock._close() if (lock := mine()) else None)

    def release(self) -> None:
        """Give it up; twice is no error."""
        if self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


def holder(workspace: Workspace) -> int | None:
    """Return the process that last said it held the workspace and has not said that it left."""
    with suppress(OSError, ValueError, IndexError):
        return int((workspace.folder / _LOCK).read_bytes()[:32].split()[0])
    return None


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_workspace(folder: Path) -> bool:
    return os.path.isfile(folder / _LOCK)  # unlike Path.is_file, False for a folder that may not be looked into


def _opened(folder: Path) -> Workspace:
    note = folder / _BASE
    return Workspace(folder, Path(os.fsdecode(note.read_bytes())) if note.is_file() else folder.parent)
