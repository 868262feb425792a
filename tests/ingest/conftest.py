"""Documents out of text, without a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.languages.recognise import language_of
from ingest.types import Document

Make = Callable[[str, str], Document]


@pytest.fixture
def document() -> Make:
    """Make a document from a path and a text, its language recognised as loading does."""

    return made


def made(path: str, text: str) -> Document:
    """Return the document that loading a file with this name and text would."""
    kind, language = language_of(path, text)
    return Document(path, text, kind, language, "")


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of files from `name: content`; a name that ends in a slash is a folder."""

    def make(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "root"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        root.mkdir(exist_ok=True)
        return root

    return make
