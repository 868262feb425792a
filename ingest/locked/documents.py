"""Documents that are not text, read in a locked process each (`child_documents.py`): bytes go in, text comes out.

What comes out may be anything that a parser turned against us can say, so it is validated, and every message is written
here. There is no reading without the lock.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import signal
import socket
import subprocess
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

from ingest.decode import sound
from ingest.errors import FileFailed, UserError
from ingest.locked.clock import Limits, StepClock
from ingest.locked.outcome import ChildDied
from ingest.locked.process import launch
from ingest.locked.report import judge
from ingest.locked.wire import Wire, WireClosed, encode

# pypdf, python-docx, python-pptx and openpyxl are used directly. The readers of llama-index-readers-file are thin
# layers over most of the same packages that read from paths, import llama_index.core (1.5 s, 104 MB of a child's 512)
# and drop what is needed here: headings, tables, pages, and the difference between seen and hidden text.
FORMATS = {
    "pdf": "ingest.load_pdf:read_pdf",
    "docx": "ingest.load_docx:read_docx",
    "pptx": "ingest.load_pptx:read_pptx",
    "xlsx": "ingest.load_xlsx:read_xlsx",
    "epub": "ingest.load_epub:read_epub",
    "odt": "ingest.load_odt:read_odt",
    "email": "ingest.load_mail:read_mail",
    "mbox": "ingest.load_mail:read_mailbox",
}
"""The formats, by the language that `ingest.languages.recognise` gives them, and what reads each."""

PACKAGES = {
    "pypdf": "pypdf",
    "docx": "python-docx",
    "pptx": "python-pptx",
    "openpyxl": "openpyxl",
    "lxml": "lxml",
    "cryptography": "cryptography",
}
"""Packages that parse, by the name they are imported by, with the name they are installed by."""

TEXT_CHARS = 20_000_000
"""The longest text that one document may give."""

# Below `ingest.pipeline.PATIENCE`, so that it is always this limit that says what was too slow.
READ = Limits(cpu_seconds=25, wall_seconds=27, absolute_seconds=27, memory_mb=512)
_START = Limits(cpu_seconds=10, wall_seconds=10, absolute_seconds=10)

_WHY = {
    "encrypted": "is encrypted. Save a copy without a password and index that",
    "no_text": "has pages without text, as a scanner makes them. Index a copy that went through text recognition",
    "syntax": "is damaged, or not what its name says",
    "too_large": f"unpacks to more than is read ({TEXT_CHARS:,} characters, {READ.memory_mb} MB of memory)",
    "timeout": f"took longer than {READ.wall_seconds:g} s to read. Split it, or index a copy as text",
    "crash": "ended the process that read it",
}


@dataclass(frozen=True, slots=True)
class Extract:
    """A document's text, Markdown-like, and for each of its lines the 1-based page, None where there are no pages."""

    text: str
    pages: tuple[int, ...] | None


def read_document(data: bytes, language: str, shown_path: str) -> Extract:
    """Return the text of a document in one of `FORMATS`. One document at a time is read in each process.

    Raises:
        FileFailed: one of `_WHY`, "parser_missing" where a package is not installed, "sandbox" where the kernel cannot
            lock the process that would read it.
    """
    global _parsers
    with _turn:
        try:
            if _parsers and not _parsers.alive():
                close()
            if _parsers is None:
                _parsers = _Parsers()
            return _parsers.read(data, language, shown_path)
        except (ChildDied, WireClosed, OSError) as error:
            # Not the fork, which `read` answers for, but the process that forks: the next document has a new one.
            close()
            raise FileFailed("crash", f"{shown_path} {_WHY['crash']} ({error}).") from error


def close() -> None:
    """End the process that this one reads documents with, if there is one."""
    global _parsers
    parsers, _parsers = _parsers, None
    if parsers:
        parsers.close()


_parsers: _Parsers | None = None
_turn = threading.Lock()
atexit.register(close)


