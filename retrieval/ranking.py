"""What speaks for a chunk beside its words and vectors: its name and its file's, and what kind of file that is.

A question about code often says the words of a name ("load settings" for `load_settings`) or of a path ("the gzip
middleware" for `middleware/gzip.py`). Words inside a text cannot tell such a definition from its uses. And most of the
files that use a thing are tests and examples, which are asked for by name.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from ingest.types import Kind
from retrieval.protocols import Store
from retrieval.tokens import STOP_WORDS, parts_of

NAME = 0.25
"""What a code chunk gains whose own name says all that the question says."""

PATH = 0.25
"""What a chunk gains whose file's name and folder say all that the question says."""

SHORTEST_STEM = 4
"""Letters that two words must begin with alike to count as one: "auth" is "authentication"."""

ASIDE: Mapping[str, float] = {"test": 0.8, "example": 0.8, "copy": 0.8, "stub": 0.9, "package": 0.9, "changes": 0.9}
"""What is left of a chunk's score in such files, where the question does not ask for them."""

ASKED = 1.15
"""What becomes of a chunk's score in a file of the kind that the question asks for."""

KEPT = 1 << 16
"""Chunks that are remembered between searches, by path, title and kind: about 20 MB."""

Known = tuple[str, str, Kind]

_ASKED: Mapping[str, frozenset[str]] = {
    "test": frozenset("test tests tested testing testcase pytest unittest spec specs fixture fixtures".split()),
    "example": frozenset("example examples sample samples demo demos".split()),
    "copy": frozenset("vendor vendored bundled generated minified".split()),
    "stub": frozenset("stub stubs pyi declaration declarations".split()),
    "package": frozenset("init imports exports reexport".split()),
    "changes": frozenset("changelog changes changed release releases released version versions since".split()),
    "docs": frozenset("doc docs documentation documented guide".split()),
    "code": frozenset("code implemented implementation implements source function class method module".split()),
}
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "spec", "specs", "__tests__"})
_TEST_FILE = re.compile(r"test_.*|conftest\.py|.*[._-](?:test|tests|spec)\.[a-z]+|.*(?:Tests?|Spec|Suite)\.[a-z]+")
_EXAMPLE_FOLDERS = frozenset({"example", "examples", "samples", "demo", "demos", "docs_src", "tutorial"})
_COPY_FOLDERS = frozenset({"vendor", "vendored", "_vendor", "third_party", "thirdparty", "node_modules", "generated"})
_COPY_FILE = re.compile(r".*(?:\.min\.(?:js|css)|_pb2(?:_grpc)?\.pyi?|\.pb\.go|\.g\.dart|\.generated\.[a-z]+)")
_STUB_FILE = re.compile(r".*(?:\.pyi|\.d\.ts)")
_CHANGES_FILE = re.compile(r"(?:changes|changelog|release[-_]?notes)(?:\.[a-z]+)?", re.IGNORECASE)
_DOCS_FOLDERS = frozenset({"doc", "docs", "documentation"})
_PACKAGE_FILE = re.compile(r"__init__\.pyi?|package-info\.java|index\.[jt]sx?|mod\.rs")


def is_test(path: str) -> bool:
    """Whether a path is that of a test, by the names that test runners go by."""
    folders, name = posixpath.split(path)
    return not _TEST_FOLDERS.isdisjoint(folders.lower().split("/")) or bool(_TEST_FILE.fullmatch(name))


@lru_cache(maxsize=1 << 14)
def kind_of(path: str, kind: Kind) -> str:
    """Return what kind of file a chunk's is: a key of `ASIDE`, "docs", "code", or "" for prose that is none of these.

    Prose under `tests` or `examples` is as good as other prose.
    """
    folders, name = posixpath.split(path)
    above = set(folders.lower().split("/"))
    if kind == "prose":
        if _CHANGES_FILE.fullmatch(name):
            return "changes"
        return "docs" if above & _DOCS_FOLDERS else ""
    if is_test(path):
        return "test"
    if above & _EXAMPLE_FOLDERS:
        return "example"
    if above & _COPY_FOLDERS or _COPY_FILE.fullmatch(name):
        return "copy"
    if _STUB_FILE.fullmatch(name):
        return "stub"
    return "package" if _PACKAGE_FILE.fullmatch(name) else "code"


