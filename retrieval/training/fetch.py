"""Brings the packages of `sources.tsv`: `python -m retrieval.training.fetch FOLDER`.

Wheels are downloaded and not installed. pip asks a source archive for its metadata by running its build, as it always
does: run this where you would install those packages.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import click


def sources() -> list[tuple[str, str, str]]:
    """Return name, version and form ("wheel" or "sdist") of each package that the shipped model was trained on."""
    text = resources.files("retrieval.training").joinpath("sources.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return [(name, version, form) for name, version, form, *_ in rows]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Download every package to FOLDER, and name those that could not be."""
    for name, version, form in sources():
        only = ["--only-binary=:all:"] if form == "wheel" else [f"--no-binary={name}"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *only, f"--dest={folder}"]
        if subprocess.run([*pip, f"{name}=={version}"], check=False).returncode:  # noqa: S603  # From our own list.
            click.echo(f"not fetched: {name} {version} ({form})", err=True)


if __name__ == "__main__":
    main()
