"""Which chunks a question can be made of: one, two that a name joins, or two that define names of one family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from evals.datasets import drawn
from ingest.names import mentioned, runs, unique
from ingest.types import Chunk
from retrieval.protocols import Store
from retrieval.ranking import is_test
from retrieval.tokens import parts_of, tokens
from retrieval.types import Scope

Hop = Literal["doc-to-code", "code-to-doc", "code-to-code", "doc-to-doc"]
Shape = Literal["one-hop", "comparison"] | Hop
HOPS: tuple[Hop, ...] = ("doc-to-code", "code-to-doc", "code-to-code", "doc-to-doc")

_CHUNKS = 24  # of one document that are looked at in one round
_FAMILY = 20  # chunks with a name's words that are looked through for its siblings
_SHORTEST = 4  # characters of a name that tells one thing from others
_WORD = {"prose": "doc", "code": "code"}


@dataclass(frozen=True, slots=True)
class Pair:
    """What a question can be made of. In a hop, `name` joins the chunks: the first leads to it, the second is asked
    for. In a comparison the chunks define `name` and `other`. A question of one hop has one chunk, which defines
    `name`."""

    shape: Shape
    chunks: tuple[Chunk, ...]
    name: str
    other: str = ""


class Pairs:
    """The pairs of one store. `rare` is how many chunks may have a joining name at the most; `scope` says in which
    files all chunks of a pair must be."""

    def __init__(self, store: Store, *, rare: int, scope: Scope) -> None:
        self._store = store
        self._rare = rare
        self._scope = scope

    def of(self, path: str, shape: Shape, seed: int) -> Iterator[Pair]:
        """Yield what a document gives, its chunks in an order drawn by the seed; as a hop, what begins there."""
        chunks = [chunk for chunk in self._store.in_document(path) if self._counts(chunk)]
        for chunk in drawn(chunks, _CHUNKS, seed):
            if shape == "one-hop":
                yield from (Pair(shape, (chunk,), name) for name in self._own(chunk))
            elif shape == "comparison":
                yield from self._siblings(chunk)
            elif shape.startswith(_WORD[chunk.kind]):
                yield from self._hops(chunk, shape)

    def _counts(self, chunk: Chunk) -> bool:
        return self._scope.holds(chunk) and not is_test(chunk.path)

    def _hops(self, first: Chunk, shape: Hop) -> Iterator[Pair]:
        for name, found in self._leading(first, back=shape == "code-to-doc"):
            for second in self._store.chunks(found).values():
                if second.path == first.path or not self._counts(second):
                    continue
                owner = second if name in second.defines else first
                if shape.endswith(_WORD[second.kind]) and self._alone(owner, name):
                    yield Pair(shape, (first, second), name)

    def _leading(self, first: Chunk, *, back: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The names that lead on from a chunk, the rarest first, and where to: to what defines them; with `back`, also
        to what mentions a name that this chunk defines, because a page's headings are seldom names of code."""
        known = self._store.defined([*chain.from_iterable(self._runs(first)), *first.mentions])
        said = unique([*mentioned(self._runs(first), known), *(name for name in first.mentions if name in known)])
        said = tuple(name for name in said if telling(name, first) and name not in first.defines)
        own = [name for name in first.defines if back and telling(name, first)]
        definers = self._store.definers(said, common=self._rare)
        mentioners = self._store.mentioners([*said, *own], common=self._rare)
        leading = [
            (name, definers[name])
            for name in said
            if name in definers and (name in mentioners or name not in first.mentions)  # else too many mention it
        ]
        leading += [(name, mentioners[name]) for name in own if name in mentioners]
        yield from sorted(leading, key=lambda each: len(mentioners.get(each[0], ())))

    def _runs(self, chunk: Chunk) -> list[list[str]]:
        return runs(chunk.text, self._store.begun) if chunk.kind == "prose" else []

    def _own(self, chunk: Chunk) -> Iterator[str]:
        """The names that only this chunk defines; of a page its heading, which may be any."""
        if chunk.kind == "prose":
            yield from chunk.defines[:1]
        else:
            yield from (name for name in chunk.defines if len(name) >= _SHORTEST and self._alone(chunk, name))

    def _alone(self, owner: Chunk, name: str) -> bool:
        """Whether no other chunk of its kind defines the name."""
        definers = self._store.chunks(self._store.definers([name], common=_FAMILY).get(name, ()))
        return [chunk.id for chunk in definers.values() if chunk.kind == owner.kind] == [owner.id]

    def _siblings(self, first: Chunk) -> Iterator[Pair]:
        for name in self._own(first) if first.kind == "code" else ():
            near = self._store.lexical(tokens(name), limit=_FAMILY, scope=Scope(kind="code"))
            for second in self._store.chunks([chunk for chunk, _ in near]).values():
                if second.id != first.id and self._counts(second):
                    for other in second.defines:
                        if alike(name, other) and self._alone(second, other):
                            yield Pair("comparison", (first, second), name, other)


def telling(name: str, where: Chunk) -> bool:
    """Whether a name tells one thing from others: in code a word such as `session` does not."""
    if len(name) < _SHORTEST:
        return False
    last = name.rpartition(".")[2]
    return where.kind == "prose" or " " in name or last[:1].isupper() or len(parts_of(last)) > 1


def alike(one: str, other: str) -> bool:
    """Whether two names are of one family: they end alike, as HERON_RETENTION and WATER_RETENTION do, or are one name
    in two places, as `walk.MAX_BYTES` and `get.MAX_BYTES` are."""
    words, others = (parts_of(name.rpartition(".")[2]) for name in (one, other))
    if words == others:
        return one != other and "." in one and "." in other
    return len(words) == len(others) > 1 and words[-1] == others[-1] and ("." in one) == ("." in other)
