"""Identities that depend on content alone, so that any number of writers agree without asking one another."""

from __future__ import annotations

import hashlib


def digest(data: bytes) -> str:
    """SHA-256 as hex."""
    return hashlib.sha256(data).hexdigest()


def chunk_id(header: str, text: str, occurrence: int) -> int:
    """A chunk's 63-bit identity: its header (path first), its text, and how many equal ones came before.

    Line numbers stay out, so that a chunk that only moved down keeps its identity and its vector. 63 bits fit both
    SQLite's signed integers and Qdrant's unsigned point ids; among 10 million chunks any two collide with chance 5e-6.
    """
    body = hashlib.blake2b(digest_size=8)
    for part in (header, text, str(occurrence)):
        encoded = part.encode("utf-8", "surrogatepass")
        body.update(len(encoded).to_bytes(8, "little"))
        body.update(encoded)
    return int.from_bytes(body.digest(), "little") >> 1
