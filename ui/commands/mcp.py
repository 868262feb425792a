"""`hoplite mcp`: the workspace for an editor's assistant, over standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ui.commands.options import agent_options, workspace_option


@click.command(short_help="Serve an editor's assistant over MCP.")
@agent_options
@workspace_option
def mcp(workspace: Path | None, **chosen: Any) -> None:
    """Serve the Model Context Protocol on standard input and output, for an editor's own assistant.

    Its tools are search, read, symbols and ask, and all of them only read. docs/mcp.md shows how an
    editor is told to start this. The workspace is held while it is used and a second longer, so that
    `hoplite index` can go on beside it; it may be made after this was started.
    """
    from agent.settings import load_settings
    from ui.borrowed import Borrowed
    from ui.mcp_server import serve

    load_settings(overrides=chosen)  # a wrong key is said now, not at the first question
    with Borrowed(workspace) as borrowed:
        serve(borrowed, chosen)
