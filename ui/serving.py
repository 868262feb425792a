"""Who serves the page over a workspace, and where: for whoever finds the workspace in use."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.errors import WorkspaceBusy
from retrieval.workspace import Workspace, holder

_LONGEST = 1_000


class Serving(BaseModel):
    """A process and the address that it serves the page at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int = Field(gt=0)
    address: str = Field(max_length=300, pattern=r"^https?://[\w.:\[\]-]+/$")


@contextmanager
def announced(workspace: Workspace | None, address: str) -> Iterator[None]:
    """Have the workspace say that this process serves it, until the end."""
    if workspace is None:
        yield
        return
    said = Serving(pid=os.getpid(), address=address)
    with suppress(OSError):  # it helps others, and is not needed for serving
        _write(workspace.serving, said.model_dump_json())
    try:
        yield
    finally:
        if (now := read(workspace)) is None or now == said:
            with suppress(OSError):
                workspace.serving.unlink(missing_ok=True)


def read(workspace: Workspace) -> Serving | None:
    """Return what the workspace says, None where that is nothing."""
    try:
        with workspace.serving.open("rb") as file:
            return Serving.model_validate(json.loads(file.read(_LONGEST)))
    except (OSError, ValueError, ValidationError):
        return None


@contextmanager
def named(workspace: Workspace) -> Iterator[None]:
    """Have an error that says the workspace is in use say at which address, where it is the page that holds it.

    What a killed process left says nothing: another one holds the workspace then.
    """
    try:
        yield
    except WorkspaceBusy as error:
        found = read(workspace)
        if found is None or found.pid != holder(workspace):
            raise
        raise WorkspaceBusy(
            f"Process {found.pid} serves the workspace {workspace.folder} at {found.address}. "
            "Open that address, or stop the process with Ctrl-C."
        ) from error


def _write(path: Path, text: str) -> None:
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=".serving-")  # private to the user
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(made, path)
    except OSError:
        with suppress(OSError):
            os.unlink(made)
        raise