class _Parsers:
    """The process that forks, and the conversation with it and with its forks."""

    def __init__(self) -> None:
        config = {
            "lock": True,
            "memory_mb": READ.memory_mb,
            "path": import_path(),
            "formats": FORMATS,
            "text_chars": TEXT_CHARS,
        }
        program = Path(__file__).with_name("child_documents.py")
        self._process, ours, self._lifeline = launch(program, config, stderr=subprocess.DEVNULL)
        self._socket = ours
        self._wire = Wire(ours)

    def read(self, data: bytes, language: str, shown_path: str) -> Extract:
        """Read one document in a fork. ChildDied and WireClosed leave here only where it is not the fork's doing."""
        ours, theirs = socket.socketpair()
        status = 0
        with closing(Wire(ours)) as wire:
            with theirs:
                process = self._start(language, theirs, shown_path)
            try:
                try:
                    _ready(wire, process)
                    return _converse(wire, data, StepClock(READ, process), shown_path)
                finally:
                    status = self._end()
            except WireClosed:
                fate = signal.Signals(status & 127).name if status & 127 else f"status {status >> 8}"
                raise _failed("crash", shown_path, fate) from None
            except ChildDied as died:
                raise _failed("timeout" if "limit" in died.reason else "syntax", shown_path, died.reason) from None
            except UserError as error:
                message = (
                    f"{shown_path} was not read: documents like it are parsed in a locked process only, and that "
                    f"cannot be had here. `hoplite doctor` says what is missing; or index a copy as text. ({error})"
                )
                raise FileFailed("sandbox", message) from None

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._wire.close()
        os.close(self._lifeline)  # ends a fork that is still reading

    def _start(self, language: str, theirs: socket.socket, shown_path: str) -> int:
        clock = StepClock(_START, self._process.pid)
        self._wire.send(encode({"t": "start", "format": language}), clock)
        socket.send_fds(self._socket, [b"."], [theirs.fileno()])
        started = self._wire.receive(clock)
        if missing := started.get("missing"):
            package = PACKAGES.get(str(missing), str(missing))
            message = f"{shown_path} was not read: the package {package} is not installed. `pip install {package}`"
            raise FileFailed("parser_missing", message)
        process = started["process"]
        assert isinstance(process, int)
        return process

    def _end(self) -> int:
        """End the fork, if it has not ended by itself, and return its wait status."""
        clock = StepClock(_START, self._process.pid)
        self._wire.send(encode({"t": "end"}), clock)
        status = self._wire.receive(clock)["status"]
        assert isinstance(status, int)
        return status


def _ready(wire: Wire, process: int) -> None:
    """Raises UserError where any part of the lock does not hold; then no byte of the document was sent."""
    message = wire.receive(StepClock(_START, process))
    said = [message.get("mechanisms"), message.get("attempts")]
    mechanisms, attempts = ({str(k): str(v) for k, v in d.items()} if isinstance(d, dict) else {} for d in said)
    judge("strong", mechanisms, attempts, 0.0)


def _converse(wire: Wire, data: bytes, clock: StepClock, shown_path: str) -> Extract:
    # A fork that is too large to go on hangs up without reading to the end; then it is its answer that counts.
    with suppress(WireClosed):
        wire.send(encode({"t": "read", "size": len(data)}), clock)
        wire.send(data, clock)
    parts: list[str] = []
    size = 0
    while (message := wire.receive(clock)).get("t") == "part":
        part = message.get("text")
        if not isinstance(part, str) or size + len(part) > TEXT_CHARS:
            raise ChildDied("it broke the protocol")
        parts.append(part)
        size += len(part)
    if message.get("t") == "failed":
        raise _failed(str(message.get("reason")), shown_path, str(message.get("what")))
    text = sound("".join(parts))
    counts = message.get("pages")
    if message.get("t") != "done":
        raise ChildDied("it broke the protocol")
    if counts is None:
        return Extract(text, None)
    if not isinstance(counts, list) or not all(isinstance(count, int) and count > 0 for count in counts):
        raise ChildDied("it broke the protocol")
    if sum(counts) != text.count("\n") + 1:
        raise ChildDied("it broke the protocol")
    return Extract(text, tuple(chain.from_iterable(map(repeat, range(1, len(counts) + 1), counts))))


def _failed(reason: str, shown_path: str, what: str) -> FileFailed:
    """The failure, in our words; the child's own come last, printable and short."""
    reason = reason if reason in _WHY else "syntax"
    said = "".join(c if c.isprintable() else " " for c in sound(what))[:200]
    return FileFailed(reason, f"{shown_path} {_WHY[reason]}; nothing was read from it ({said}).")


def missing_packages() -> list[str]:
    """Return the packages that are not installed, by the names they are installed by."""
    return [package for name, package in PACKAGES.items() if importlib.util.find_spec(name) is None]


def import_path() -> list[str]:
    """The folders that hold the parsers and this package."""
    found = [importlib.util.find_spec(name) for name in ("ingest", *PACKAGES)]
    places = [Path(spec.origin).parent.parent for spec in found if spec and spec.origin]
    return list(dict.fromkeys(map(str, places)))
