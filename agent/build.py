"""The composition root: the one place that chooses implementations, each imported when it is chosen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent.types import Limits

if TYPE_CHECKING:
    from agent.answer_cache import AnswerCache
    from agent.executor import SandboxExecutor
    from agent.journal import Journal
    from agent.journals import Finished, Journals
    from agent.langfuse_api import Langfuse
    from agent.loop import Agent
    from agent.memory import Memory
    from agent.models import ChatModel
    from agent.outgoing import Outgoing
    from agent.redaction import Redactor
    from agent.roles import Roles
    from agent.settings import Settings
    from agent.tracing import Tracing
    from agent.types import Library as Searchable
    from agent.within import Scopable
    from ingest.locked.report import Sandbox, SandboxReport
    from retrieval.library import Library
    from retrieval.workspace import Workspace


GONE_BY = (
    "model",
    "plan_model",
    "step_model",
    "answer_model",
    "judge_model",
    "max_steps",
    "max_seconds",
    "max_tokens",
    "max_cost",
    "passages",
    "breadth",
    "profile",
    "form",
    "within",
)
"""The settings that a run is resumed with. What protects, such as the sandbox, is as it is set then."""


def open_library(workspace: Workspace, *, reranker: str | None = None) -> Library:
    """Open a workspace's index; `reranker` names a cross-encoder.

    Raises WorkspaceBusy, WorkspaceDamaged, WorkspaceMissing, each with the next step.
    """
    from retrieval.library import Library

    return Library(workspace, reranker=reranker)


def make_agent(
    library: Scopable,
    settings: Settings,
    *,
    workspace: Workspace | None = None,
    chat: ChatModel | Roles[ChatModel] | None = None,
    outgoing: Outgoing | None = None,
    say: Callable[[str], None] | None = None,
) -> Agent:
    """Return an agent over an open library.

    `workspace` keeps its memory, its answers and the journals of its runs; without one nothing is remembered. `chat`
    replaces the models that the settings name; where it sends anything through an `outgoing`, that is given too. `say`
    gets a line when loading one of them takes a while, and one where code would run at a level other than strong. The
    sandbox is tested here; all else loads with the first question. Raises UserError where the level that the settings
    ask for cannot be had, and where nothing that is indexed lies within what they scope questions to.

    A scoped run neither recalls nor leaves notes: what a note says may rest on what lies outside.
    """
    from agent.loop import Agent
    from agent.roles import Roles, make_roles, one_for_all
    from ingest.locked.levels import line

    scoped = _scoped(library, settings)
    if outgoing is None:
        outgoing = way_out(settings, scoped)
    if chat is None:
        chat = make_roles(settings, outgoing=outgoing, say=say)
    chats = chat if isinstance(chat, Roles) else one_for_all(chat)
    sandbox = sandbox_of(settings) if chats.step is not None and settings.max_steps else None
    if sandbox and say and (told := line(sandbox)):
        say(told)
    return Agent(
        scoped,
        chat=chats,
        memory=_memory(workspace) if settings.memory and workspace and not settings.within else None,
        executor=(lambda: _executor(sandbox)) if sandbox else None,
        sandbox=sandbox.level if sandbox else "no code",
        limits=limits(settings),
        answers=_answers(scoped, settings, workspace, chats) if settings.cache and workspace else None,
        outgoing=outgoing,
        journals=journals(workspace, settings) if workspace else None,
    )


def _scoped(library: Scopable, settings: Settings) -> Searchable:
    """The library, or as much of it as questions are to be answered from."""
    if not settings.within:
        return library
    from agent.within import Within

    return Within(library, settings.within)


def way_out(settings: Settings, library: Searchable | None = None) -> Outgoing:
    """Return what goes to models elsewhere through, and what knows whether the library's store is elsewhere."""
    from agent.outgoing import Outgoing, store_host
    from agent.sensitive import from_environment

    store = store_host(library.place.url) if library else ""
    return Outgoing(settings.mask, known=from_environment(), store=store)


def journals(workspace: Workspace, settings: Settings | None = None) -> Journals:
    """Return the journals of a workspace's runs; new runs are written with those settings that they go by."""
    from agent.journals import Journals

    chosen = {name: getattr(settings, name) for name in GONE_BY} if settings else {}
    return Journals(workspace.journals, workspace.folder, chosen)


def resumed_with(found: Journal | Finished) -> dict[str, object]:
    """Return the settings that a run began with, by name."""
    began = found.head.settings if found.head else {}
    return {name: began[name] for name in GONE_BY if name in began}


