"""The files under a folder that are worth reading, and a count of those that are not."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from ingest.decode import looks_binary
from ingest.errors import UserError
from ingest.languages.recognise import document_format

MAX_BYTES = 2_000_000
"""The largest file that is read. Django's largest source file has 373 KB; above this are data and generated code."""

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
    once), "binary", "too_large", "symlink_folder", "symlink_outside", "special", "unreadable"."""

    files: tuple[FoundFile, ...]
    skipped: Mapping[str, int]


def walk(path: Path, *, base: Path | None = None, max_bytes: int = MAX_BYTES) -> Walked:
    """Return the files to read under a folder, or the one file given.

    `.gitignore` files count from the folder given downwards, so a path that is asked for is always walked. Linked
    folders are not followed; a linked file is read where its target lies inside the folder.

    Args:
        base: shown paths are relative to it; the folder itself (or the file's folder) by default.
        max_bytes: larger files are skipped as "too_large"; notebooks and documents may be many times larger.

    Raises:
        UserError: there is nothing at `path`.
    """
    root = Path(os.path.realpath(path))
    if not root.exists():
        raise UserError(f"There is no file or folder at {shown(str(path))}. Check the spelling, or give another path.")
    base = Path(os.path.realpath(base)) if base else (root if root.is_dir() else root.parent)
    search = _Search(str(root), str(base), max_bytes)
    files = list(search.folder(str(root)) if root.is_dir() else search.file(str(root)))
    return Walked(tuple(sorted(files, key=lambda file: file.path)), dict(search.skipped))


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


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    """Compile patterns, leaving out the ones that git would not understand either."""
    sound = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except GitIgnorePatternError:
            continue
        sound.append(line)
    return GitIgnoreSpec.from_lines(sound)


class _Search:
    """One walk: the specs that apply in each folder, and the counts."""

    def __init__(self, root: str, base: str, max_bytes: int) -> None:
        self.root = root
        self.base = base
        self.max_bytes = max_bytes
        self.binary = frozenset(_BINARY.split())
        self.never = _spec(_NEVER.split())
        self.usually = _spec(_USUALLY.split())
        self.skipped: Counter[str] = Counter()

    def folder(self, top: str) -> Iterator[FoundFile]:
        # A list instead of recursion: folders may be nested deeper than Python's stack.
        pending: list[tuple[str, tuple[tuple[str, GitIgnoreSpec], ...]]] = [(top, ((top, self.usually),))]
        while pending:
            folder, specs = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    found = list(entries)
            except OSError:
                self.skipped["unreadable"] += 1
                continue
            if any(entry.name == ".gitignore" for entry in found):
                specs = (*specs, (folder, self._gitignore(os.path.join(folder, ".gitignore"))))
            for entry in found:
                is_folder = entry.is_dir(follow_symlinks=False)
                if self._ignored(entry.path, is_folder, specs):
                    self.skipped["ignored"] += 1
                elif is_folder:
                    pending.append((entry.path, specs))
                elif entry.is_symlink():
                    yield from self._link(entry.path)
                else:
                    yield from self.file(entry.path)

    def file(self, source: str, link: str | None = None) -> Iterator[FoundFile]:
        """Yield the file unless there is a reason against it. `link` is the name it goes by where that is another."""
        try:
            status = os.stat(source, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                self.skipped["special"] += 1
                return
            suffix = os.path.splitext(source)[1].lower()
            if suffix[1:] in self.binary:
                self.skipped["binary"] += 1
                return
            if status.st_size > self.max_bytes * _LARGER.get(suffix, 1):
                self.skipped["too_large"] += 1
                return
            if not document_format(source) and looks_binary(_head(source)):
                self.skipped["binary"] += 1
                return
        except OSError:
            self.skipped["unreadable"] += 1
            return
        path = os.path.relpath(link or source, self.base).replace(os.sep, "/")
        yield FoundFile(source, shown(path), status.st_size, status.st_mtime_ns)

    def _link(self, link: str) -> Iterator[FoundFile]:
        target = os.path.realpath(link)
        if os.path.isdir(target):
            self.skipped["symlink_folder"] += 1
        elif os.path.commonpath([target, self.root]) != self.root:
            self.skipped["symlink_outside"] += 1
        elif self.never.match_file(os.path.relpath(target, self.root)):
            self.skipped["ignored"] += 1
        else:
            yield from self.file(target, link)

    def _ignored(self, path: str, is_folder: bool, specs: tuple[tuple[str, GitIgnoreSpec], ...]) -> bool:
        """True where the nearest .gitignore with an opinion says so; folders below an ignored one are never seen."""
        end = "/" if is_folder else ""
        if self.never.match_file(os.path.basename(path) + end):
            return True
        for folder, spec in reversed(specs):
            opinion = spec.check_file(path[len(folder.rstrip("/")) + 1 :] + end).include
            if opinion is not None:
                return opinion
        return False

    def _gitignore(self, path: str) -> GitIgnoreSpec:
        try:
            with open(path, "rb", opener=_open_plain) as file:
                return _spec(file.read(1_000_000).decode("utf-8", "surrogateescape").splitlines())
        except OSError:
            self.skipped["unreadable"] += 1
            return _spec(())


def _open_plain(path: str, flags: int) -> int:
    """Open without following a link and without waiting for a pipe's other end."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _head(path: str) -> bytes:
    with open(path, "rb", buffering=0, opener=_open_plain) as file:
        return file.read(8192) or b""
