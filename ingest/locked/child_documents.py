"""Reads documents, each in a locked process of its own: run as `python -I -S -B child_documents.py FD CONFIG` by
`documents`, never imported.

This process imports parsers and forks; it never sees a document. Each fork closes the lock over itself before the first
byte of its document comes, reads that one, and is gone: no document can reach another's bytes, and what it breaks dies
with it. A fork takes a few milliseconds; importing a parser for each document would take a hundred.

    parent: {"t": "start", "format"} and a socket     here: {"process"} or {"missing": what could not be imported}
            {"t": "end"}                                    {"status": the fork's wait status, killed if it still ran}

Over that socket, between parent and fork:

    parent: {"t": "read", "size"} and the bytes       fork: {"t": "ready", "mechanisms", "attempts"}
                                                            {"t": "part", "text"}, any number of them, then
                                                            {"t": "done", "pages": lines of each page, or null}
                                                            or {"t": "failed", "reason", "what"}
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .child import Link, die_with_parent, lock, try_the_lock
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from child import Link, die_with_parent, lock, try_the_lock

    del sys.path[0]

PART_CHARS = 1 << 20  # no character takes more than 6 bytes of JSON, so that a part always fits a frame of 8 MiB
SAID_CHARS = 300

Read = Callable[[bytes], str | list[str]]

# Line ends, tabs and characters; what else is below a space could only mislead whoever reads the text later.
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127, 0x85, 0x2028, 0x2029), " ")


def imported(place: str) -> Read:
    """Return the function at `module:name`."""
    module, _, name = place.partition(":")
    read: Read = getattr(importlib.import_module(module), name)
    return read


def package_folders(path: Iterable[str]) -> list[str]:
    """The folders of the packages that were imported from `path`: a parser may import more of itself while it reads."""
    parents = set(path)
    tops = [module for name, module in sys.modules.items() if "." not in name]
    folders = [folder for module in tops for folder in getattr(module, "__path__", ())]
    return [folder for folder in folders if os.path.dirname(folder) in parents and os.path.isdir(folder)]


def serve(link: Link, config: dict[str, Any], read: Read) -> None:
    """The fork: close the lock, report, read one document."""
    config["readable"] += package_folders(config["path"])
    said = lock(config)
    link.send({"t": "ready", "mechanisms": said, "attempts": try_the_lock()})
    data = link.exactly(link.receive()["size"])
    try:
        text, pages = paged(read(data), config["text_chars"])
        for start in range(0, len(text), PART_CHARS):
            link.send({"t": "part", "text": text[start : start + PART_CHARS]})
        link.send({"t": "done", "pages": pages})
    except MemoryError:
        del data
        link.send({"t": "failed", "reason": "too_large", "what": "out of memory"})
    except Exception as error:  # whatever a parser raises over a document is that document's
        reason = str(getattr(error, "reason", ""))  # a FileFailed's; the parent knows which there are
        what = str(error) if reason else f"{type(error).__name__}: {error}"
        link.send({"t": "failed", "reason": reason, "what": what[:SAID_CHARS]})


def paged(read: str | list[str], most: int) -> tuple[str, list[int] | None]:
    """Return the text, and how many of its lines are on each page where the format has pages."""
    pages = [read] if isinstance(read, str) else read or [""]
    if sum(map(len, pages)) > most:
        raise MemoryError
    clean = [page.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS) for page in pages]
    return "\n".join(clean), None if isinstance(read, str) else [page.count("\n") + 1 for page in clean]


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    config = json.loads(sys.argv[2])
    link = Link(control.fileno())
    # Forks share the lifeline, and with it the one process that it ends; so it ends the group of all of them.
    die_with_parent(config["lifeline"], -os.getpgid(0))
    warnings.simplefilter("ignore")
    logging.disable()  # what a parser says about a document is said to nobody
    sys.path += config["path"]
    sys.modules["numpy"] = None  # type: ignore[assignment]  # openpyxl imports it where it is, for 0.1 s and nothing
    process = 0
    while True:
        message = link.receive()
        if message["t"] == "end":
            os.kill(process, signal.SIGKILL)  # it is not waited for yet, so that its number is still its own
            link.send({"status": os.waitpid(process, 0)[1]})
            continue
        _, (descriptor,), _, _ = socket.recv_fds(control, 1, 1)
        try:
            read = imported(config["formats"][message["format"]])
        except ImportError as error:
            os.close(descriptor)
            link.send({"missing": error.name or str(error)})
            continue
        process = os.fork()
        if process == 0:
            try:
                control.close()
                serve(Link(descriptor), config, read)
            finally:
                os._exit(0)
        os.close(descriptor)
        link.send({"process": process})


if __name__ == "__main__":
    main()
