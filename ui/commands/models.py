"""`hoplite models`: which weights are here, and fetching them."""

from __future__ import annotations

import click

from ui.commands.options import json_option, print_json
from ui.progress import Meter
from ui.render import megabytes


@click.group(invoke_without_command=True, short_help="Show and fetch the weights.")
@json_option
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """Show which weights are on this machine, and fetch them with `pull`."""
    if ctx.invoked_subcommand is not None:
        return
    from retrieval.weights import listing, models_folder

    here = listing()
    if as_json:
        rows = [
            {"name": each.weights.name, "installed": each.folder is not None, "bytes": each.weights.size}
            for each in here
        ]
        print_json({"folder": str(models_folder()), "models": rows})
        return
    for each in here:
        weights = each.weights
        size = megabytes(weights.size) if weights.size else "made here"
        state = "here" if each.folder else "not here"
        click.echo(f"{weights.name:<28} {size:>10}  {state:<9} {weights.purpose} ({weights.licence})")
    click.echo(f"\nIn {models_folder()}. `hoplite models pull` fetches what Hoplite uses by default.", err=True)


@models.command()
@click.argument("name", required=False)
def pull(name: str | None) -> None:
    """Fetch the weights NAME, or all that Hoplite uses by default. Goes on where it was interrupted."""
    from retrieval import weights

    names = [name] if name else [weights.STATIC, weights.TRANSFORMER_INT8, weights.LOCAL_MODEL]
    missing = [each for each in names if not weights.installed(each)]
    if not missing:
        click.echo(f"{name or 'All that Hoplite uses by default'} is here.", err=True)
    for each in missing:
        with Meter(unit="bytes") as meter:
            folder = weights.pull(each, lambda done, total, what, m=meter: m.show(what, done, total or None))  # type: ignore[misc]
        click.echo(f"{each} is in {folder}.", err=True)
