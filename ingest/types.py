"""The values that ingestion makes: documents and chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["code", "prose"]


@dataclass(frozen=True, slots=True)
class Document:
    """One source, decoded.

    `path` is the name shown to people and stored in the index: relative to the workspace's base, with forward slashes.
    `text` has `\\n` line ends only. `digest` is the SHA-256 of the bytes on disk, as hex.
    `source_lines[i]` is the 1-based line of the file that line `i` of `text` came from, where loading dropped or
    rewrote lines (HTML, notebooks); None where text and file have the same lines. `pages[i]` is the 1-based page (of a
    PDF) or slide that line `i` stands on; None where the format has neither.
    """

    path: str
    text: str
    kind: Kind
    language: str
    digest: str
    source_lines: tuple[int, ...] | None = None
    pages: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """The indexed unit: a run of whole lines of one document, with its place and its names.

    `header` tells where the chunk stands: `path > Class > method`, or `path > Heading > Subheading`.
    `title` is its last part: the name of the function, or the nearest heading.
    `start_line` and `end_line` are lines of the file, counted from 1, both included.
    `defines` and `mentions` are names as `ingest.names` writes them, without duplicates, in order of appearance.
    `calls`, `imports` and `inherits` tell some of the mentions of code apart, as `ingest.code_scopes` writes them:
    `package.module.helper` and `.method`; `package.name as other`; `package.Class(package.Base)` for a class, and
    `package.variable = package.Class()` for a variable of the file. `page` is the page or slide where the chunk begins,
    0 where the format has neither.
    """

    id: int
    path: str
    kind: Kind
    language: str
    title: str
    header: str
    text: str
    start_line: int
    end_line: int
    defines: tuple[str, ...]
    mentions: tuple[str, ...]
    calls: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()
    page: int = 0
