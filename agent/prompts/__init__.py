"""The prompts, one Markdown file each, shipped with the package. A prompt's version is a hash of its text."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ingest.ids import digest

_given: dict[str, str] = {}


@cache
def prompt(name: str) -> str:
    """Return the prompt's text without surrounding white space. Raises FileNotFoundError for a name there is not."""
    text = (files(__name__) / f"{name}.md").read_text(encoding="utf-8").strip()
    _given[text] = f"{name}@{digest(text.encode())[:8]}"
    return text


def version(text: str) -> str | None:
    """Return the name and version, such as `answer_full@1a2b3c4d`, of the prompt with which a message begins.

    None where that is no prompt that was given out in this process. Where several fit, the longest counts.
    """
    found = max((given for given in list(_given) if text.startswith(given)), key=len, default=None)
    return None if found is None else _given[found]


def prompts_digest() -> str:
    """Return a hash of all prompts with their names, in hexadecimal digits: changes when one of them does."""
    texts = sorted(
        (entry.name, entry.read_bytes()) for entry in files(__name__).iterdir() if entry.name.endswith(".md")
    )
    return digest(repr(texts).encode())
