"""The functions that agent code may call. Each only reads, enters what it found in the ledger, and answers in text."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from opentelemetry import trace

from agent.answer import shown
from agent.guard import Marker
from agent.ledger import Ledger
from agent.memory import Recollection
from agent.types import Library, Note
from ingest import spans
from ingest.errors import ToolError
from ingest.names import unique, words
from ingest.types import Chunk
from retrieval.types import Passage

_LONGEST_QUERY = 500
_LONGEST_EXCERPT = 600  # characters of a passage in an observation
_MOST_PASSAGES = 8
_MOST_LINES = 60  # that `read` gives at once
_MOST_MATCHES = 12  # that `grep` lists
_MOST_QUERIES = 4  # that one `search` takes
_MOST_CALLERS = 12  # that `callers` lists
_MOST_MEANINGS = 3  # definitions of which `callers` lists who calls them
_EVIDENT_CALLERS = 2  # callers that become passages
_MOST_FILES = 40  # that `list_files` lists
_LONGEST_NOTE = 300  # characters of a note that `recall` gives
_SHOWN_OF_A_CHUNK = 12  # lines of a definition that `symbols` shows
_EVIDENT_MATCHES = 2  # matches of `grep` that become passages, with the lines around them
_AROUND = 3  # lines before and after such a match


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function offered to the model. `parameters` maps each name to its JSON type, several joined by "|"; those in
    `optional` may be left out. `effects` says what it can do beyond answering: everything here only reads."""

    name: str
    about: str
    parameters: dict[str, str]
    optional: frozenset[str]
    call: Callable[..., str]
    effects: str = "read"


