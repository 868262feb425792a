"""A library within bounds: only what lies at paths that fit a collection's globs can be found, read or named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from agent.journaled import Meaning, Places
from agent.types import DefinitionLike, Library, SymbolsLike
from ingest.errors import ToolError, UserError
from ingest.types import Chunk, Document
from retrieval.protocols import EVERY
from retrieval.types import Hit, Passage, Place, Scope, SearchResult, Source


class Scopable(Library, Protocol):
    """A library that can look within a scope."""

    def leads(self, query: str, hits: Sequence[Hit], *, k: int = 6, scope: Scope | None = None) -> SearchResult:
        """Return the best chunks of other documents in the scope that the names in these hits lead to."""
        ...

    def grep(
        self, pattern: str, path_glob: str | None = None, limit: int = 20, *, scope: Scope | None = None
    ) -> list[tuple[str, int, str]]:
        """Return (path, line, text) where the regular expression matches in documents of the scope."""
        ...


class Within:
    """What a run over a collection has for its library.

    A hop may pass over a name that is defined outside, but no passage, line or path from there is given.
    """

    def __init__(self, library: Scopable, globs: Sequence[str]) -> None:
        """Raises UserError where no indexed path fits any of the globs."""
        self._library = library
        self._scope = Scope(within=tuple(globs))
        if not any(map(self._scope.reaches, library.paths())):
            raise UserError(
                f"Nothing that is indexed fits {' or '.join(map(repr, globs))}. `*` stands for any part of a path, "
                "such as 'docs/*'; `hoplite status` shows what is indexed."
            )

    def search(
        self, query: str, *, k: int = 8, hops: int | None = None, scope: Scope | None = None, rerank: bool = True
    ) -> SearchResult:
        """See `Library.search`."""
        inside = replace(scope or Scope(), within=self._scope.within)
        return self._library.search(query, k=k, hops=hops, scope=inside, rerank=rerank)

    def passages(self, result: SearchResult, *, query: str, limit: int = 3, first_label: int = 1) -> list[Passage]:
        """See `Library.passages`."""
        return self._library.passages(result, query=query, limit=limit, first_label=first_label)

    def leads(self, query: str, hits: Sequence[Hit], *, k: int = 6) -> SearchResult:
        """See `Library.leads`."""
        return self._library.leads(query, hits, k=k, scope=self._scope)

    def chunk_with(self, path: str, line: int, quote: str) -> Chunk | None:
        """See `Library.chunk_with`."""
        return self._library.chunk_with(path, line, quote) if self._scope.reaches(path) else None

    def read(self, path: str, start_line: int, end_line: int) -> Passage:
        """See `Library.read`."""
        if not self._scope.reaches(path):
            raise ToolError(f"There is no indexed file {path} among those that this question is asked in.")
        return self._library.read(path, start_line, end_line)

    def grep(self, pattern: str, path_glob: str | None = None, limit: int = 20) -> list[tuple[str, int, str]]:
        """See `Library.grep`."""
        return self._library.grep(pattern, path_glob, limit, scope=self._scope)

    def symbols(self, name: str, limit: int = 10) -> SymbolsLike:
        """See `Library.symbols`."""
        found = self._library.symbols(name, EVERY)
        return Places(self._inside(found.defined)[:limit], self._inside(found.mentioned)[:limit])

    def callers(self, name: str) -> Sequence[DefinitionLike]:
        """See `Library.callers`."""
        return [
            Meaning(each.name, each.path, each.line, self._inside(each.callers), self._inside(each.possible))
            for each in self._library.callers(name)
            if self._scope.reaches(each.path)
        ]

    def meanings(self, name: str) -> list[str]:
        """See `Library.meanings`."""
        return [place for place in self._library.meanings(name) if self._scope.reaches(place.rpartition(":")[0])]

    def paths(self) -> list[str]:
        """See `Library.paths`."""
        return [path for path in self._library.paths() if self._scope.reaches(path)]

    def resolve(self, path: str) -> Document | None:
        """See `Library.resolve`."""
        return self._library.resolve(path) if self._scope.reaches(path) else None

    def digest(self, path: str) -> str | None:
        """See `Library.digest`."""
        return self._library.digest(path) if self._scope.reaches(path) else None

    def source_of(self, path: str) -> Source | None:
        """See `Library.source_of`."""
        return self._library.source_of(path) if self._scope.reaches(path) else None

    @property
    def version(self) -> str | None:
        """See `Library.version`. What is asked within other globs is another question."""
        whole = self._library.version
        return None if whole is None else f"{whole} within {sorted(self._scope.within)}"

    @property
    def place(self) -> Place:
        """See `Library.place`."""
        return self._library.place

    def _inside(self, chunks: Iterable[Chunk]) -> tuple[Chunk, ...]:
        return tuple(chunk for chunk in chunks if self._scope.reaches(chunk.path))
