"""What a run asks of others, by way of its journal: the library and the place where code steps run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from agent.journal import Journal
from agent.types import DefinitionLike, Library, SymbolsLike
from ingest.errors import ToolError
from ingest.types import Chunk, Document
from retrieval.types import Hit, Passage, Place, Scope, SearchResult, Source

if TYPE_CHECKING:
    from smolagents.local_python_executor import CodeOutput


@dataclass(frozen=True, slots=True)
class Places:
    """Where a name is defined and mentioned."""

    defined: tuple[Chunk, ...]
    mentioned: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that a name can mean, and who calls it."""

    name: str
    path: str
    line: int
    callers: tuple[Chunk, ...]
    possible: tuple[Chunk, ...]


class JournaledLibrary:
    """A library whose searches and look-ups go by the journal of the run under way.

    What a file says now, and whether it is indexed, is always asked of the library itself.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self.journal = Journal()

    def search(
        self, query: str, *, k: int = 8, hops: int | None = None, scope: Scope | None = None, rerank: bool = True
    ) -> SearchResult:
        """See `Library.search`. What is known of it are the hits."""

        def work() -> SearchResult:
            found = self._library.search(query, k=k, hops=hops, scope=scope, rerank=rerank)
            return SearchResult(found.query, found.hits)

        asked = [query, k, hops, asdict(scope) if scope else None, rerank]
        return self.journal.done("search", asked, SearchResult, work, lasting=False)  # its passages are the step

    def passages(self, result: SearchResult, *, query: str, limit: int = 3, first_label: int = 1) -> list[Passage]:
        """See `Library.passages`."""
        return self.journal.done(
            "passages",
            [_ids(result.hits), query, limit],  # the ledger gives the labels
            list[Passage],
            lambda: self._library.passages(result, query=query, limit=limit, first_label=first_label),
        )

    def leads(self, query: str, hits: Sequence[Hit], *, k: int = 6) -> SearchResult:
        """See `Library.leads`. What is known of it are the hits."""

        def work() -> SearchResult:
            found = self._library.leads(query, hits, k=k)
            return SearchResult(found.query, found.hits)

        return self.journal.done("leads", [query, _ids(hits), k], SearchResult, work, lasting=False)

    def chunk_with(self, path: str, line: int, quote: str) -> Chunk | None:
        """See `Library.chunk_with`."""
        asked = [path, line, quote]
        return self.journal.done("chunk", asked, Chunk | None, lambda: self._library.chunk_with(path, line, quote))

    def read(self, path: str, start_line: int, end_line: int) -> Passage:
        """See `Library.read`."""
        asked = [path, start_line, end_line]
        return self.journal.done("read", asked, Passage, lambda: self._library.read(path, start_line, end_line))

    def grep(self, pattern: str, path_glob: str | None = None, limit: int = 20) -> list[tuple[str, int, str]]:
        """See `Library.grep`."""
        asked = [pattern, path_glob, limit]
        return self.journal.done(
            "grep", asked, list[tuple[str, int, str]], lambda: self._library.grep(pattern, path_glob, limit)
        )

    def symbols(self, name: str, limit: int = 10) -> SymbolsLike:
        """See `Library.symbols`."""

        def work() -> Places:
            found = self._library.symbols(name, limit)
            return Places(found.defined, found.mentioned)

        return self.journal.done("symbols", [name, limit], Places, work)

    def callers(self, name: str) -> Sequence[DefinitionLike]:
        """See `Library.callers`."""

        def work() -> list[Meaning]:
            found = self._library.callers(name)
            return [Meaning(each.name, each.path, each.line, each.callers, each.possible) for each in found]

        return self.journal.done("callers", [name], list[Meaning], work)

    def meanings(self, name: str) -> list[str]:
        """See `Library.meanings`."""
        return self._library.meanings(name)

    def paths(self) -> list[str]:
        """See `Library.paths`."""
        return self._library.paths()

    def resolve(self, path: str) -> Document | None:
        """See `Library.resolve`."""
        return self._library.resolve(path)

    def digest(self, path: str) -> str | None:
        """See `Library.digest`."""
        return self._library.digest(path)

    def source_of(self, path: str) -> Source | None:
        """See `Library.source_of`."""
        return self._library.source_of(path)

    @property
    def version(self) -> str | None:
        """See `Library.version`."""
        return self._library.version

    @property
    def place(self) -> Place:
        """See `Library.place`."""
        return self._library.place


@dataclass(frozen=True, slots=True)
class Ran:
    """What a code step did: the tools that it called, in order, with their arguments by name, and its outcome.

    `failed` is what the model was told where the step failed, None where it did not.
    """

    calls: list[tuple[str, dict[str, Any]]]
    output: Any = None
    logs: str = ""
    final: bool = False
    failed: str | None = None


class JournaledSteps:
    """An executor of code steps whose completed steps are not run again: what they called is called once more, which
    brings what is known to the ledger, and what the code gave is given.

    What a step left in variables is lost with the process that ran it; a step that misses one is told. A step that was
    interrupted is not completed.
    """

    def __init__(self, executor: Any, journal: Journal) -> None:
        """`executor` is what smolagents' CodeAgent calls; see `agent.executor`."""
        self._executor = executor
        self._journal = journal
        self._tools: dict[str, _Noted] = {}
        self._lost = False  # variables of steps that another process ran
        self._interrupted = False
        self.state: dict[str, str] = executor.state
        self.language: str = getattr(executor, "language", "")

    def send_variables(self, variables: Mapping[str, object]) -> None:
        """See `SandboxExecutor.send_variables`."""
        self._executor.send_variables(variables=variables)

    def send_tools(self, tools: Mapping[str, Any]) -> None:
        """See `SandboxExecutor.send_tools`."""
        self._tools = {name: _Noted(name, tool) for name, tool in tools.items()}
        self._executor.send_tools(self._tools)

    def __call__(self, code_action: str) -> CodeOutput:
        """Run one step, or give what it gave. Raises as `SandboxExecutor` does."""
        from smolagents.local_python_executor import CodeOutput

        from agent.executor import StepFailed

        ran_here = False

        def work() -> Ran:
            nonlocal ran_here
            ran_here = True
            return self._run(code_action)

        try:
            ran = self._journal.done("code", [code_action], Ran, work, asks=True)
        except _Interrupted as interrupted:
            raise StepFailed(str(interrupted)) from None
        if not ran_here:
            self._lost = True
            for name, arguments in ran.calls:
                with suppress(ToolError):
                    self._tools[name](**arguments)
        self.state["_print_outputs"] = "" if ran.failed is None else ran.logs
        if ran.failed is not None:
            raise StepFailed(ran.failed)
        return CodeOutput(output=ran.output, logs=ran.logs, is_final_answer=ran.final)

    def interrupt(self) -> None:
        """See `SandboxExecutor.interrupt`."""
        self._interrupted = True
        self._executor.interrupt()

    def cleanup(self) -> None:
        """See `SandboxExecutor.cleanup`."""
        self._executor.cleanup()

    def _run(self, code: str) -> Ran:
        from agent.executor import StepFailed

        calls: list[tuple[str, dict[str, Any]]] = []
        for tool in self._tools.values():
            tool.calls = calls
        try:
            done = self._executor(code)
        except StepFailed as failed:
            if self._interrupted:
                raise _Interrupted(str(failed)) from failed
            missing = "interpreter restarted, variables lost; " if self._lost and "NameError" in str(failed) else ""
            return Ran(calls, logs=self.state["_print_outputs"], failed=f"{missing}{failed}")
        return Ran(calls, done.output, done.logs, done.is_final_answer)


class _Interrupted(Exception):
    """The step was not completed; the message is what is told of it."""


@dataclass(slots=True)
class _Noted:
    """A tool that notes what it is called with."""

    name: str
    tool: Any
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def inputs(self) -> Any:
        return self.tool.inputs

    def __call__(self, **arguments: Any) -> Any:
        self.calls.append((self.name, arguments))
        return self.tool(**arguments)


def _ids(hits: Sequence[Hit]) -> list[int]:
    return [hit.chunk.id for hit in hits]