def on_this_machine(settings: Settings) -> bool:
    """Return whether a model on this machine may be asked."""
    from agent.models import members
    from agent.roles import names

    asked = [member for name in names(settings).chats for member in members(name)]
    return any(member.startswith(("local", "ollama/")) for member in asked)


def limits(settings: Settings) -> Limits:
    """Return what a run may take. Where a model on this machine may be asked, the prompts are the compact ones."""
    small = on_this_machine(settings)
    profile = settings.profile if settings.profile != "auto" else ("compact" if small else "full")
    return Limits(
        max_steps=settings.max_steps,
        max_seconds=settings.max_seconds,
        max_tokens=settings.max_tokens,
        max_cost=settings.max_cost,
        passages=settings.passages,
        breadth=settings.breadth,
        profile=profile,
        form=settings.form,
        judge=profile == "full",
    )


def sandbox_of(settings: Settings) -> SandboxReport:
    """Return what the sandbox is on this machine, tested once a process. Raises UserError where it cannot be had."""
    return _tested(settings.sandbox)


@cache
def _tested(asked: Sandbox) -> SandboxReport:
    from ingest.locked.levels import probe

    return probe(asked)


def start_tracing(workspace: Workspace) -> Tracing:
    """Write the spans of this process to the workspace's trace file, until the result is closed."""
    from agent import tracing

    return tracing.start_tracing(workspace.traces)


def send_traces(settings: Settings) -> None:
    """Send the traces of this process elsewhere too, where the settings and the environment say so, until tracing is
    closed. Said again, nothing changes. What is half said is one warning, and the rest goes on."""
    from agent.destinations import destinations

    to = destinations(settings)
    for problem in to.problems:
        _warn_once(problem)
    if not to.found:
        return
    from agent import scores
    from agent.exporters import Abroad
    from agent.span_export import switch

    if switch().sends:
        return
    tags = tuple(tag for each in settings.trace_tags.split(",") if (tag := each.strip()))
    said = {"user.id": settings.trace_user, "hoplite.tags": tags or None}
    redactor, warn = _redactor(settings), logging.getLogger("hoplite.tracing").warning
    receivers = [Abroad(each, redactor, warn) for each in to.found]
    switch().send(receivers, {name: value for name, value in said.items() if value})
    if any(each.name == "Langfuse" for each in to.found) and (api := langfuse(settings)):
        scores.send_to(api.score)


def langfuse(settings: Settings) -> Langfuse | None:
    """Return the API of the Langfuse account that the environment names, None where it names none.

    Raises UserError for half a configuration.
    """
    from agent.langfuse import account
    from agent.langfuse_api import Langfuse
    from ingest.errors import UserError

    found = account()
    if isinstance(found, str):
        raise UserError(found)
    return Langfuse(found, _redactor(settings)) if found else None


def _redactor(settings: Settings) -> Redactor:
    from agent.redaction import Redactor

    return Redactor(settings.trace_content, personal=settings.mask == "all")


@cache
def _warn_once(problem: str) -> None:
    logging.getLogger("hoplite.tracing").warning("%s", problem)


def _answers(library: Searchable, settings: Settings, workspace: Workspace, chats: Roles[ChatModel]) -> AnswerCache:
    from agent.answer_cache import AnswerCache

    models = [chat.name if chat else "none" for chat in chats.each]
    return AnswerCache(workspace.answers, lambda: basis(library, settings, workspace, models))


def basis(
    library: Searchable, settings: Settings, workspace: Workspace, models: Sequence[str]
) -> dict[str, str] | None:
    """Return all that an answer depends on besides its question, by name; None where that cannot be known.

    `models` are those that answer, each as a setting names it.
    """
    from importlib.metadata import version

    from agent.models import members
    from agent.prompts import prompts_digest

    indexed = library.version
    if indexed is None:
        return None
    return {
        "workspace": str(workspace.folder),
        "index": indexed,
        "models": repr([[stamped(member) for member in members(model)] for model in models]),
        "prompts": prompts_digest(),
        "limits": repr(limits(settings)),
        "sandbox": settings.sandbox,
        "mask": settings.mask,
        "hoplite": version("hoplite"),
    }


def stamped(model: str) -> str:
    """Return a model's name; of a file on this machine with its size and time, because others may take its place."""
    file = Path(model.removeprefix("local:")).expanduser()
    if not model.startswith("local:") or not file.is_file():
        return model
    return f"{model} {file.stat().st_size} {file.stat().st_mtime_ns}"


def _memory(workspace: Workspace) -> Memory:
    from agent.memory import Memory

    return Memory(workspace.memory)


def _executor(sandbox: SandboxReport) -> SandboxExecutor:
    from agent.executor import SandboxExecutor

    return SandboxExecutor(level=sandbox.level)
