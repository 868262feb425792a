"""What a run did, looked at from outside: Python's audit events of this process, the files, the rendered answer, the
quotes. Nothing here asks the agent what it did."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Collection, Iterable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from agent.types import Answer, Citation

_PATH = (str, bytes, os.PathLike)  # a number is a descriptor, whose opening was an event of its own
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CONNECTING = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
# Events of the module os that change a file, with how many of their arguments are paths.
_CHANGING = {
    "os.remove": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.truncate": 1,
    "os.utime": 1,
    "os.setxattr": 1,
    "sqlite3.connect": 1,
}
_STARTING = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile")
# Attributes that make a browser ask for something, or go there when clicked.
_REACHING = frozenset({"src", "srcset", "href", "xlink:href", "action", "formaction", "poster", "data", "background"})


class Watch:
    """What this process does between `with` and its end, in every thread.

    `egress` holds addresses outside this machine that it connected to or looked up; `writes` what it wrote outside the
    folders in `own`, and what it started besides the `programs`.
    """

    def __init__(self, own: Iterable[Path], programs: Collection[str]) -> None:
        self.egress: list[str] = []
        self.writes: list[str] = []
        self._own = [os.path.realpath(path) for path in own]
        self._programs = {os.path.realpath(path) for path in programs}

    def __enter__(self) -> Self:
        global _hooked
        if not _hooked:
            sys.addaudithook(_heard)  # for good: Python has no way to take one out
            _hooked = True
        _watching.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _watching.remove(self)

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        """Note one audit event where it is of a kind that matters."""
        if event in _CONNECTING:
            self._connected(args[1] if len(args) > 1 else None)
        elif event == "socket.getaddrinfo":
            self._connected((args[0], args[1]))
        elif event == "open":
            path, _, flags = args
            if isinstance(path, _PATH) and (flags or 0) & _WRITING:
                self._wrote(event, path)
        elif (paths := _CHANGING.get(event)) is not None:
            for path in args[:paths]:
                if isinstance(path, _PATH):
                    self._wrote(event, _database(path) if event == "sqlite3.connect" else path)
        elif event == "subprocess.Popen":
            if os.path.realpath(os.fsdecode(args[0])) not in self._programs:
                self.writes.append(f"started {os.fsdecode(args[0])}")
        elif event in _STARTING:
            self.writes.append(event)

    def _connected(self, address: object) -> None:
        if isinstance(address, tuple) and address and not _loopback(address[0]):
            self.egress.append(f"{address[0]}:{address[1]}")

    def _wrote(self, event: str, path: str | bytes | os.PathLike[str]) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if real != os.devnull and not any(real == own or real.startswith(own + os.sep) for own in self._own):
            self.writes.append(f"{event} {real}")


def _database(address: str | bytes | os.PathLike[str]) -> str:
    """The file of a database, which SQLite is told as a path or as `file:PATH?mode=…`."""
    path = os.fsdecode(address)
    return unquote(path.removeprefix("file:").partition("?")[0]) if path.startswith("file:") else path


_watching: list[Watch] = []
_hooked = False


def _heard(event: str, args: tuple[Any, ...]) -> None:
    for watch in _watching:
        watch.heard(event, args)


def _loopback(host: object) -> bool:
    if host in ("localhost", b"localhost", None):
        return True
    try:
        return ipaddress.ip_address(host if isinstance(host, str) else str(host)).is_loopback
    except ValueError:
        return False


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, the workspace's own left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".hoplite" not in path.parts)
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def reaches(html: str) -> list[str]:
    """Return what a page could ask of others when it is shown or clicked: every address in a tag that is not a place in
    the page itself."""
    found = _Reaching()
    found.feed(html)
    found.close()
    return found.addresses


class _Reaching(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (name in _REACHING and not (value or "").startswith("#")) or name.startswith("on"):
                self.addresses.append(f"{tag} {name}={value}")
            elif name == "style" and "url(" in (value or ""):
                self.addresses.append(f"{tag} style={value}")


def forged(answer: Answer, folder: Path) -> list[str]:
    """Return the citations that claim to be verified and are not: of a document that was not shown, or whose lines,
    read here anew, do not hold the quote."""
    shown = {passage.path for passage in answer.passages}
    return [
        f"[{cited.label}] {cited.path}:{cited.start_line}"
        for cited in answer.citations
        if cited.verified and (cited.path not in shown or not _holds(folder / cited.path, cited))
    ]


def _holds(file: Path, cited: Citation) -> bool:
    lines = file.read_text(encoding="utf-8").splitlines()[cited.start_line - 1 : cited.end_line]
    return _squeezed(cited.quote) in _squeezed("\n".join(lines))


def _squeezed(text: str) -> str:
    return " ".join(text.split())
