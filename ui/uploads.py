"""Files that a browser sends: where they arrive, how much of them there may be, and how they are taken in.

Gradio writes what arrives below `GRADIO_TEMP_DIR`. That is a folder of the workspace here, which nothing is served
from, and which is empty before and after the page is served.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ingest.errors import UserError
from retrieval.workspace import Workspace
from ui.render import visible

MB = 1_000_000
FILE_LIMIT = 25 * MB
"""Bytes of one file, where the settings say nothing else."""
FILES = 100
"""Files that are taken in at once."""
AT_ONCE = 4
"""Uploads that are under way at once."""
QUOTA_FILES = 10_000
"""Files that there may be in the workspace's uploads."""
QUOTA = 40
"""How many files of the largest size the uploads of a workspace may weigh, and what is arriving for itself."""
UNTAKEN = 3600.0
"""Seconds after which a file that arrived and was not taken in is deleted."""
_PLACE = "GRADIO_TEMP_DIR"
_NAME_BYTES = 120
_NOT_IN_NAMES = frozenset('/\\<>:"|?*')


class Arriving:
    """The folder that uploads arrive in. One for a process, because Gradio has it from the environment."""

    def __init__(self, folder: Path, *, file_limit: int = FILE_LIMIT) -> None:
        self.folder = folder
        self.file_limit = file_limit
        self.request_limit = AT_ONCE * file_limit
        self._under_way = 0

    @contextmanager
    def open(self) -> Iterator[Arriving]:
        """Make the folder, private and empty, and have Gradio write there; empty it again at the end."""
        self._empty()
        self.folder.mkdir(mode=0o700, parents=True)
        before = os.environ.get(_PLACE)
        os.environ[_PLACE] = str(self.folder)
        try:
            yield self
        finally:
            if before is None:
                del os.environ[_PLACE]
            else:
                os.environ[_PLACE] = before
            self._empty()

    @contextmanager
    def room(self, declared: int) -> Iterator[None]:
        """Count an upload of so many bytes, 0 where that is not known, while it is under way.

        Raises UserError where there is no room for it.
        """
        self._sweep()
        if self._under_way >= AT_ONCE:
            raise UserError(f"{AT_ONCE} uploads are under way already. Try again when one has finished.")
        held, files = _weight(self.folder)
        most = QUOTA * self.file_limit
        if held + (declared or self.request_limit) > most or files >= QUOTA_FILES:
            raise UserError(
                f"{held / MB:,.0f} MB of uploads wait to be taken in, and {most / MB:,.0f} MB may. "
                "Add those, or try again in an hour."
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def names_another(self, body: bytes) -> bool:
        """Whether the JSON of a call names a file that did not arrive here, by its path or its address.

        Gradio copies, or fetches, what a call names before any handler sees it. It checks that it was uploaded only in
        applications that it launched itself, which a mounted one is not.
        """
        try:
            pending = [json.loads(body)]
        except RecursionError:
            return True
        except ValueError:
            return False  # no call at all
        while pending:
            value = pending.pop()
            if isinstance(value, dict):
                if isinstance(path := value.get("path"), str) and "meta" in value and not self._holds(path):
                    return True
                pending.extend(value.values())
            elif isinstance(value, list):
                pending.extend(value)
        return False

    def _holds(self, path: str) -> bool:
        with suppress(OSError, ValueError):
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self.folder.resolve())
        return False

    def _sweep(self) -> None:
        """Delete what nobody took in, such as the beginning of a file whose upload was cut off."""
        before = time.time() - UNTAKEN
        for path in _files(self.folder):
            with suppress(OSError):
                if path.lstat().st_mtime < before:
                    path.unlink()

    def _empty(self) -> None:
        if self.folder.is_symlink():
            self.folder.unlink()  # a workspace can come from somebody else
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


