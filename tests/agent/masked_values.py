"""What would be masked in the files below some folders: `python tests/agent/masked_values.py FOLDER...`.

Prints each value that is found, with its file, line and kind, then how many there are of each kind in how much text.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agent.sensitive import Found, find


def values(folder: Path, pattern: str = "**/*") -> Iterator[tuple[Path, str, Found]]:
    """Yield each value in the text files below a folder, with its file and the file's text."""
    for path in sorted(folder.glob(pattern)):
        if path.is_file() and (text := _text(path)) is not None:
            yield from ((path, text, found) for found in find(text))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def main(folders: list[str]) -> None:
    """Print the values, then the counts."""
    counts: Counter[str] = Counter()
    size = files = 0
    for folder in map(Path, folders):
        for path in folder.glob("**/*"):
            if path.is_file() and (text := _text(path)) is not None:
                size, files = size + len(text), files + 1
        for path, text, found in values(folder):
            counts[found.kind] += 1
            line = text.count("\n", 0, found.start) + 1
            print(f"{path}:{line}: {found.kind}: {text[found.start : found.end]!r}")  # noqa: T201
    print(f"{dict(counts)} in {files:,} files, {size / 1e6:.1f} MB")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
