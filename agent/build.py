"""The composition root: the one place that chooses implementations, each imported when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent.types import Limits

if TYPE_CHECKING:
    from agent.answer_cache import AnswerCache
    from agent.executor import SandboxExecutor
    from agent.loop import Agent
    from agent.memory import Memory
    from agent.models import ChatModel
    from agent.settings import Settings
    from agent.tracing import Tracing
    from agent.types import Library as Searchable
    from retrieval.library import Library
    from retrieval.workspace import Workspace


def open_library(workspace: Workspace, *, reranker: str | None = None) -> Library:
    """Open a workspace's index; `reranker` names a cross-encoder.

    Raises WorkspaceBusy, WorkspaceDamaged, WorkspaceMissing, each with the next step.
    """
    from retrieval.library import Library

    return Library(workspace, reranker=reranker)


def make_agent(
    library: Searchable,
    settings: Settings,
    *,
    workspace: Workspace | None = None,
    chat: ChatModel | None = None,
    say: Callable[[str], None] | None = None,
) -> Agent:
    """Return an agent over an open library.

    `workspace` keeps its memory and its answers; without one nothing is remembered. `chat` replaces the model that the
    settings name; `say` gets a line when loading that one will take a while. Nothing loads before the first question.
    """
    from agent.loop import Agent

    if chat is None and settings.model != "none":
        from agent.models import make_chat

        chat = make_chat(settings.model, say=say)
    return Agent(
        library,
        chat=chat,
        memory=_memory(workspace) if settings.memory and workspace else None,
        executor=lambda: _executor(settings),
        limits=limits(settings),
        answers=_answers(library, settings, workspace, chat) if settings.cache and workspace else None,
    )


def limits(settings: Settings) -> Limits:
    """Return what a run may take. A model on this machine gets the compact prompts, any other one the full ones."""
    small = settings.model.startswith(("local", "ollama/"))
    profile = settings.profile if settings.profile != "auto" else ("compact" if small else "full")
    return Limits(
        max_steps=settings.max_steps,
        max_seconds=settings.max_seconds,
        passages=settings.passages,
        breadth=settings.breadth,
        profile=profile,
    )


def start_tracing(workspace: Workspace) -> Tracing:
    """Write the spans of this process to the workspace's trace file, until the result is closed."""
    from agent import tracing

    return tracing.start_tracing(workspace.traces)


def _answers(library: Searchable, settings: Settings, workspace: Workspace, chat: ChatModel | None) -> AnswerCache:
    from agent.answer_cache import AnswerCache

    return AnswerCache(workspace.answers, lambda: basis(library, settings, workspace, chat.name if chat else "none"))


def basis(library: Searchable, settings: Settings, workspace: Workspace, model: str) -> dict[str, str] | None:
    """Return all that an answer depends on besides its question, by name; None where that cannot be known."""
    from importlib.metadata import version

    from agent.prompts import prompts_digest

    indexed = library.version
    if indexed is None:
        return None
    file = Path(model.removeprefix("local:")).expanduser()
    stat = file.stat() if model.startswith("local:") and file.is_file() else None
    return {
        "workspace": str(workspace.folder),
        "index": indexed,
        "model": f"{model} {stat.st_size} {stat.st_mtime_ns}" if stat else model,
        "prompts": prompts_digest(),
        "limits": repr(limits(settings)),
        "sandbox": settings.sandbox,
        "hoplite": version("hoplite"),
    }


def _memory(workspace: Workspace) -> Memory:
    from agent.memory import Memory

    return Memory(workspace.memory)


def _executor(settings: Settings) -> SandboxExecutor:
    from agent.executor import SandboxExecutor

    return SandboxExecutor(sandbox=settings.sandbox)