class Toolbox:
    """The tools of one run. What was shown is not shown again, and a repeated request is answered as such."""

    def __init__(
        self,
        library: Library,
        ledger: Ledger,
        marker: Marker,
        recollect: Callable[[str], Recollection] = lambda question: Recollection(()),
    ) -> None:
        """`recollect` finds notes of earlier runs, looked at again; without it there are none."""
        self._library = library
        self._recollect = recollect
        self._ledger = ledger
        self._marker = marker
        self._asked: dict[tuple[str, ...], list[str]] = {}
        self._queries: list[str] = []
        self._results: list[str] = []
        self._lock = threading.Lock()
        self._tracer = trace.get_tracer("hoplite.agent")

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools, in the order in which the prompt names them."""
        return (
            ToolSpec(
                "search",
                "Find passages; several queries as a list.",
                {"query": "string|array", "k": "integer"},
                frozenset({"k"}),
                self.search,
            ),
            ToolSpec(
                "read",
                "Read lines of a file.",
                {"path": "string", "start": "integer", "end": "integer"},
                frozenset({"start", "end"}),
                self.read,
            ),
            ToolSpec(
                "grep",
                "Find lines by a regular expression.",
                {"pattern": "string", "path": "string"},
                frozenset({"path"}),
                self.grep,
            ),
            ToolSpec(
                "symbols", "Where a name is defined and mentioned.", {"name": "string"}, frozenset(), self.symbols
            ),
            ToolSpec("callers", "Who calls a function or class.", {"name": "string"}, frozenset(), self.callers),
            ToolSpec("list_files", "Indexed files.", {"glob": "string"}, frozenset({"glob"}), self.list_files),
            ToolSpec("recall", "Notes of earlier runs.", {"question": "string"}, frozenset(), self.recall),
        )

    @property
    def queries(self) -> tuple[str, ...]:
        """What was searched for, in order, repeats left out."""
        return unique(self._queries)

    def note_search(self, query: str, labels: Iterable[str]) -> None:
        """Count a search that the system made itself as asked, so that the model does not repeat it."""
        self._queries.append(query)
        self._asked[_key("search", query)] = list(labels)

    def take_results(self) -> list[str]:
        """Return what the tools answered since the last call of this."""
        with self._lock:
            results, self._results = self._results, []
        return results

    def search(self, query: str | list[str], k: int | None = 3) -> str:
        """Return the passages for a query, or for each of several, that were not shown before.

        Several are searched for at the same time; what they found is told in the order in which they were asked.
        """
        queries = [_text("search(query)", one) for one in (query if isinstance(query, list) else [query])]
        limit = _number("search(query, k)", k if k is not None else 3, 1, _MOST_PASSAGES)
        if not 1 <= len(queries) <= _MOST_QUERIES:
            raise ToolError(f"search(query) takes 1 to {_MOST_QUERIES} queries; got {len(queries)}")

        def find(one: str) -> list[Passage]:
            result = self._library.search(one, k=max(8, limit))
            return self._library.passages(result, query=one, limit=limit, first_label=self._ledger.next_label)

        self._queries.extend(queries)
        if len(queries) == 1:
            return self._answer("search", queries[0], lambda: find(queries[0]))
        with self._tracer.start_as_current_span("searches", attributes={spans.KIND: "CHAIN"}):
            found = _at_once(find, [one for one in unique(queries) if _key("search", one) not in self._asked])
            return "\n".join(self._answer("search", one, partial(found.__getitem__, one)) for one in queries)

    def read(self, path: str, start: int | None = 1, end: int | None = None) -> str:
        """Return lines of an indexed file, at most 60 at once."""
        path = _text("read(path)", path)
        first = _number("read(path, start)", start if start is not None else 1, 1, 10_000_000)
        last = _number("read(path, start, end)", end if end is not None else first + _MOST_LINES - 1, first, 10_000_000)
        last = min(last, first + _MOST_LINES - 1)
        return self._answer("read", f"{path} {first} {last}", lambda: [self._library.read(path, first, last)])

    def grep(self, pattern: str, path: str | None = None) -> str:
        """Return the lines that match a regular expression; the first become passages, with what surrounds them."""
        pattern = _text("grep(pattern)", pattern)
        glob = None if path is None else _text("grep(pattern, path)", path)
        listed: list[str] = []

        def find() -> list[Passage]:
            matches = self._library.grep(pattern, path_glob=glob, limit=_MOST_MATCHES)
            listed.extend(f"{where}:{line}: {text.strip()[:160]}" for where, line, text in matches)
            return [
                self._library.read(where, max(1, line - _AROUND), line + _AROUND)
                for where, line, _ in matches[:_EVIDENT_MATCHES]
            ]

        return self._answer("grep", f"{pattern} {glob or ''}", find, listed)

    def symbols(self, name: str) -> str:
        """Return where a name is defined, as passages, and a list of where it is mentioned."""
        name = _text("symbols(name)", name)
        listed: list[str] = []

        def find() -> list[Passage]:
            found = self._library.symbols(name, limit=6)
            listed.extend(f"mentioned in {c.path}:{c.start_line} {c.title}" for c in found.mentioned[:6])
            return [_chunk_passage(chunk, name) for chunk in found.defined[:3]]

        return self._answer("symbols", name, find, listed)

    def callers(self, name: str) -> str:
        """Return who calls what a name can mean, as a list; the first become passages, from the call on."""
        name = _text("callers(name)", name)
        listed: list[str] = []

        def find() -> list[Passage]:
            meant = self._library.callers(name)[:_MOST_MEANINGS]
            for one in meant:
                calling = [(c, "") for c in one.callers] + [(c, "perhaps ") for c in one.possible]
                listed.append(f"{one.name} in {one.path}:{one.line} is called by {len(calling) or 'nobody here'}")
                room = max(1, _MOST_CALLERS // len(meant))
                listed.extend(f"  {how}{c.path}:{c.start_line} {c.title}" for c, how in calling[:room])
            first = [chunk for one in meant for chunk in (*one.callers, *one.possible)][:_EVIDENT_CALLERS]
            return [_chunk_passage(chunk, name) for chunk in first]

        return self._answer("callers", name, find, listed)

    def list_files(self, glob: str | None = None) -> str:
        """Return the paths of indexed files that a pattern fits, `*` across slashes, at most 40."""
        pattern = "*" if glob is None else _text("list_files(glob)", glob)
        listed: list[str] = []

        def find() -> list[Passage]:
            paths = [path for path in self._library.paths() if fnmatchcase(path, pattern)]
            listed.extend(paths[:_MOST_FILES])
            if len(paths) > _MOST_FILES:
                listed.append(f"… {len(paths) - _MOST_FILES} more; give a narrower pattern")
            return []

        return self._answer("list_files", pattern, find, listed)

    def recall(self, question: str) -> str:
        """Return where earlier runs found what a question like this asks, with the quotes that still stand there. A
        note is no evidence and gets no label."""
        question = _text("recall(question)", question)
        listed: list[str] = []

        def find() -> list[Passage]:
            found = map(where, self._recollect(question).notes)
            listed.extend(f"unchecked note: {noted}"[:_LONGEST_NOTE] for noted in found)
            return []

        return self._answer("recall", question, find, listed)

    def _answer(
        self, tool: str, request: str, find: Callable[[], list[Passage]], listed: list[str] | None = None
    ) -> str:
        """Do what was asked unless it was done before, and tell what is new."""
        attributes = {
            spans.KIND: "TOOL",
            spans.OPERATION: "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.arguments": request,
        }
        with self._tracer.start_as_current_span(f"execute_tool {tool}", attributes=attributes) as span:
            key = _key(tool, request)
            if (seen := self._asked.get(key)) is not None:
                text = f"{tool}: already done; see {_cited(seen)}. Ask for something else, or finish."
            else:
                added = self._ledger.add(find())
                self._asked[key] = [a.label for a in added]
                text = self._told(added_labels=[(a.label, a.fresh) for a in added], listed=listed or [])
                span.set_attribute("hoplite.tool.labels", [a.label for a in added])
            span.set_attribute("gen_ai.tool.call.result", text)
        with self._lock:
            self._results.append(text)
        return text

    def _told(self, added_labels: list[tuple[str, str]], listed: list[str]) -> str:
        fresh = []
        for label, text in added_labels:
            passage = self._ledger.get(label)
            if passage is not None and text:
                fresh.append(shown(replace(passage, excerpt=text), _LONGEST_EXCERPT))
        known = [label for label, text in added_labels if not text]
        if not fresh and not listed:
            return f"Nothing new: {_cited(known)} already shown." if known else "Nothing found."
        told = self._marker.wrap("\n\n".join([*fresh, *(["\n".join(listed)] if listed else [])]))
        return f"{told}\nAlready shown: {_cited(known)}." if known else told


def where(note: Note) -> str:
    """Return where an earlier run found what it noted, with its quotes as they stand there now: from a note nothing
    reaches a model that the sources do not say, but for the names of the files."""
    if note.stale:
        return "; ".join(f"{c.path}:{c.start_line} (changed since)" for c in note.citations)
    return "; ".join(f"{c.path}:{c.start_line} “{' '.join(c.quote.split())}”" for c in note.citations)


def _at_once(find: Callable[[str], list[Passage]], queries: Sequence[str]) -> dict[str, list[Passage]]:
    """What each query finds, searched for in threads that keep the current span. Raises what a search raised."""
    with ThreadPoolExecutor(_MOST_QUERIES) as pool:
        under_way = {one: pool.submit(copy_context().run, find, one) for one in queries}
        return {one: future.result() for one, future in under_way.items()}


def _chunk_passage(chunk: Chunk, name: str) -> Passage:
    """A definition as a passage: the lines from the first one that has the name."""
    lines = chunk.text.splitlines()
    last_part = name.rpartition(".")[2]
    at = next((i for i, line in enumerate(lines) if last_part in line), 0)
    excerpt = "\n".join(lines[at : at + _SHOWN_OF_A_CHUNK])
    return Passage(
        label="",
        path=chunk.path,
        header=chunk.header,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        excerpt=excerpt,
        via=(f"symbols: {name}",),
        score=0.0,
        names=chunk.defines,
        page=chunk.page,
    )


def _key(tool: str, request: str) -> tuple[str, ...]:
    # The same words in another order or case are the same search; everything else is taken to the letter.
    return (tool, *sorted(set(words(request)))) if tool == "search" else (tool, request.strip())


def _cited(labels: Iterable[str]) -> str:
    return " ".join(f"[{label}]" for label in dict.fromkeys(labels)) or "nothing"


def _text(usage: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ToolError(f"{usage} needs some text; got {_brief(value)}")
    if len(value) > _LONGEST_QUERY:
        raise ToolError(f"{usage} takes at most {_LONGEST_QUERY} characters; got {len(value)}")
    return value.strip()


def _number(usage: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ToolError(f"{usage} needs a whole number; got {_brief(value)}")
    if value < least:
        raise ToolError(f"{usage} needs a number from {least} on; got {value}")
    return min(value, most)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
