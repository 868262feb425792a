"""Which notes are about a question: the search that passages are found by, over notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.types import Note
from ingest.ids import chunk_id
from ingest.names import identifiers, phrases, words
from ingest.types import Chunk
from retrieval.embedders import embedder_named
from retrieval.hops import HopSettings
from retrieval.protocols import Embedder
from retrieval.search import Searcher
from retrieval.store_edge import HeldStore
from retrieval.tokens import embedded

LIKE = 0.4
"""Likeness from which a note that shares no name with a question is about it."""

SAME = 0.2
"""Likeness from which the best note is on the same question. Of 120 questions that were asked again in other words
(`evals.memory_sets`, seeds 0 to 3) 107 find their note first and above it, and 2 another one."""

_COMPARED = 10  # notes that are compared with a question besides its names
# The names in a question count; no name leads from one note to another, because each leads to its sources.
_NAMES_ONLY = HopSettings(rounds=1, defined=0.0, shared=0.0)


@dataclass(frozen=True, slots=True)
class Found:
    """A note that is about a question. `likeness` is the cosine of the two without the names that the question has:
    whether the same is asked, and not only of the same thing."""

    note: Note
    likeness: float


class NoteIndex:
    """Notes by what they say, in memory: words, vectors and names. Not safe among threads."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        """`embedder` is that of a new workspace where none is given."""
        self._embedder = embedder or embedder_named(None)
        self._store: HeldStore | None = None
        self._notes: dict[int, Note] = {}  # by the chunk that stands for it
        self._searcher: Searcher | None = None

    def find(self, question: str, notes: Sequence[Note], limit: int) -> list[Found]:
        """Return those of the notes that are about a question, best first.

        A search finds them; they are of one name, or alike. Notes on one thing have its names in common, so that
        what else is asked orders them.
        """
        if not notes:
            return []
        self._take(notes)
        assert self._searcher is not None
        hits = self._searcher.search(question, k=_COMPARED, rerank=False).hits
        if not hits:
            return []
        names = names_of(question)
        without = frozenset(word for name in names for word in words(name))
        texts = [question, *(embedded(hit.chunk) for hit in hits)]
        vectors = self._embedder.embed([_without(text, without) for text in texts])
        found = []
        for hit, likeness in zip(hits, (vectors[1:] @ vectors[0]).tolist(), strict=True):
            note = self._notes[hit.chunk.id]
            # Not by its score: BM25 is scaled to the best note, be it as far from the question as the others.
            if likeness >= LIKE or not names.isdisjoint(note.names):
                found.append((hit.score + likeness, Found(note, likeness)))
        return [each for _, each in sorted(found, key=lambda f: (-f[0], -f[1].note.id))][:limit]

    def _take(self, notes: Sequence[Note]) -> None:
        """Hold these notes and no others; only what changed since the last call is embedded."""
        chunks = {chunk.id: (chunk, note) for note in notes for chunk in [_chunk(note)]}
        if self._store is None:
            self._store = HeldStore(self._embedder.dim)
        new = [chunk for number, (chunk, _) in chunks.items() if number not in self._notes]
        gone = self._notes.keys() - chunks.keys()
        if new or gone:
            self._store.remove(sorted(gone))
            self._store.write(new, self._embedder.embed([embedded(chunk) for chunk in new]))
        if new or gone or self._searcher is None:
            self._searcher = Searcher(self._store, self._embedder, settings=_NAMES_ONLY)
        self._notes = {number: note for number, (_, note) in chunks.items()}


def _chunk(note: Note) -> Chunk:
    """A note as a search sees it: under its question what else was asked, what it says, and the quotes."""
    said = [text for fact in note.facts for text in (fact.text, *(c.quote for c in fact.citations))]
    before = [text for past in note.history if note.stale for text in (past.fact.text,)]
    text = "\n".join(dict.fromkeys([*note.also, *said, *before])) or note.question
    return Chunk(
        id=chunk_id(str(note.id), f"{note.question}\n{text}", 0),
        path="",  # a note has no place whose words could be asked for
        kind="prose",
        language="",
        title=note.question,
        header=note.question,
        text=text,
        start_line=1,
        end_line=1 + text.count("\n"),
        defines=note.names,
        mentions=note.names,
    )


def names_of(text: str) -> frozenset[str]:
    """Return the names in a text."""
    return frozenset((*identifiers(text), *phrases(text)))


def _without(text: str, names: frozenset[str]) -> str:
    return " ".join(word for word in text.split() if names.isdisjoint(words(word)))
