"""The prompts, one Markdown file each, shipped with the package."""

from __future__ import annotations

import hashlib
from importlib.resources import files


def prompt(name: str) -> str:
    """Return the prompt's text without surrounding white space. Raises FileNotFoundError for a name there is not."""
    return (files(__name__) / f"{name}.md").read_text(encoding="utf-8").strip()


def prompts_digest() -> str:
    """Return a hash of all prompts with their names, 64 hexadecimal digits: changes when one of them does."""
    texts = sorted(
        (entry.name, entry.read_bytes()) for entry in files(__name__).iterdir() if entry.name.endswith(".md")
    )
    return hashlib.sha256(repr(texts).encode()).hexdigest()
