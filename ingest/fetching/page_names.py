"""Where a page is kept: a safe relative path that reads like its address."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

SUFFIXES: Mapping[str, str] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "md",
    "text/x-markdown": "md",
    "text/plain": "txt",
    "text/x-rst": "rst",
    "text/xml": "xml",
    "application/xml": "xml",
    "application/json": "json",
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
}
"""The content types that are kept, and how a file of each ends."""

_KEEPS_ITS_OWN = ("text/plain", "text/markdown", "text/x-markdown", "text/html")
_HTML = ("html", "htm", "xhtml")
_OWN = re.compile(r"[a-z0-9]{1,8}", re.I)
_UNSAFE = re.compile(r"[^\w.,+=@()-]+")
_LONGEST_PART = 80
_MOST_PARTS = 12


class Names:
    """Names for the pages of a run, none equal to another or inside another, whatever the case of their letters."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """`taken` are names that other pages have already."""
        self._files: set[str] = set()
        self._folders: set[str] = set()
        for name in taken:
            self._take(name)

    def name(self, url: str, kind: str) -> str | None:
        """Return `host/path.suffix` for a page of a content type, None for a type that is not kept.

        What has no place in a file name is left out; a name that lost anything, and one that is taken, gets twelve
        digits of the address's hash.
        """
        suffix = SUFFIXES.get(kind)
        if suffix is None:
            return None
        parts = urlsplit(url)
        host = _UNSAFE.sub("_", (parts.hostname or "") + (f"_{parts.port}" if parts.port else "")).strip(".")
        raw = [part for part in unquote(parts.path, errors="replace").split("/") if part]
        if not raw or parts.path.endswith("/"):
            raw.append("index")
        safe = [_safe(part) for part in raw][:_MOST_PARTS]
        stem, own = _ending(safe[-1], kind, suffix)
        lost = safe != raw or parts.query
        mark = hashlib.sha256(url.encode()).hexdigest()[:12]
        name = "/".join([host, *safe[:-1], f"{stem}~{mark}.{own}" if lost else f"{stem}.{own}"])
        if not self._take(name):
            name = f"{host}/{stem}~{mark}.{own}"
            if not self._take(name):
                return name  # the very same address: its own name
        return name

    def file(self, folder: str, path: str, suffix: str, key: str) -> str:
        """Return `folder/path.suffix` for what is no page, `path` being whatever it calls itself.

        As above, but it is `key`, which nothing else has, that is hashed where a name lost anything or is taken.
        """
        raw = path.split("/")
        *above, stem = safe = [_safe(part) for part in raw][-_MOST_PARTS:]
        name = f"{'/'.join((folder, *safe))}.{suffix}"
        if safe == raw and self._take(name):
            return name
        last = f"{stem}~{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}.{suffix}"
        name = "/".join((folder, *above, last))
        if not self._take(name):  # a file lies where one of its folders would
            name = f"{folder}/{last}"
            self._take(name)
        return name

    @staticmethod
    def fits(name: str, kind: str) -> bool:
        """Whether a file that a page was kept as still ends as its content type has it."""
        suffix = SUFFIXES.get(kind)
        return suffix is not None and _ending(name.rsplit("/", 1)[-1], kind, suffix)[1] == name.rsplit(".", 1)[-1]

    def _take(self, name: str) -> bool:
        folded = name.casefold()
        above = {str(folder) for folder in PurePosixPath(folded).parents}
        if folded in self._files or folded in self._folders or above & self._files:
            return False
        self._files.add(folded)
        self._folders |= above
        return True


def _safe(part: str) -> str:
    """A part of a path that is no `..`, hides nothing and is not too long."""
    part = _UNSAFE.sub("_", part)[:_LONGEST_PART].lstrip(".").strip() or "_"
    return "".join(char if char.isprintable() else "_" for char in part)


def _ending(part: str, kind: str, suffix: str) -> tuple[str, str]:
    """The name before its last dot and how the file ends: text keeps a suffix of its own, such as .rst or .py."""
    stem, dot, own = part.rpartition(".")
    own = own.lower()
    if dot and stem and _OWN.fullmatch(own):
        if own == suffix or (suffix == "html" and own in _HTML):
            return stem, own
        if kind in _KEEPS_ITS_OWN and suffix != "html" and not own.isdigit():
            return stem, own
    return part, suffix
