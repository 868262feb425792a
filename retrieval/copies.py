"""Documents most of whose text another document has: licences, vendored copies, generated files.

A chunk's *key* stands for the text it is embedded by, whatever file that stands in. A document's *signature* is its
smallest keys: of two documents that share most of their chunks, the smallest key of all is very likely to be shared
too (min-wise hashing; Broder, "On the resemblance and containment of documents", 1997). So candidates are found by
a few look-ups, and then compared chunk by chunk. Nothing is lost: a copy keeps the chunks that are its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.types import Chunk
from retrieval.tokens import embedded

SHARED = 0.8
"""The part of a document's characters that another one must have for it to be a copy."""

LEAST = 1_000
"""Characters below which a document is no copy of anything: small files are alike by chance, and cost nothing."""

SIGNS = 4
"""Keys in a signature. Two documents with four fifths of their chunks in common have none of them in common with a
chance of about one in a thousand."""

COMMON = 30
"""Documents with one key that are compared. A copy's own signature lacks what it shares, so that a licence's thousand
copies count once; what more documents have is boilerplate, and comparing all of them took time without end."""


@dataclass(frozen=True, slots=True)
class Original:
    """The document that another one is a copy of, and the keys of the chunks that both have."""

    path: str
    shared: frozenset[int]


def key(chunk: Chunk) -> int:
    """Return 63 bits that stand for what the chunk is embedded by: equal keys, equal vectors."""
    hashed = hashlib.blake2b(embedded(chunk).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(hashed.digest(), "little") >> 1


def signature(keys: Iterable[int]) -> list[int]:
    """Return the keys by which a document is looked up."""
    return sorted(set(keys))[:SIGNS]


def original(chunks: Sequence[Chunk], keys: Sequence[int], candidates: Mapping[str, frozenset[int]]) -> Original | None:
    """Return the candidate that has most of a document's text, the first by path among equals; None where none does.

    `keys` are the chunks', in the same order; `candidates` maps paths to the keys of their documents.
    """
    lengths = [len(chunk.text) for chunk in chunks]
    if sum(lengths) < LEAST:
        return None
    best: tuple[int, Original] | None = None
    for path in sorted(candidates):
        shared = sum(length for length, k in zip(lengths, keys, strict=True) if k in candidates[path])
        if shared >= SHARED * sum(lengths) and (best is None or shared > best[0]):
            best = shared, Original(path, candidates[path] & frozenset(keys))
    return best[1] if best else None
