"""The prompts, one Markdown file each, shipped with the package."""

from __future__ import annotations

from importlib.resources import files


def prompt(name: str) -> str:
    """Return the prompt's text without surrounding white space. Raises FileNotFoundError for a name there is not."""
    return (files(__name__) / f"{name}.md").read_text(encoding="utf-8").strip()