class Ranking:
    """Adds to the scores of chunks what their places say about one question."""

    def __init__(self, store: Store, query: str, known: dict[int, Known] | None = None) -> None:
        """`known` is what earlier rankings over the same store learnt about chunks, and learns more."""
        self._store = store
        self._known = {} if known is None else known
        if len(self._known) > KEPT:
            self._known.clear()
        words = list(dict.fromkeys(part for word in query.split() for part in parts_of(word)))
        words = [word for word in words if word not in STOP_WORDS]
        rarity = store.idf(words)
        # Words that the corpus does not have are in no name either.
        self._worth = {word: max(0.0, rarity[word]) for word in words if word in rarity}
        self._total = sum(self._worth.values())
        self._pairs = {a + b: (a, b) for a, b in pairwise(words) if a in rarity and b in rarity}
        self._asked = {kind for kind, signs in _ASKED.items() if not signs.isdisjoint(words)}
        self._said: dict[str, tuple[str, ...]] = {}
        bare = [word.removesuffix("s") for word in self._worth]
        # Few words of names are forms of the question's, and these tell the others at once.
        self._whole = frozenset(bare)
        self._long = tuple(word for word in bare if len(word) >= SHORTEST_STEM)
        self._begun = frozenset(word[:end] for word in self._long for end in range(SHORTEST_STEM, len(word)))

    def weighed(self, scores: Mapping[int, float]) -> dict[int, float]:
        """Return the scores with what the chunks' names and places add and take."""
        new = self._store.chunks([chunk for chunk in scores if chunk not in self._known])
        self._known.update((chunk.id, (chunk.path, chunk.title, chunk.kind)) for chunk in new.values())
        return {
            chunk: self._weighed(*self._known[chunk], score) if chunk in self._known else score
            for chunk, score in scores.items()
        }

    def _weighed(self, path: str, title: str, written: Kind, score: float) -> float:
        stem, folder = _path_words(path)
        score += PATH * self._likeness(stem, folder)
        if written == "code":
            score += NAME * self._likeness(_name_words(title))
        kind = kind_of(path, written)
        return score * (ASKED if kind in self._asked else ASIDE.get(kind, 1.0))

    def _likeness(self, name: Sequence[str], around: Sequence[str] = ()) -> float:
        """How much of the question the words of a name say, together with those around it, times how much of the name
        the question says; 0 to 1."""
        found = [match for word in name if (match := self._asked_by(word))]
        if not found or not self._total:  # in a corpus of two chunks a word of one of them tells nothing
            return 0.0
        said = {word for match in (*found, *map(self._asked_by, around)) for word in match}
        return math.fsum(self._worth[word] for word in said) / self._total * len(found) / len(name)

    def _asked_by(self, word: str) -> tuple[str, ...]:
        """The words of the question that a word of a name stands for."""
        if word not in self._said:
            self._said[word] = self._pairs.get(word) or self._forms(word)
        return self._said[word]

    def _forms(self, word: str) -> tuple[str, ...]:
        bare = word.removesuffix("s")
        if bare in self._whole or bare in self._begun or bare.startswith(self._long):
            return tuple(asked for asked in self._worth if _alike(asked, word))
        return ()


def _alike(a: str, b: str) -> bool:
    """Whether two words are forms of one: equal, or the shorter one begins the longer."""
    shorter, longer = sorted((a.removesuffix("s"), b.removesuffix("s")), key=len)
    return shorter == longer or (len(shorter) >= SHORTEST_STEM and longer.startswith(shorter))


@lru_cache(maxsize=1 << 16)
def _name_words(title: str) -> tuple[str, ...]:
    """The words of a definition's own name, without its class."""
    return tuple(parts_of(title.rpartition(".")[2]))


@lru_cache(maxsize=1 << 14)
def _path_words(path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a file's stem and of its folder; of the folder and the one above for a package's own file."""
    folder, name = posixpath.split(path)
    if _PACKAGE_FILE.fullmatch(name):
        folder, name = posixpath.split(folder)
    return tuple(parts_of(name.partition(".")[0])), tuple(parts_of(posixpath.basename(folder)))
