"""What changes below files and folders while the process runs, told in bursts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

# The library's own loop cannot be told when it has begun to watch, nor to watch other folders from now on.
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from ingest.walk import folders

STEP_MS = 150
"""A burst is over when nothing came for so long; programs that write many files leave gaps of a few milliseconds."""

BURST_MS = 3_000
"""A burst that does not end is told so far after so long."""

MANY = 5_000
"""Changes above which anything may have changed: the kernel's queue holds 16,384, and drops the others in silence."""

POLL_MS = 2_000
"""How often files are looked at where the kernel does not tell of changes; that tells times apart by whole seconds."""

_AT_ONCE_MS = 1


def changes(
    roots: Sequence[Path],
    *,
    but: Path,
    say: Callable[[str], object] = lambda line: None,
    busy: Callable[[], bool] = lambda: False,
) -> Iterator[frozenset[str] | None]:
    """Yield what changed below files and folders, burst by burst, as real paths; None where it may be anything.

    The first is None, when watching has begun; what changes while the caller is busy is in the next. Changes in ignored
    folders and in the folder `but` are left out. `say` is given a line where changes have to be looked for. An empty
    set is yielded where nothing changed and `busy` says that the caller has other work.

    Raises UserError where a root goes away.
    """
    watched = _Watched(roots, os.path.realpath(but), say)
    yield None
    while True:
        paths = watched.burst(_AT_ONCE_MS if (waits := busy()) else 0)
        anything = len(paths) > MANY or any(os.path.basename(path) == ".gitignore" for path in paths)
        paths |= watched.follow(None if anything else paths)
        if anything:
            yield None
        elif paths or waits:
            yield frozenset(paths)


class _Watched:
    """The folders that are watched, each for itself: watched as a tree, ignored folders and links out of it would be
    watched with it."""

    def __init__(self, roots: Sequence[Path], but: str, say: Callable[[str], object]) -> None:
        self._roots = [os.path.realpath(root) for root in roots]
        self._but = but
        self._say = say
        self._polls = bool(os.environ.get("WATCHFILES_FORCE_POLLING"))
        self._folders = self._found(None)
        self._notify = self._begin()

    def burst(self, timeout_ms: int = 0) -> set[str]:
        """Wait for changes and return their paths; 0 waits for ever."""
        found = self._notify.watch(BURST_MS, STEP_MS, timeout_ms, None)
        if found == "signal":
            raise KeyboardInterrupt
        paths = {path for _, path in found} if isinstance(found, set) else set()
        return {p for p in paths if not _within(p, self._but) and any(_within(p, root) for root in self._roots)}

    def follow(self, paths: set[str] | None) -> set[str]:
        """Watch the folders that are there now that these paths changed (None: any); return what changed meanwhile."""
        came, gone = None, self._folders
        if paths is not None:
            came = {path for path in paths if os.path.isdir(path) and not os.path.islink(path)}
            lost = [path for path in paths & self._folders if path not in came]
            gone = frozenset(f for f in self._folders if any(_within(f, path) for path in lost))
            if not came and not gone:
                return set()
        self._folders = self._folders - gone | self._found(came)
        now = self._begin()
        meanwhile = self.burst(_AT_ONCE_MS)
        self._notify.close()
        self._notify = now
        # What is in a new folder is read after this. Not so what comes into a folder that came too late to be watched.
        meanwhile |= self._found(came) - self._folders
        return meanwhile | self.follow(meanwhile)

    def _found(self, only: set[str] | None) -> frozenset[str]:
        return frozenset(folder for root in self._roots for folder in folders(Path(root), only=only))

    def _begin(self) -> RustNotify:
        while True:
            try:
                return RustNotify(sorted(self._folders), False, self._polls, POLL_MS, False, True)
            except FileNotFoundError:  # gone since it was found
                self._folders = frozenset(filter(os.path.isdir, self._folders))
            except (OSError, WatchfilesRustInternalError) as error:
                if self._polls:
                    raise
                self._polls = True
                why = str(error).split(" about ")[0].rstrip(".")
                self._say(
                    f"The system cannot tell of changes in {len(self._folders):,} folders ({why}): looking for them "
                    f"every {POLL_MS / 1000:g} s instead. A higher fs.inotify.max_user_watches lets it."
                )


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
