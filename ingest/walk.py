"""The files under a folder that are worth reading, and a count of those that are not."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from ingest.decode import looks_binary
from ingest.errors import UserError
from ingest.languages.recognise import document_format

MAX_BYTES = 2_000_000
"""The largest file that is read. Django's largest source file has 373 KB; above this are data and generated code."""

LISTED = 1_000
"""Paths kept of what was skipped, for each reason; beyond it they are only counted."""

_LARGER = {".ipynb": 10} | dict.fromkeys(
    (".pdf", ".docx", ".pptx", ".xlsx", ".xlsm", ".odt", ".epub", ".eml", ".mbox"), 25
)  # fmt: skip
"""Notebooks and documents carry their pictures inside, which loading drops. 25 times is the most that `load` reads."""

# Never read, whatever a .gitignore says: what version control and Hoplite keep for themselves, and secrets.
_NEVER = """
.git/ .hg/ .svn/ .bzr/ .jj/ .hoplite/
.env .env.* !.env.example !.env.sample !.env.template .envrc .netrc .npmrc .pypirc .pgpass .htpasswd
*.pem *.key *.p12 *.pfx *.jks *.keystore *.kdbx *.gpg
id_rsa id_dsa id_ecdsa id_ed25519 .ssh/ .gnupg/ .aws/
"""
# Not read unless a .gitignore re-includes it with "!": what tools generate.
_USUALLY = """
node_modules/ bower_components/ __pycache__/ .venv/ venv/ site-packages/ *.egg-info/ .eggs/ .tox/ .nox/
.mypy_cache/ .pytest_cache/ .ruff_cache/ .hypothesis/ .ipynb_checkpoints/ .cache/ .gradle/ .idea/ .vscode/
dist/ build/ target/ .next/ .nuxt/ .parcel-cache/ .terraform/ coverage/ htmlcov/
*.min.js *.min.css *.map *.lock package-lock.json npm-shrinkwrap.json pnpm-lock.yaml go.sum
*.po *.pot *.svg *.log *.orig *.rej *.swp *~ .DS_Store
"""
_BINARY = """
png jpg jpeg gif bmp ico tif tiff webp avif psd mp3 mp4 m4a wav ogg flac avi mov mkv webm woff woff2 ttf otf eot
zip gz tgz bz2 xz lzma zst 7z rar tar jar war whl egg so dylib dll exe o a lib obj class pyc pyo pyd wasm bin dat
doc xls ppt ods odp sqlite sqlite3 db npy npz parquet feather arrow h5 hdf5 pkl pickle pt pth
safetensors onnx gguf mo mmdb shp shx dbf
"""
# What the system can open: PATH_MAX less the NUL at its end, and NAME_MAX.
_LONGEST_PATH = 4095
_LONGEST_NAME = 255
# A .gitignore within these is obeyed in bounded time. The longest that generators write has some 500 patterns.
_MAX_GITIGNORE = 100_000
_MAX_PATTERNS = 2_000
_MAX_LEAPS = 3
# A star up to what stands before the next star, in a translated pattern. The first place that fits is as good as any
# later one, since the next star takes up the rest; without trying the later ones, a match takes no exponential time.
_STAR = re.compile(r"\[\^/\]\*((?:\\.|\[(?:\\.|[^\\\]])+\](?!\*)|[^\\\[\](/*])*)(?=\[\^/\]\*)")
_UNSAFE_CATEGORIES = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to read. `source` is its place on disk as the system spells it (undecodable bytes as lone surrogates);
    `path` is the name shown and stored, safe to print. `size` is in bytes."""

    source: str
    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Walked:
    """The files in the order of their shown paths, and how many were skipped, by reason: "ignored" (a folder counts
    once), "binary", "too_large", "too_deep" (its path is longer than the system can open), "gitignore" (a
    folder whose .gitignore is too costly to obey), "symlink_folder", "symlink_outside", "special", "unreadable".

    `skipped_paths` holds the shown paths of the first `LISTED` for each reason, a folder's with a slash at its end.
    """

    files: tuple[FoundFile, ...]
    skipped: Mapping[str, int]
    skipped_paths: Mapping[str, tuple[str, ...]]


def walk(
    path: Path,
    *,
    base: Path | None = None,
    max_bytes: int = MAX_BYTES,
    known: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    only: Collection[str] | None = None,
) -> Walked:
    """Return the files to read under a folder, or the one file given.

    `.gitignore` files count from the folder given downwards, so a path that is asked for is always walked. Linked
    folders are not followed; a linked file is read where its target lies inside the folder.

    Args:
        base: shown paths are relative to it; the folder itself (or the file's folder) by default.
        max_bytes: larger files are skipped as "too_large"; notebooks and documents may be many times larger.
        known: size and mtime_ns, by shown path, of files that turned out to be text before. Those that are still so are
            not opened; of the others the first bytes are read, to tell text from binary data.
        only: real paths; nothing is looked at but these, what is below them and the folders above them.

    Raises:
        UserError: there is nothing at `path`.
    """
    root = _root(path)
    base = Path(os.path.realpath(base)) if base else (root if root.is_dir() else root.parent)
    place = shown(os.path.relpath(root, base).replace(os.sep, "/"))
    search = _Search(str(root), max_bytes, known, only)
    if root.is_dir():
        search.folders("" if place == "." else f"{place}/")
    elif only is None or str(root) in only:
        search.asked(place)
    files = sorted(search.files, key=lambda file: file.path)
    return Walked(tuple(files), dict(search.skipped), {why: tuple(paths) for why, paths in search.listed.items()})


def folders(path: Path, *, only: Collection[str] | None = None) -> list[str]:
    """Return the real paths of the folders that `walk` looks into; for a file, that of its folder.

    Raises UserError where there is nothing at `path`.
    """
    root = _root(path)
    if not root.is_dir():
        return [str(root.parent)]
    search = _Search(str(root), -1, {}, only)  # every file is too large to be looked at
    search.folders("")
    return search.entered


def _root(path: Path) -> Path:
    root = Path(os.path.realpath(path))
    if not root.exists():
        raise UserError(f"There is no file or folder at {shown(str(path))}. Check the spelling, or give another path.")
    return root


def open_plain(path: str, flags: int = os.O_RDONLY) -> int:
    """Return a descriptor for a file or folder, given by its real and absolute path, opened without following a link
    in any part of it and without waiting for a pipe's other end.

    What was no link when it was found may be one by now, and so may every folder above it. O_NOFOLLOW guards the last
    part only, so the system is asked where the opened file really is.

    Raises:
        OSError: as `os.open`; ELOOP where the path leads elsewhere than it says.
    """
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if os.readlink(f"/proc/self/fd/{handle}") != path:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def shown(path: str) -> str:
    """Return a path that is safe to print and to store: what is no printable text becomes an escape, reversibly.

    >>> shown("a\\x1b[31m.md")
    'a\\\\x1b[31m.md'
    """
    if path.isprintable() and "\\" not in path and path.isascii():
        return path
    return "".join(_safe(c) for c in path)


def _safe(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode writes it
        return f"\\x{code - 0xDC00:02x}"
    if character == "\\":
        return "\\\\"
    if unicodedata.category(character) in _UNSAFE_CATEGORIES:
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    return character


class _Names:
    """A fixed list of names, looked up in a few steps instead of a pattern at a time.

    Each is `name`, `name/` for folders only, `*end`, `start*`, or `!name` for one that another would have matched.
    """

    def __init__(self, names: str) -> None:
        words = names.split()
        self._ends = tuple(word[1:] for word in words if word[0] == "*")
        self._starts = tuple(word[:-1] for word in words if word[-1] == "*")
        self._but = frozenset(word[1:] for word in words if word[0] == "!")
        self._whole = frozenset(word for word in words if word[0] not in "*!" and word[-1] != "*")

    def match(self, name: str, is_folder: bool) -> bool:
        folder = f"{name}/" if is_folder else name
        return (
            name in self._whole or folder in self._whole or name.endswith(self._ends) or folder.endswith(self._ends)
            or name.startswith(self._starts)
        ) and name not in self._but  # fmt: skip


_NEVER_NAMES = _Names(_NEVER)
_USUAL_NAMES = _Names(_USUALLY)
_BINARY_SUFFIXES = frozenset(_BINARY.split())


_Specs = tuple[tuple[int, GitIgnoreSpec], ...]
"""The .gitignore files that apply in a folder, the nearest last, each with where in a path what it matches begins."""


_Pending = tuple[str, str, _Specs, bool]
"""A folder to look through: its real path, the beginning of its files' shown paths, its specs, whether all counts."""


class _TooCostly(Exception):
    """A .gitignore that would take too long to obey."""


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    """Compile patterns, leaving out the ones that git would not understand either.

    Raises _TooCostly for more patterns, or more `**` in one, than anybody writes by hand.
    """
    patterns = []
    for line in lines:
        try:
            compiled = GitIgnoreSpec.from_lines([line]).patterns
        except GitIgnorePatternError:
            continue
        patterns += [pattern for pattern in compiled if pattern.include is not None]
        if len(patterns) > _MAX_PATTERNS or line.count("**") > _MAX_LEAPS:
            raise _TooCostly
    for pattern in patterns:
        if pattern.regex is not None:
            pattern.regex = re.compile(_STAR.sub(r"(?>[^/]*?\1)", pattern.regex.pattern))
    return GitIgnoreSpec(patterns)


class _Search:
    """One walk: what it found, and what it skipped."""

    def __init__(
        self, root: str, max_bytes: int, known: Mapping[str, tuple[int, int]], only: Collection[str] | None
    ) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self.known = known
        self.files: list[FoundFile] = []
        self.skipped: Counter[str] = Counter()
        self.listed: dict[str, list[str]] = {}
        self.entered: list[str] = []
        self.only = frozenset(only) if only is not None else frozenset((root,))
        self.above = {above for path in self.only for above in _parents(path)}

    def folders(self, place: str) -> None:
        """Look through the root and what is below it. `place` is what its files' shown paths begin with."""
        # A list instead of recursion: folders may be nested deeper than Python's stack. The flag: all below counts.
        pending: list[_Pending] = [(self.root, place, (), self.root in self.only)]
        while pending:
            folder, place, specs, whole = pending.pop()
            try:
                handle = open_plain(folder, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                self._skip("too_deep" if error.errno == errno.ENAMETOOLONG else "unreadable", place)
                continue
            try:
                self.entered.append(folder)
                with os.scandir(handle) as entries:
                    pending += self._entries(list(entries), folder, place, specs, whole)
            except OSError:
                self._skip("unreadable", place)
            except _TooCostly:
                self._skip("gitignore", place)
            finally:
                os.close(handle)

    def asked(self, place: str) -> None:
        """Look at the root, which is no folder."""
        try:
            self._file(self.root, place, os.stat(self.root, follow_symlinks=False))
        except OSError:
            self._skip("unreadable", place)

    def _entries(
        self, entries: Sequence[os.DirEntry[str]], folder: str, place: str, specs: _Specs, whole: bool
    ) -> list[_Pending]:
        """Look at what is in one folder; return the folders among it that are to be looked through."""
        below = []
        inside = folder.rstrip("/") + "/"
        if any(entry.name == ".gitignore" for entry in entries):
            specs = (*specs, (len(inside), self._gitignore(f"{inside}.gitignore", f"{place}.gitignore")))
        tight = len(os.fsencode(inside)) + _LONGEST_NAME > _LONGEST_PATH
        for entry in entries:
            source, path = inside + entry.name, place + shown(entry.name)
            wanted = whole or source in self.only
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                if not wanted and not (is_folder and source in self.above):
                    continue
                if _ignored(entry.name, source, is_folder, specs):
                    self._skip("ignored", f"{path}/" if is_folder else path)
                elif tight and len(os.fsencode(source)) > _LONGEST_PATH:
                    self._skip("too_deep", f"{path}/" if is_folder else path)
                elif is_folder:
                    below.append((source, f"{path}/", specs, wanted))
                elif entry.is_symlink():
                    self._link(source, path)
                else:
                    self._file(source, path, entry.stat(follow_symlinks=False))
            except OSError:
                self._skip("unreadable", path)
        return below

    def _file(self, source: str, path: str, status: os.stat_result) -> None:
        """Take a file unless there is a reason against it. Raises OSError where its first bytes cannot be read."""
        suffix = os.path.splitext(source)[1].lower()
        if not stat.S_ISREG(status.st_mode):
            self._skip("special", path)
        elif suffix[1:] in _BINARY_SUFFIXES:
            self._skip("binary", path)
        elif status.st_size > self.max_bytes * _LARGER.get(suffix, 1):
            self._skip("too_large", path)
        elif self.known.get(path) != (status.st_size, status.st_mtime_ns) and _is_binary(source):
            self._skip("binary", path)
        else:
            self.files.append(FoundFile(source, path, status.st_size, status.st_mtime_ns))

    def _link(self, link: str, path: str) -> None:
        target = os.path.realpath(link)
        if os.path.isdir(target):
            self._skip("symlink_folder", path)
        elif os.path.commonpath([target, self.root]) != self.root:
            self._skip("symlink_outside", path)
        else:
            *folders, name = os.path.relpath(target, self.root).lower().split("/")
            if _NEVER_NAMES.match(name, False) or any(_NEVER_NAMES.match(part, True) for part in folders):
                self._skip("ignored", path)
            else:
                self._file(target, path, os.stat(target, follow_symlinks=False))

    def _gitignore(self, source: str, path: str) -> GitIgnoreSpec:
        try:
            with open(source, "rb", opener=open_plain) as file:
                data = file.read(_MAX_GITIGNORE + 1) or b""
        except OSError:
            self._skip("unreadable", path)
            return GitIgnoreSpec(())
        if len(data) > _MAX_GITIGNORE:
            raise _TooCostly
        return _spec(data.decode("utf-8", "surrogateescape").splitlines())

    def _skip(self, reason: str, path: str) -> None:
        self.skipped[reason] += 1
        listed = self.listed.setdefault(reason, [])
        if len(listed) < LISTED:
            listed.append(path or "./")


def _parents(path: str) -> Iterator[str]:
    while (above := os.path.dirname(path)) != path:
        yield above
        path = above


def _is_binary(source: str) -> bool:
    return not document_format(source) and looks_binary(_head(source))


def _head(source: str) -> bytes:
    with open(source, "rb", buffering=0, opener=open_plain) as file:
        return file.read(8192) or b""


def _ignored(name: str, source: str, is_folder: bool, specs: _Specs) -> bool:
    """True where the nearest .gitignore with an opinion says so; folders below an ignored one are never seen."""
    if _NEVER_NAMES.match(name.lower(), is_folder):
        return True
    for start, spec in reversed(specs):
        opinion = spec.check_file(source[start:] + ("/" if is_folder else "")).include
        if opinion is not None:
            return opinion
    return _USUAL_NAMES.match(name, is_folder)
