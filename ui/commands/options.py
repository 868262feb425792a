"""The options that several commands share."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from retrieval.library import Library

P = ParamSpec("P")
R = TypeVar("R")


def _group_workspace(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    return value if value is not None else ctx.find_root().obj


workspace_option = click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    metavar="DIR",
    callback=_group_workspace,
    help="The workspace, where it is not found from here.",
)
"""Adds `workspace`: a path given after the command, else before it, else None."""

reranker_option = click.option(
    "--reranker", metavar="M", help="Any sentence-transformers cross-encoder, in the place of MiniLM's likeness."
)
"""Adds `reranker`: a name or None."""

cache_option = click.option(
    "--cache/--no-cache", default=None, help="Whether a question that was asked before gets that answer. [default: yes]"
)
"""Adds `cache`: True, False, or None where nothing was said."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")


def agent_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what all commands that ask hand to the agent: `model`, `form`, `mask`, `sandbox`, the caps `max_…`."""
    options = (
        click.option(
            "--model",
            metavar="M",
            help="local (the default), none, ollama/NAME, openai/NAME, or any LiteLLM name; several with commas.",
        ),
        click.option(
            "--form",
            type=click.Choice(["auto", "short", "paragraph", "report", "table"]),
            help="Of the answer. auto, the default, reads it off the question.",
        ),
        click.option(
            "--mask",
            type=click.Choice(["secrets", "all", "off"]),
            help="What models elsewhere are not shown: secrets (keys, passwords), the default; all, personal data too.",
        ),
        click.option("--max-steps", type=click.IntRange(0), metavar="N", help="Code steps at most."),
        click.option("--max-seconds", type=click.FloatRange(0, min_open=True), metavar="N", help="Seconds at most."),
        click.option(
            "--max-cost", type=click.FloatRange(0, min_open=True), metavar="USD", help="US dollars a question at most."
        ),
        click.option(
            "--sandbox",
            type=click.Choice(["auto", "strong", "interpreter", "off"]),
            help="Of the model's code. strong: locked in by the kernel; interpreter: one that reaches nothing; auto: "
            "the first of these that can be had, or none of it runs; off: it runs with your rights.",
        ),
    )
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), command)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


@contextmanager
def opened(workspace: Path | None, *, searches: bool = True, reranker: str | None = None) -> Iterator[Library]:
    """Give the library of the workspace that was chosen or is found from here, traced into it, and close it.

    `reranker` names a cross-encoder that orders the best passages. A command that `searches` says so where it has to do
    without the transformer.
    """
    from agent.build import open_library
    from agent.tracing import start_tracing
    from retrieval.weights import TRANSFORMER_INT8
    from retrieval.workspace import find
    from ui import serving

    with ExitStack() as stack:
        found = find(Path.cwd(), workspace)
        with serving.named(found):
            library = stack.enter_context(open_library(found, reranker=reranker))
        tracing = start_tracing(library.workspace.traces)
        if searches and not library.reads_closely:
            click.echo(
                "The transformer that orders the best passages is not here: searching without it. "
                f"Fetch it with `hoplite models pull {TRANSFORMER_INT8}`.",
                err=True,
            )
        try:
            yield library
        finally:
            tracing.close()
