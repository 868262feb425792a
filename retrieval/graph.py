"""The name graph of one question: edges between chunks, looked up in the store as a walk asks for them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

from ingest import names
from ingest.types import Chunk
from retrieval.fusion import scaled
from retrieval.hops import Edge, HopSettings
from retrieval.protocols import Store
from retrieval.tokens import tokens
from retrieval.types import Scope

OPEN_WORDS_LIMIT = 300
"""How deep the list of chunks with the open words goes; a target below it counts as having none of them."""

KEPT = 1 << 17
"""Names that are remembered between searches, with what they are worth: about 20 MB."""


class NameGraph:
    """Edges for one question. Looks each chunk up once; made anew for every search."""

    def __init__(
        self, store: Store, query: str, settings: HopSettings, *, chunks: int, specific: dict[str, float] | None = None
    ) -> None:
        """`chunks` is how many the store holds: what the rarity of a word is measured against. `specific` is what
        earlier graphs of the same store learnt about names, and learns more."""
        self._store = store
        self._settings = settings
        self._query = query
        self.query_terms = tokens(query)
        self._asked = f" {' '.join(names.words(query))} "
        self._chunks: dict[int, Chunk] = {}
        self._edges: dict[int, list[Edge]] = {}
        self._open: dict[frozenset[str], dict[int, float]] = {}
        self._lacking: dict[int, frozenset[str]] = {}
        self._left: dict[int, str] = {}
        self._specific = {} if specific is None else specific
        if len(self._specific) > KEPT:
            self._specific.clear()
        self._rarest = math.log(max(2, chunks))

    def named(self, query: str) -> dict[int, tuple[float, str]]:
        """Return the chunks that define a name in the question: what that adds to their score, and the name.

        A rarer name is worth more, and so is a name of rarer words: a page headed "Settings" is hardly what a question
        about settings asks for, one headed "Hello Love" is.
        """
        runs = names.runs(query, self._store.begun)
        defined = self._store.defined({*chain.from_iterable(runs), *names.identifiers(query)})
        prose = names.mentioned(runs, defined)
        code = [name for name in names.identifiers(query) if name in defined]
        definers = self._store.definers([*prose, *code], common=self._settings.common)
        self._weigh(definers)
        found: dict[int, tuple[float, str]] = {}
        for name in dict.fromkeys([*code, *prose]):
            for chunk in definers.get(name, ()):
                gain, first = found.get(chunk, (0.0, name))
                found[chunk] = (
                    gain + self._specific[name] / math.sqrt(len(definers[name])),
                    first,
                )
        return found

    def edges(self, origins: Sequence[int]) -> Mapping[int, Sequence[Edge]]:
        """Return the edges that leave each chunk, one a target, strongest first, at most `settings.edges`."""
        new = [origin for origin in origins if origin not in self._edges]
        if new:
            self._look_up(new)
        return {origin: self._edges[origin] for origin in origins if origin in self._edges}

    def open_words(self, origin: int) -> Mapping[int, float]:
        """Return BM25, scaled to 1, of the words of the question that `origin` does not have."""
        chunk = self._chunks.get(origin)
        if chunk is None:
            return {}
        if origin not in self._lacking:
            self._lacking[origin] = frozenset(self.query_terms).difference(tokens(chunk.header), tokens(chunk.text))
        key = self._lacking[origin]
        if key not in self._open:
            lacking = [term for term in self.query_terms if term in key]
            found = self._store.lexical(lacking, limit=OPEN_WORDS_LIMIT, scope=Scope()) if lacking else []
            self._open[key] = scaled(found)
        return self._open[key]

    def still_asked(self, origin: int, name: str = "") -> str:
        """Return the question without the words that `origin` has, and in their place the name that leads on from
        there, or what `origin` is called."""
        chunk = self._chunks[origin]
        if origin not in self._left:
            here = {*tokens(chunk.header), *tokens(chunk.text)}
            words = [(word, tokens(word)) for word in self._query.split()]
            self._left[origin] = " ".join(word for word, terms in words if not terms or not here.issuperset(terms))
        return f"{self._left[origin]} {name or chunk.title}"

    def _look_up(self, origins: Sequence[int]) -> None:
        self._chunks.update(self._store.chunks([o for o in origins if o not in self._chunks]))
        present = [self._chunks[o] for o in origins if o in self._chunks]
        runs = {c.id: names.runs(c.text, self._store.begun) if c.kind == "prose" else [] for c in present}
        possible: set[str] = set()
        for chunk in present:
            possible.update(chain.from_iterable(runs[chunk.id]), chunk.mentions)
        defined = self._store.defined(possible)
        forward = {
            c.id: names.unique([*names.mentioned(runs[c.id], defined), *(m for m in c.mentions if m in defined)])
            for c in present
        }
        shared = {c.id: [n for n in (*c.defines, *c.mentions) if not self._in_question(n)] for c in present}
        common = self._settings.common
        definers = self._store.definers(_all(forward.values()) + _all(shared.values()), common=common)
        mentioners = self._store.mentioners(_all(shared.values()), common=common)
        self._weigh([*definers, *mentioners])
        for chunk in present:
            self._edges[chunk.id] = self._strongest(chunk.id, forward[chunk.id], shared[chunk.id], definers, mentioners)

    def _strongest(
        self,
        origin: int,
        forward: Sequence[str],
        shared: Sequence[str],
        definers: Mapping[str, tuple[int, ...]],
        mentioners: Mapping[str, tuple[int, ...]],
    ) -> list[Edge]:
        # The negative weight first: what is smallest is strongest, ties by id.
        best: dict[int, tuple[float, int, str]] = {}

        def add(targets: Collection[int], name: str, weight: float) -> None:
            for target in targets:
                if target not in best or -weight < best[target][0]:
                    best[target] = (-weight, target, name)

        for name in forward:
            if targets := definers.get(name):
                add(targets, name, self._settings.defined * self._specific[name] / math.sqrt(len(targets)))
        for name in shared:
            holders = {*mentioners.get(name, ()), *definers.get(name, ())}
            if 1 < len(holders) <= self._settings.common:
                add(holders, name, self._settings.shared * self._specific[name] / math.log2(1 + len(holders)))
        best.pop(origin, None)
        strongest = sorted(best.values())[: self._settings.edges]
        return [Edge(target, name, -weight) for weight, target, name in strongest]

    def _weigh(self, found: Iterable[str]) -> None:
        """Note how specific names are: 1 for one whose words together are as rare as a word of a single chunk."""
        words = {name: tokens(name) for name in found if name not in self._specific}
        rarity = self._store.idf(list({word for parts in words.values() for word in parts}))
        for name, parts in words.items():
            self._specific[name] = min(1.0, sum(max(0.0, rarity.get(word, 0.0)) for word in parts) / self._rarest)

    def _in_question(self, name: str) -> bool:
        """A phrase that the question itself has leads nowhere new: the first stage has already looked for it."""
        return f" {name} " in self._asked


def _all(groups: Collection[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))
