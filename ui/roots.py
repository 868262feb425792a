"""Which folders the page may index: whoever reaches it should not get to read the whole machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from agent.settings import Settings
from ingest.errors import UserError
from retrieval.workspace import Workspace
from ui.render import visible


def roots(settings: Settings, workspace: Workspace | None = None) -> tuple[Path, ...]:
    """Return the folders below which all may be indexed: what the settings say, or the indexed folder's base and the
    user's home."""
    if settings.allowed_roots is not None:
        named = (Path(part).expanduser() for part in settings.allowed_roots.split(os.pathsep) if part.strip())
        return tuple(Path(os.path.realpath(path)) for path in named)
    return tuple(Path(os.path.realpath(path)) for path in (*([workspace.base] if workspace else []), Path.home()))


def allowed(path: str | Path, roots: Sequence[Path]) -> Path:
    """Return the path with its links followed. Raises UserError where it is not there, or outside the roots."""
    shown = visible(str(path))
    try:
        real = Path(path).expanduser().resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{shown} cannot be found. Say the whole path of a folder or file on this machine.") from error
    if not any(real.is_relative_to(root) for root in roots):
        where = " and ".join(visible(str(root)) for root in roots) or "no folder"
        raise UserError(
            f"{shown} is outside of what this page may index, which is {where}. "
            "Index it with `hoplite index`, or set allowed_roots in your own config.toml."
        )
    return real
