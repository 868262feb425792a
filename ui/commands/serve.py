"""`hoplite serve`: the page, on this machine or, with a password, for others too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ui.commands.options import agent_options, workspace_option


@click.command(short_help="Serve a page on this machine.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=7860, show_default=True, metavar="N", help="0: any free."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="To listen at. One that others can reach, such as 0.0.0.0, needs a password.",
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A name that the page is reached by, such as hoplite.example.org; may be repeated.",
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ask for the password in its first line. Or set HOPLITE_PASSWORD.",
)
@agent_options
@workspace_option
def serve(
    port: int,
    host: str,
    names: tuple[str, ...],
    password_file: Path | None,
    workspace: Path | None,
    **chosen: Any,
) -> None:
    """Serve a page on this machine: ask, watch the steps, and open the sources that the answer cites.

    Others reach it only with a password: with --host 0.0.0.0, and --allow-host for each name that they
    open it by. docs/app.md says how to put TLS in front of it.
    """
    from agent.settings import load_settings
    from ui.access import access, told

    who = access(host, names, password_file, os.environ)
    settings = load_settings(overrides=chosen).settings  # a wrong key is said now, not at the first question
    from ui.app import serve as run
    from ui.desk import Workdesk
    from ui.uploads import MB

    with Workdesk(workspace, chosen) as desk:
        run(
            desk,
            access=who,
            port=port,
            file_limit=settings.upload_mb * MB,
            on_ready=lambda address: click.echo("\n".join((f"Open {address}", *told(who))), err=True),
        )
