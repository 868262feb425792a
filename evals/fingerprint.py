"""What the answers of a run depend on, besides its questions: named, so that a comparison can say what differs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from agent.build import stamped
from agent.models import members
from agent.prompts import prompts_digest
from agent.roles import names
from ingest.fetching.git import head_of

if TYPE_CHECKING:
    from agent.settings import Settings
    from retrieval.library import Library

PACKAGES = ("agent", "evals", "ingest", "retrieval", "ui")


def fingerprint(
    library: Library, settings: Settings, *, sandbox: str, with_memory: bool, similarity: str
) -> dict[str, str]:
    """Return it for a run over an open library. `index` changes with what is indexed and how it is searched, `models`
    with a model file's size and time, `code` with the commit that this program is at."""
    models = sorted({member for name in names(settings).chats for member in members(name)})
    return {
        "index": library.version or library.fingerprint,
        "prompts": prompts_digest(),
        "models": ", ".join(map(stamped, models)),
        "settings": settings.model_dump_json(),
        "sandbox": sandbox,
        "with_memory": "yes" if with_memory else "no",
        "similarity": similarity,
        "code": code(Path(__file__).parents[1]),
    }


def code(root: Path) -> str:
    """Return Hoplite's version and the commit that its packages below `root` are at, "dirty" where they differ from it.

    Where they are in no repository, the version alone.
    """
    named = f"hoplite {version('hoplite')}"
    heads = [head_of(root / package) for package in PACKAGES if (root / ".git").exists()]
    if not heads or heads[0] is None:
        return named
    dirty = any(head is None or head.dirty for head in heads)
    return f"{named}, commit {heads[0].commit[:12]}{' dirty' if dirty else ''}"
