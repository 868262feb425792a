"""Which store a workspace uses, and how it is opened: the one in its folder, or a collection of a Qdrant server.

A workspace remembers where its store is, never the key. And because a workspace may come from somebody else, in a clone
or an archive, a server is asked only where the user has named its address on this machine.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ingest.errors import UserError
from retrieval.manifest import Settings
from retrieval.protocols import Store
from retrieval.store_edge import EdgeStore
from retrieval.types import HERE, Layout, Place
from retrieval.workspace import Workspace

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

    from retrieval.server_link import Patience
    from retrieval.store_server import Described, ServerStore

EMBEDDED = "embedded"
"""Said instead of an address: the store in the workspace, no server."""

KEYS = ("HOPLITE_QDRANT_API_KEY", "QDRANT_API_KEY")
"""The variables that may hold the API key; the first that is set counts."""

_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was said about the store: an address or `EMBEDDED`, a collection's name; None for nothing.

    `layout` counts where a collection is made, `patience` where a server is asked; by default that depends on the use.
    """

    url: str | None = None
    collection: str | None = None
    layout: Layout | None = None
    patience: Patience | None = None


NOTHING = Asked()

Use = Literal["search", "write", "make"]
"""What a store is opened for: somebody waits for answers; a run writes; a run writes, and may be the first."""


def placed(asked: Asked, kept: Place, workspace: Workspace, created: str) -> Place:
    """Return where the store is to be: what was asked, else what the workspace kept, else in the workspace.

    A collection that nobody named gets a name of the workspace's own, from its folder's name and a hash of the machine,
    the folder's path and the moment when the index was begun, so that no two workspaces meet in one. Raises UserError
    for a name that is none, and for a collection without a server.
    """
    if asked.collection is not None:
        _check_name(asked.collection)
    url = kept.url if asked.url is None else _address(asked.url)
    if not url:
        if asked.collection is not None:
            raise UserError("--collection names a part of a Qdrant server: name the server too, with `--store URL`.")
        return HERE
    return Place(url, asked.collection or kept.collection or _own_name(workspace, created))


def open_store(
    workspace: Workspace, made: Settings, use: Use = "search", *, place: Place | None = None, asked: Asked = NOTHING
) -> Store:
    """Open the store of a workspace that was indexed with `made`, or one at another place.

    Raises UserError and its kin, each with the next step; WorkspaceDamaged where a collection is not there and the use
    is not to "make" one.
    """
    place = made.place if place is None else place
    if not place.url:
        return EdgeStore(workspace.store, made.dim)
    return open_server(place, made.embedder, made.dim, use, asked=asked)


def open_server(place: Place, embedder: str, dim: int, use: Use, *, asked: Asked = NOTHING) -> ServerStore:
    """Open a collection; see `open_store`."""
    from retrieval.store_server import PLAIN, ServerStore

    _check_name(place.collection)  # a manifest may be somebody else's
    layout = (asked.layout or PLAIN) if use == "make" else None
    with ExitStack() as undo:
        client = undo.enter_context(closing(reached(place.url, use, asked.patience)))
        store = ServerStore(client, dim, collection=place.collection, embedder=embedder, url=place.url, layout=layout)
        undo.pop_all()
    return store


def reached(url: str, use: Use, patience: Patience | None = None) -> QdrantClient:
    """Return a client for a server that answered, and whose address the user has named on this machine."""
    from retrieval.server_link import SEARCHING, WRITING, connect, require_version

    if url not in _named():
        raise UserError(
            f"The workspace's index is said to be on {url}, an address that was never named on this machine. If you "
            f"trust it, say so with `hoplite index PATH --store {url}`."
        )
    client = connect(url, api_key(), patience or (SEARCHING if use == "search" else WRITING))
    try:
        require_version(client, url)
    except BaseException:
        client.close()
        raise
    return client


def describe(place: Place, patience: Patience | None = None) -> Described:
    """Return whose vectors a collection holds. Raises UserError where there is none, or it is not Hoplite's."""
    from retrieval.server_link import said
    from retrieval.store_server import described

    with closing(reached(place.url, "search", patience)) as client, said(place.url, f"a look at {place.collection}"):
        return described(client.get_collection(place.collection), place.collection)


def clear(place: Place, patience: Patience | None = None) -> None:
    """Delete a place's collection, where it is Hoplite's; whatever lies in the workspace is the caller's."""
    from retrieval.server_link import said
    from retrieval.store_server import described

    if not place.url:
        return
    with closing(reached(place.url, "write", patience)) as client, said(place.url, f"to empty {place.collection}"):
        if client.collection_exists(place.collection):
            described(client.get_collection(place.collection), place.collection, readable=False)
            client.delete_collection(place.collection)


def api_key(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the key for the server; None where there is none."""
    environ = os.environ if environ is None else environ
    return next((key for name in KEYS if (key := environ.get(name, "").strip())), None)


def named(url: str) -> str:
    """Note that the user named a server's address, and return it as it is written everywhere."""
    from retrieval.server_link import checked

    url = checked(url)
    if url not in (known := _named()):
        path = _names_file()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text("".join(f"{each}\n" for each in [*known, url]), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}. Correct its permissions.") from error
    return url


def _address(asked: str) -> str:
    return "" if asked == EMBEDDED else named(asked)


def _named() -> list[str]:
    try:
        return _names_file().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{_names_file()} cannot be read ({error}). Correct it, or move it away.") from error


def _names_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "hoplite" / "servers"


def _check_name(collection: str) -> None:
    if not _COLLECTION.fullmatch(collection):
        raise UserError(
            f"{collection[:200]!r} is no name of a collection. Use letters, digits, '.', '_' and '-', 200 at most."
        )


def _own_name(workspace: Workspace, created: str) -> str:
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", workspace.base.name)[:60].strip("-") or "index"
    told = f"{platform.node()}\0{workspace.folder}\0{created}"
    return f"hoplite-{base}-{hashlib.sha256(os.fsencode(told)).hexdigest()[:8]}"
