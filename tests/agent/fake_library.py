"""A library in memory, small and real: blocks of text found by shared words, files that can change under the agent."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.terms import content
from agent.units import units
from ingest.errors import ToolError
from ingest.ids import chunk_id
from ingest.names import identifiers, phrases
from ingest.types import Chunk, Document
from retrieval.types import HERE, Hit, Passage, Scope, SearchResult, Source

_DEFINES = re.compile(r"^\s*(?:def|class)\s+(\w+)|^([A-Z_]{3,})\s*=|^#+\s*(.+)$", re.MULTILINE)


@dataclass
class Symbols:
    defined: tuple[Chunk, ...]
    mentioned: tuple[Chunk, ...]


@dataclass
class Definition:
    name: str
    path: str
    line: int
    callers: tuple[Chunk, ...]
    possible: tuple[Chunk, ...] = ()


class FakeLibrary:
    """Chunks are the blocks between blank lines. `files` may be changed after it was made, as a user edits a file."""

    def __init__(self, files: dict[str, str], *, leads: bool = False) -> None:
        self._leads = leads
        self.place = HERE
        self.files = dict(files)
        self.searches: list[str] = []
        self.sources: dict[str, Source] = {}
        self._digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
        self._chunks = [chunk for path, text in files.items() for chunk in _chunks(path, text)]

    def search(
        self, query: str, *, k: int = 8, hops: int | None = None, scope: Scope | None = None, rerank: bool = True
    ) -> SearchResult:
        self.searches.append(query)
        asked = set(content(query))
        scored = [(len(asked & set(content(f"{c.header} {c.text}"))), c) for c in self._chunks]
        best = sorted((x for x in scored if x[0]), key=lambda x: (-x[0], x[1].path, x[1].start_line))[:k]
        return SearchResult(query, tuple(Hit(c, float(n), ("words",)) for n, c in best))

    def passages(self, result: SearchResult, *, query: str, limit: int = 3, first_label: int = 1) -> list[Passage]:
        return [_passage(h.chunk, str(first_label + i), h.via) for i, h in enumerate(result.hits[:limit])]

    def leads(self, query: str, hits: Sequence[Hit], *, k: int = 6) -> SearchResult:
        if not self._leads:
            return SearchResult(query, ())
        shown = {hit.chunk.path for hit in hits}
        named = {name: c for c in self._chunks if c.path not in shown for name in c.defines}
        found = {named[m].id: (named[m], m) for hit in hits for m in hit.chunk.mentions if m in named}
        return SearchResult(query, tuple(Hit(c, 1.0, (f"hop: {m}",)) for c, m in list(found.values())[:k]))

    def chunk_with(self, path: str, line: int, quote: str) -> Chunk | None:
        chunks = [c for c in self._chunks if c.path == path]
        holding = [c for c in chunks if quote in " ".join(c.text.split())]
        return next(iter([*holding, *(c for c in chunks if c.start_line <= line <= c.end_line)]), None)

    def read(self, path: str, start_line: int, end_line: int) -> Passage:
        lines = self.files.get(path, "").splitlines()[start_line - 1 : end_line]
        if not lines:
            raise ToolError(f"{path} has no lines {start_line} to {end_line}")
        text, last = "\n".join(lines), start_line + len(lines) - 1
        return Passage("", path, path, start_line, last, text, text, ("read",), 0.0)

    def grep(self, pattern: str, path_glob: str | None = None, limit: int = 20) -> list[tuple[str, int, str]]:
        try:
            found = re.compile(pattern)
        except re.error as error:
            raise ToolError(f"bad pattern {pattern!r}: {error}") from error
        places = [
            (path, i, line)
            for path, text in sorted(self.files.items())
            if fnmatch.fnmatch(path, path_glob or "*")
            for i, line in enumerate(text.splitlines(), 1)
            if found.search(line)
        ]
        return places[:limit]

    def symbols(self, name: str, limit: int = 10) -> Symbols:
        defined = tuple(c for c in self._chunks if name in c.defines)
        return Symbols(defined, tuple(c for c in self._chunks if name in c.mentions and c not in defined))

    def callers(self, name: str) -> list[Definition]:
        return [
            Definition(
                name,
                c.path,
                c.start_line,
                tuple(d for d in self._chunks if name in d.mentions and d != c and d.kind == c.kind),
            )
            for c in self._chunks
            if name in c.defines and c.kind == "code"
        ]

    def meanings(self, name: str) -> list[str]:
        return [f"{c.path}:{name}" for c in self._chunks if name in c.defines and c.kind == "code"]

    def paths(self) -> list[str]:
        return sorted(self.files)

    def resolve(self, path: str) -> Document | None:
        text = self.files.get(path)
        if text is None:
            return None
        kind = "code" if path.endswith(".py") else "prose"
        return Document(path, text, kind, kind, hashlib.sha256(text.encode()).hexdigest())

    def digest(self, path: str) -> str | None:
        return self._digests.get(path)

    @property
    def version(self) -> str | None:
        return hashlib.sha256(repr(sorted(self._digests.items())).encode()).hexdigest()

    def source_of(self, path: str) -> Source | None:
        return self.sources.get(path)


def passage(label: str, text: str, path: str = "a.md", header: str = "", line: int = 1, excerpt: str = "") -> Passage:
    """A passage whose text begins at `line`."""
    end = line + text.count("\n")
    return Passage(label, path, header or path, line, end, text, excerpt or text, (), 1.0)


def quotable(*passages: Passage) -> list:
    """The units of passages, as code or prose by their path."""
    return [u for p in passages for u in units(p, "code" if p.path.endswith(".py") else "prose")]


def _passage(chunk: Chunk, label: str, via: tuple[str, ...]) -> Passage:
    place = (chunk.start_line, chunk.end_line)
    return Passage(label, chunk.path, chunk.header, *place, chunk.text, chunk.text, via, 1.0, chunk.defines)


def _chunks(path: str, text: str) -> list[Chunk]:
    chunks, lines, start = [], text.splitlines(), 0
    for end in range(len(lines) + 1):
        if end == len(lines) or not lines[end].strip():
            block = "\n".join(lines[start:end])
            if block.strip():
                defines = tuple(next(filter(None, m.groups())) for m in _DEFINES.finditer(block))
                mentions = (*phrases(block), *identifiers(block), *re.findall(r"\w+", block))
                header = f"{path} > {defines[0]}" if defines else path
                chunks.append(
                    Chunk(
                        chunk_id(header, block, 0),
                        path,
                        "code" if path.endswith(".py") else "prose",
                        "",
                        defines[0] if defines else "",
                        header,
                        block,
                        start + 1,
                        end,
                        defines,
                        mentions,
                    )
                )
            start = end + 1
    return chunks
