"""Configuration as pieces: a large key each, small ones together. Keys are names, and so are environment variables."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ingest.chunk_prose import plain_pieces
from ingest.config_tree import Entry, config_tree
from ingest.links import resolved
from ingest.names import file_names, identifiers, is_file, prose_name, unique, with_tails
from ingest.pieces import HARD, SOFT, Piece, cut_blindly, packed, trimmed

_OWN = 300
"""Characters from which a key is a piece of its own: a table of settings, a service, a job."""

MOST_NAMED = 500
"""Keys of a document that are names, the outer ones first. The most in Django's files and in this repository's is 79;
above are translations and data."""

_READ = 20_000
"""Entries of a level that are read for names: there are only more in data."""

_LONGEST_SHOWN = 80
_NAMEABLE = re.compile(r"[\w@][\w.@/$~-]{1,119}")
_EVERYDAY = re.compile(r"[a-z]+|.{0,2}")
_VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]{2,80})\b|\b(?:env|secrets|vars)\.([A-Z][A-Z0-9_]{2,80})\b")
_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,80}")
_PATH = re.compile(r"[\w.@-]{0,80}(?:/[\w.@-]{1,80}){1,20}")
# What a line defines: a table's head, or a key before its value.
_KEY = re.compile(
    r"^[ \t]*(?:- )?(?:\[{1,2}[^\[\]\n,\"]{1,200}\]{1,2}[ \t]*$|[\"']?[\w.@/$~-]{1,120}[\"']?[ \t]{0,40}[:=](?!//))",
    re.MULTILINE,
)
_ENVIRONMENTS = frozenset({"env", "environment"})
_LABELS = ("name", "id", "title", "key")


def config_pieces(text: str, lines: Sequence[str], language: str, path: str) -> list[Piece]:
    """Return the pieces of a file in one of `config_tree.CONFIGURATION`. Each non-blank line is in exactly one. What
    cannot be read as a tree is cut by its blank lines."""
    entries = config_tree(text, language)
    if not entries:
        return plain_pieces(lines, language, path)
    pieces = [piece for run in _Cutter(lines).runs(entries, 0, len(lines), ()) for piece in _pieces(run, lines)]
    return _named(pieces, entries, lines, path)


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    end: int
    trail: tuple[str, ...]


class _Cutter:
    """Packs entries into runs of lines, and opens those that are too large for one."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lengths = [0]
        for line in lines:
            self.lengths.append(self.lengths[-1] + len(line) + 1)

    def runs(self, entries: Sequence[Entry], start: int, end: int, trail: tuple[str, ...]) -> Iterator[_Run]:
        """Yield the runs of lines `start` to `end`, which hold `entries`. What stands above an entry belongs to it."""
        waiting: tuple[int, int, Entry | None] | None = None  # the lines, and whose they are where they are one entry's
        for first, last, own in _regions(entries, start, end):
            size = self.lengths[last] - self.lengths[first]
            if waiting:
                above = self.lengths[waiting[1]] - self.lengths[waiting[0]]
                if size > _OWN or above + size > SOFT or (above > _OWN and waiting[2]):
                    yield _run(*waiting, trail)
                    waiting = None
            only = own[0] if len(own) == 1 else None
            if size > SOFT and only and only.children:
                yield from self.runs(only.children, first, last, _below(trail, only))
            else:
                waiting = (waiting[0], last, None) if waiting else (first, last, only)
        if waiting:
            yield _run(*waiting, trail)


def _run(start: int, end: int, only: Entry | None, trail: tuple[str, ...]) -> _Run:
    return _Run(start, end, _below(trail, only) if only else trail)


def _below(trail: tuple[str, ...], entry: Entry) -> tuple[str, ...]:
    shown = _shown(entry)
    return (*trail, shown) if shown else trail


def _regions(entries: Sequence[Entry], start: int, end: int) -> list[tuple[int, int, list[Entry]]]:
    """Divide lines `start` to `end` among the entries. Those that share a line share a region."""
    regions: list[tuple[int, int, list[Entry]]] = []
    for entry in entries:
        first, last = max(entry.start, start), min(max(entry.end, entry.start + 1), end)
        if regions and first < regions[-1][1]:
            above, below, own = regions[-1]
            own.append(entry)
            regions[-1] = (above, max(below, last), own)
        elif first < last:
            regions.append((regions[-1][1] if regions else start, last, [entry]))
    if not regions:
        return [(start, end, [])]
    regions[-1] = (regions[-1][0], end, regions[-1][2])
    return regions


