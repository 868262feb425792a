"""What a question says outright, found: the files and lines it names, and the strings it quotes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile

from ingest.names import file_names, prose_name
from ingest.types import Chunk
from retrieval.protocols import Store
from retrieval.question import Place, Question
from retrieval.tokens import tokens
from retrieval.types import Scope

COMMON = 30
"""Files of one name, or chunks with one quotation, above which it says nothing."""

LOOKED_AT = 60
"""Chunks with a quotation's words in which the quotation itself is looked for."""

FADE = 0.8
"""What a frame of a trace is worth beside the one that is nearer to the error."""

QUOTED, FILE, LINE = 0.5, 1.0, 2.0
"""What a chunk gains that alone has a quotation, whose file is named, whose line is. A rare name is worth 1, and an
error's comes in three forms: its class, with its module, in full."""


def said(store: Store, question: Question) -> dict[int, tuple[float, str]]:
    """Return the chunks that the question points at: what that is worth, and what to show as the reason."""
    found = _placed(store, question.places)
    for text in question.exact:
        holders = _with_text(store, text)
        for chunk in holders if len(holders) <= COMMON else ():
            gain = QUOTED / math.sqrt(len(holders))
            if gain > found.get(chunk, (0.0, ""))[0]:
                found[chunk] = (gain, f"quoted: {text}")
    return found


def sided(chunks: Mapping[int, Chunk], sides: Sequence[Sequence[str]]) -> list[set[int]]:
    """Return, for each side of a comparison, given by its terms, the chunks that have all of these, and not all of
    another side's."""
    terms = {i: {*tokens(chunk.header), *tokens(chunk.text)} for i, chunk in chunks.items()}
    having = [{i for i, here in terms.items() if side and here.issuperset(side)} for side in sides]
    return [here - set().union(*(other for other in having if other is not here)) for here in having]


def _placed(store: Store, places: Sequence[Place]) -> dict[int, tuple[float, str]]:
    names = {place: file_names(place.path) for place in places}
    definers = store.definers([name for forms in names.values() for name in forms], common=COMMON)
    found: dict[int, tuple[float, str]] = {}
    near = 1.0
    for place, forms in names.items():
        chunks = store.chunks([chunk for form in forms for chunk in definers.get(form, ())])
        paths = _nearest(place.path, sorted({chunk.path for chunk in chunks.values()}))
        for path in paths:
            chunk = _at(place, store.in_document(path))
            if chunk not in found:
                gain = near * (LINE if place.line else FILE)
                found[chunk] = (gain / math.sqrt(len(paths)), f"path: {place}")
        near *= FADE if paths else 1.0
    return found


def _nearest(path: str, candidates: Sequence[str]) -> list[str]:
    """Return the candidates that end as the path does, in the most of its parts; at least in the file's name."""
    agreeing = {candidate: _shared_end(path.split("/"), candidate.split("/")) for candidate in candidates}
    most = max(agreeing.values(), default=0)
    return [candidate for candidate, parts in agreeing.items() if parts == most and most > 0]


def _shared_end(a: Sequence[str], b: Sequence[str]) -> int:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _at(place: Place, chunks: Sequence[Chunk]) -> int:
    """Return the chunk with the line, or with the function nearest to it where the file has changed since."""
    own = [chunk for chunk in chunks if place.function and chunk.title.rpartition(".")[2] == place.function]
    near = [chunk for chunk in own or chunks if chunk.start_line <= place.line <= chunk.end_line]
    return (near or sorted(own, key=lambda c: abs(c.start_line - place.line)) or [*chunks])[0].id


def _with_text(store: Store, text: str) -> list[int]:
    """Return the chunks that hold a text as it is, but for case and spaces; none where it is a name of its own."""
    words = tokens(text)
    if not words or store.defined([prose_name(text)]):
        return []
    hits = store.lexical(words, limit=LOOKED_AT, scope=Scope())
    wanted = _folded(text)
    chunks: Mapping[int, Chunk] = store.chunks([hit.id for hit in hits])
    return [chunk.id for chunk in chunks.values() if wanted in _folded(chunk.text)]


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
