"""`hoplite serve`: the page, on this machine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ui.commands.options import agent_options, workspace_option


@click.command(short_help="Serve a page on this machine.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=7860, show_default=True, metavar="N", help="0: any free."
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="A loopback address.")
@agent_options
@workspace_option
def serve(port: int, host: str, workspace: Path | None, **chosen: Any) -> None:
    """Serve a page on this machine: ask, watch the steps, and open the sources that the answer cites."""
    from agent.settings import load_settings
    from ui.lazy import unseen

    with unseen("mcp"):  # Gradio takes half a second for it, for a server that the page never starts
        from ui.app import serve as run
    from ui.desk import Workdesk
    from ui.security import loopback

    loopback(host)
    load_settings(overrides=chosen)  # a wrong key is said now, not at the first question
    with Workdesk(workspace, chosen) as desk:
        run(desk, host=host, port=port, on_ready=lambda address: click.echo(f"Open {address}", err=True))