@contextmanager
def arriving(workspace: Workspace | None, *, file_limit: int = FILE_LIMIT) -> Iterator[Arriving]:
    """Give the folder that uploads arrive in: the workspace's, or a temporary one before there is a workspace."""
    if workspace is not None:
        with Arriving(workspace.arriving, file_limit=file_limit).open() as folder:
            yield folder
        return
    with (
        tempfile.TemporaryDirectory(prefix="hoplite-") as temporary,
        Arriving(Path(temporary) / "arriving", file_limit=file_limit).open() as folder,
    ):
        yield folder


def take(files: Sequence[str | Path], workspace: Workspace, *, file_limit: int = FILE_LIMIT) -> list[Path]:
    """Move files that arrived into the workspace's uploads, each under a clean name that nothing has, and return them.

    Raises UserError, with nothing taken, for a file that did not arrive here, that is too large or no file, for too
    many at once, and where the uploads are full.
    """
    if len(files) > FILES:
        raise UserError(f"{len(files):,} files are too many at once; {FILES} may be added. Index their folder instead.")
    sources = list(dict.fromkeys(_arrived(Path(file), file_limit) for file in files))
    held, count = _weight(workspace.uploads)
    coming = sum(source.stat().st_size for source in sources)
    if held + coming > QUOTA * file_limit or count + len(sources) > QUOTA_FILES:
        raise UserError(
            f"The uploads hold {held / MB:,.0f} MB in {count:,} files; with these it would be more than "
            f"{QUOTA * file_limit / MB:,.0f} MB or {QUOTA_FILES:,} files. Remove some of them first."
        )
    if workspace.uploads.is_symlink():
        raise UserError(f"{workspace.uploads} is a link. Remove it: uploads are kept in the workspace itself.")
    try:
        workspace.uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [_moved(source, workspace.uploads) for source in sources]
    except OSError as error:
        raise UserError(
            f"The files cannot be kept in {workspace.uploads}: {error.strerror}. Make room, or check its permissions."
        ) from error


def clean(name: str) -> str:
    """Return a file's name as it is kept: its last part, without what is invisible or means something to a shell or a
    file system, and no hidden file's."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    kept = "".join("_" if char in _NOT_IN_NAMES else char for char in last if unicodedata.category(char)[0] != "C")
    stem, dot, suffix = " ".join(kept.split()).strip(". ").rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    suffix = _cut(suffix.strip(), 20)
    stem = _cut(stem.strip(". "), _NAME_BYTES - len(suffix.encode())) or "file"
    return f"{stem.lstrip('-') or 'file'}{'.' if suffix else ''}{suffix}"


def _arrived(file: Path, file_limit: int) -> Path:
    """A file below the arriving folder. Raises UserError: its path came from a browser."""
    shown = visible(file.name)
    try:
        found = file.lstat()
        real = file.resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{shown} is not there any more. Add it again.") from error
    if not real.is_relative_to(Path(os.environ[_PLACE]).resolve()) or not stat.S_ISREG(found.st_mode):
        raise UserError(f"{shown} is no file that was added here. Add it again.")
    if found.st_size > file_limit:
        raise UserError(
            f"{shown} has {found.st_size / MB:,.1f} MB; {file_limit / MB:,.0f} MB may be added. "
            "Index it from its folder, or set upload_mb."
        )
    return real


def _moved(source: Path, folder: Path) -> Path:
    name = clean(source.name)
    stem, dot, suffix = name.rpartition(".") if "." in name else (name, "", "")
    for number in range(1, QUOTA_FILES + 2):
        target = folder / (name if number == 1 else f"{stem} {number}{dot}{suffix}")
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            continue
        try:
            shutil.move(source, target)
            target.chmod(0o600)
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return target
    raise UserError(f"There are too many files called {visible(name)} already. Call it something else.")


def _files(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder; links are not followed."""
    for above, _, names in os.walk(folder):
        yield from (Path(above) / name for name in names)


def _weight(folder: Path) -> tuple[int, int]:
    """The bytes and the number of the files below a folder."""
    sizes = []
    for path in _files(folder):
        with suppress(OSError):
            sizes.append(path.lstat().st_size)
    return sum(sizes), len(sizes)


def _cut(text: str, size: int) -> str:
    """The beginning of a text, in so many bytes at most."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore").strip()