def _shown(entry: Entry) -> str:
    """A key as the trail shows it; an item of a list goes by its name, a Kubernetes document also by its kind."""
    if entry.key:
        return " ".join(entry.key.split())[:_LONGEST_SHOWN]
    values = {child.key: child for child in entry.children}
    if "kind" in values and "metadata" in values:
        names = [child.value for child in values["metadata"].children if child.key == "name"]
        return " ".join([values["kind"].value, *names])[:_LONGEST_SHOWN].strip()
    label = next((values[key].value for key in _LABELS if key in values and values[key].value), "")
    return " ".join(label.split())[:_LONGEST_SHOWN]


def _pieces(run: _Run, lines: Sequence[str]) -> Iterator[Piece]:
    for first, last in packed(lines, run.start, run.end, SOFT):
        first, last = trimmed(lines, first, last)
        if last - first == 1 and len(lines[first]) > HARD:
            for part in cut_blindly(lines[first]):
                yield Piece(first, last, run.trail, text=part)
        elif first < last:
            yield Piece(first, last, run.trail)


def _named(pieces: Sequence[Piece], entries: Sequence[Entry], lines: Sequence[str], path: str) -> list[Piece]:
    """Return the pieces with their names. A key is defined where it first stands: items of a list repeat theirs."""
    starts = [piece.start for piece in pieces]
    defined: list[list[str]] = [[] for _ in pieces]
    mentioned: list[list[str]] = [[] for _ in pieces]
    known: set[str] = set()
    level = [(entry, "", False) for entry in entries]
    while level:
        deeper = []
        for entry, above, is_environment in islice(level, _READ):
            at = max(0, bisect_right(starts, entry.start) - 1)
            dotted = f"{above}.{entry.key}" if above and entry.key else above or entry.key
            if entry.key and dotted not in known and len(known) < MOST_NAMED:
                known.add(dotted)
                defined[at] += _key_names(entry.key, dotted)
            defined[at] += _values_defined(entry, is_environment)
            if entry.value and "*" not in entry.value and (is_file(entry.value) or _PATH.fullmatch(entry.value)):
                mentioned[at] += file_names(resolved(entry.value, path))
            if entry.children:
                deeper += [(child, dotted, entry.key in _ENVIRONMENTS) for child in entry.children]
        level = deeper
    out = []
    for piece, own, files in zip(pieces, defined, mentioned, strict=True):
        if piece.text is not None:  # a part of a giant line: data, whose names are noise
            out.append(piece)
            continue
        text = "\n".join(lines[piece.start : piece.end])
        variables = [one or other for one, other in _VARIABLE.findall(text)]
        names = dict.fromkeys(own)
        mentions = unique(name for name in (*files, *variables, *identifiers(_KEY.sub("", text))) if name not in names)
        out.append(replace(piece, defines=unique(own), mentions=mentions))
    return out


def _key_names(key: str, dotted: str) -> list[str]:
    """A key's dotted name with its tails. The key alone is a name where it is more than one everyday word: then it is
    also known as code and as prose spell it."""
    if not _NAMEABLE.fullmatch(key) or len(dotted) > 200:
        return []
    last = key.rpartition(".")[2]
    names = [name for name in with_tails(dotted) if name == dotted or "." in name]
    if not _EVERYDAY.fullmatch(last):
        names += [last, last.replace("-", "_"), *([prose_name(last)] if "-" in last or "_" in last else [])]
    return names


def _values_defined(entry: Entry, is_environment: bool) -> list[str]:
    """The values that are names: of environment variables in a list of them, and of an OpenAPI operation."""
    if entry.key == "operationId":
        return [entry.value]
    if not is_environment or entry.key:
        return []
    listed = entry.value or next((child.value for child in entry.children if child.key == "name"), "")
    name = listed.partition("=")[0]
    return [name] if _VARIABLE_NAME.fullmatch(name) else []
