"""The prompts, one Markdown file each, shipped with the package. A prompt's version is a hash of its text."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal

from ingest.ids import digest

_given: dict[str, str] = {}
_TURN = re.compile(r"^--- (user|assistant)$", re.MULTILINE)

Turn = tuple[Literal["system", "user", "assistant"], str]
"""Who speaks, and what is said."""


@cache
def prompt(name: str, package: str = __name__) -> str:
    """Return the prompt's text without surrounding white space; `package` is where its file is. Raises
    FileNotFoundError for a name there is not."""
    text = (files(package) / f"{name}.md").read_text(encoding="utf-8").strip()
    _given[text] = f"{name}@{digest(text.encode())[:8]}"
    return text


@cache
def conversation(name: str) -> tuple[Turn, ...]:
    """Return a prompt as turns: what is told, then examples, each a question and its answer as `--- user` and
    `--- assistant` head them in the file. A small model does as it seems to have done before.

    Raises FileNotFoundError for a name there is not.
    """
    told, *rest = _TURN.split(prompt(name))
    said = zip(rest[::2], rest[1::2], strict=True)
    turns: list[Turn] = [("user" if who == "user" else "assistant", text.strip()) for who, text in said]
    _given[told.strip()] = _given[prompt(name)]
    return (("system", told.strip()), *turns)


def version(text: str) -> str | None:
    """Return the name and version, such as `answer_full@1a2b3c4d`, of the prompt with which a message begins.

    None where that is no prompt that was given out in this process. Where several fit, the longest counts.
    """
    found = max((given for given in list(_given) if text.startswith(given)), key=len, default=None)
    return None if found is None else _given[found]


def every() -> dict[str, str]:
    """Return all prompts' texts by their names with their versions, such as `answer_full@1a2b3c4d`."""
    names = sorted(entry.name.removesuffix(".md") for entry in files(__name__).iterdir() if entry.name.endswith(".md"))
    return {_given[text]: text for text in map(prompt, names)}


def prompts_digest() -> str:
    """Return a hash of all prompts with their names, in hexadecimal digits: changes when one of them does."""
    texts = sorted(
        (entry.name, entry.read_bytes()) for entry in files(__name__).iterdir() if entry.name.endswith(".md")
    )
    return digest(repr(texts).encode())
