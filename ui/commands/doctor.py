"""`hoplite doctor`: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.errors import HopliteError, WorkspaceMissing
from ingest.locked.report import Level
from ui.commands.options import opened, workspace_option
from ui.render import megabytes, visible

if TYPE_CHECKING:
    from retrieval.library import Library

ROOM = 3e9
"""Bytes that the weights and a large index take together."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `needed`: without it something in the main job does not work."""

    name: str
    good: bool
    found: str
    next_step: str = ""
    needed: bool = True


@click.command(short_help="Check what works on this machine.")
@workspace_option
def doctor(workspace: Path | None) -> int:
    """Check what Hoplite needs on this machine, and say what to do about what is missing."""
    bad = 0
    for check in checks(workspace):
        mark = (
            click.style("ok     ", fg="green")
            if check.good
            else click.style("missing", fg="red" if check.needed else "yellow")
        )
        step = f"  → {check.next_step}" if check.next_step and not check.good else ""
        click.echo(f"{mark}  {check.name:<28} {visible(check.found)}{visible(step)}")
        bad += check.needed and not check.good
    return 2 if bad else 0


def checks(
    workspace: Path | None, library: Library | None = None, chosen: Mapping[str, object] | None = None
) -> Iterator[Check]:
    """Yield what is found, one check after another. `library` is the workspace's where this process has it open, and
    `chosen` the settings that its command line has."""
    yield _python()
    yield from _weights()
    yield from _models(workspace, chosen)
    yield from _sandbox()
    yield _parsers()
    yield from _languages()
    yield from _index(workspace) if library is None else _indexed(library)
    yield from _room(workspace)
    yield from _tools()


def _python() -> Check:
    good = sys.version_info >= (3, 11)
    return Check("Python", good, platform.python_version(), "install Python 3.11 or newer")


def _weights() -> Iterator[Check]:
    from retrieval import weights

    needed = {weights.STATIC, weights.TRANSFORMER_INT8, weights.LOCAL_MODEL}
    for each in weights.listing():
        name = each.weights.name
        found = str(each.folder) if each.folder else each.weights.purpose
        yield Check(name, each.folder is not None, found, f"hoplite models pull {name}", name in needed)


def _models(workspace: Path | None, settings: Mapping[str, object] | None = None) -> Iterator[Check]:
    """The language models that the settings choose, with their roles where those differ."""
    from agent.remote_models import is_remote
    from agent.roles import names
    from agent.settings import load_settings
    from retrieval.workspace import find

    try:
        folder = find(Path.cwd(), workspace).folder
    except HopliteError:  # `_index` says so.
        folder = None
    try:
        chosen = names(load_settings(folder, settings).settings)
    except HopliteError as error:
        yield Check("settings", False, str(error))
        return
    for name in dict.fromkeys(chosen.chats):
        roles = [role for role, its in asdict(chosen).items() if its == name]
        which = "language model" if len(roles) == len(chosen.each) else f"model: {', '.join(roles)}"
        yield Check(which, True, f"{name}, {'asked over the network' if is_remote(name) else 'on this machine'}")


def _sandbox() -> Iterator[Check]:
    """Both levels; either is enough for code steps, but documents are parsed at strong alone."""
    from ingest.locked.levels import probe

    steps: dict[Level, str] = {
        "strong": "Linux 5.13 or newer with Landlock and seccomp switched on",
        "interpreter": "pip install pydantic-monty",
    }
    for level, step in steps.items():
        name = f"sandbox, {level}"
        try:
            report = probe(level)
        except HopliteError as error:
            yield Check(name, False, str(error), step, needed=level == "strong")
            continue
        held = ", ".join(mechanism for mechanism, state in report.mechanisms.items() if state == "ok")
        blocked = ", ".join(f"{act} {state}" for act, state in report.attempts.items())
        yield Check(name, True, f"{blocked}; {held}; starts in {report.start_ms:.0f} ms")


def _languages() -> Iterator[Check]:
    from ingest.languages.grammar import LANGUAGES, has_grammar, package_of
    from ingest.languages.recognise import CODE

    found = sorted(language for language in LANGUAGES if has_grammar(language))
    yield Check(
        "code cut by its grammar", bool(found), ", ".join(found) or "no language", "pip install -c constraints.txt ."
    )
    if missing := sorted(LANGUAGES.difference(found)):
        packages = " ".join(sorted({package_of(language) for language in missing}))
        step = f"pip install -c constraints.txt {packages}"
        yield Check("grammars not installed", False, f"{', '.join(missing)}: read as text", step, needed=False)
    yield Check("code read as text", True, ", ".join(sorted(CODE - LANGUAGES)))


def _parsers() -> Check:
    from ingest.locked.documents import PACKAGES, missing_packages

    missing = missing_packages()
    found = f"without {', '.join(missing)}" if missing else ", ".join(PACKAGES.values())
    return Check("document parsers", not missing, found, f"pip install {' '.join(missing)}")


def _index(workspace: Path | None) -> Iterator[Check]:
    try:
        with opened(workspace, searches=False) as library:
            yield from _indexed(library)
    except WorkspaceMissing:
        yield Check("index", False, "none here", "hoplite index PATH", needed=False)
    except HopliteError as error:
        yield Check("index", False, str(error))


def _indexed(library: Library) -> Iterator[Check]:
    status = library.status()
    yield Check("index", True, f"{status.totals.documents:,} documents, {status.totals.chunks:,} chunks, sound")
    if server := status.server:
        yield Check("Qdrant server", True, f"{server.place}, Qdrant {server.version}, {server.points:,} points")


def _room(workspace: Path | None) -> Iterator[Check]:
    from retrieval.weights import models_folder

    for name, folder in (("room for weights", models_folder()), ("room for the index", workspace or Path.cwd())):
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        yield Check(name, free >= ROOM, f"{megabytes(free)} free", f"make room in {folder}; 3 GB are plenty")


def _tools() -> Iterator[Check]:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    yield Check(
        "Chromium", browser is not None, browser or "drives the page in tests", "only for `make test`", needed=False
    )
