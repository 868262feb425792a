"""Who calls, imports and inherits what: the names that chunks of code carry, settled against their definitions.

A chunk says what it calls as fully as its own file tells (`ingest.code_scopes`). Here such a name is followed to where
it is defined: through a package's own imports, through `import *`, and from a class to the first of its bases that
defines a method. A call is *exact* where that leads to the definition asked about. It is *possible* where the receiver
is not known and the method has the same last name; one that leads to another definition, or out of what is indexed, is
neither.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.code_names import module_names
from ingest.code_scopes import module_of
from ingest.languages.recognise import language_of
from ingest.types import Chunk
from retrieval.protocols import EVERY, Store
from retrieval.types import Definition

_INHERITANCE = re.compile(r"(.*?)\((.*)\)")
_SUPER = ".super()."
_MADE = "()."
_LONGEST_WAY = 200  # documents and names that one name is followed through
_ASIDE = ("#", "//", "/*", "*", "@", '"')  # comments and decorators, which may name what stands below them
_Tried = set[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """A definition: its document, and its name in it (`Class.method`; empty for the file as a module)."""

    path: str
    name: str

    @property
    def full(self) -> str:
        """The dotted name from the top of what is indexed."""
        return ".".join(part for part in (module_of(self.path), self.name) if part)

    @property
    def is_member(self) -> bool:
        """Whether it belongs to a class."""
        return "." in self.name


class _File:
    """What one document defines, what its imports bring, and what its classes inherit from."""

    def __init__(self, path: str, chunks: Sequence[Chunk]) -> None:
        self.path = path
        self.chunks = chunks
        self.python = bool(chunks) and chunks[0].language == "python"
        module = module_of(path)
        modules = module_names(path, chunks[0].language) if chunks else []
        self.names: dict[str, Chunk] = {}
        self.imports: dict[str, list[str]] = defaultdict(list)
        self.stars: list[str] = []
        self.bases: dict[str, list[str]] = {}
        for chunk in chunks:
            for name in _own_names(chunk.defines, modules):
                self.names.setdefault(name, chunk)
            for found in chunk.imports:
                target, _, alias = found.partition(" as ")
                if target.endswith(".*"):
                    self.stars.append(target.removesuffix(".*"))
                else:
                    self.imports[alias or target.rpartition(".")[2]].append(target)
            for found in chunk.inherits:
                variable, equals, value = found.partition(" = ")
                if equals:
                    own = variable.removeprefix(f"{module}.")
                    into = self.bases if value.endswith("()") else self.imports
                    into[own] = [value.removesuffix("()")]
                    if into is self.imports:
                        self.names.pop(own, None)
                elif match := _INHERITANCE.fullmatch(found):
                    self.bases[match.group(1).removeprefix(f"{module}.")] = match.group(2).split(", ")


class CallGraph:
    """References over one store whose content does not change. Looks each document up once."""

    def __init__(self, store: Store, paths: Iterable[str]) -> None:
        """`paths` are those of every document in the store."""
        self._store = store
        self._files: dict[str, _File] = {}
        self._settled: dict[str, Place | None] = {}
        self._mros: dict[Place, list[Place]] = {}
        code = [path for path in paths if language_of(path, "")[0] == "code"]
        packages = {posixpath.dirname(path) for path in code if posixpath.basename(path) == "__init__.py"}
        self._modules: dict[str, list[str]] = defaultdict(list)
        for path in code:
            full = module_of(path)
            top = posixpath.dirname(path)
            while top and top in packages:
                top = posixpath.dirname(top)
            for name in {full, module_of(posixpath.relpath(path, top or "."))}:
                self._modules[name].append(path)

    # Definitions ----------------------------------------------------------------------------------------------------

    def places(self, name: str) -> list[Place]:
        """Return the definitions that a name can mean, in the order of their documents.

        It may be bare (`slugify`), of a class (`QuerySet.filter`), in full and through a package that brings it
        (`django.db.models.CharField`), or with its document (`django/utils/text.py:slugify`).
        """
        path, colon, inside = name.rpartition(":")
        if colon and path and not path.endswith(":"):
            file = self._file(path)
            named = [inside] if inside in file.names else [n for n in file.names if n.endswith(f".{inside}")]
            return [Place(path, own) for own in named]
        found: dict[Place, None] = {}
        for chunk in self._defining(name):
            modules = module_names(chunk.path, chunk.language)
            own = _own_names(chunk.defines, modules)
            bare = next((name.removeprefix(f"{m}.") for m in modules if name.startswith(f"{m}.")), name)
            fitting = [n for n in own if n in (name, bare)] or [n for n in own if n.endswith(f".{name}")]
            if not fitting and name in modules:
                fitting = [""]
            found.update((Place(chunk.path, n), None) for n in fitting)
        places = [place for place in found if place.name] or list(found)
        if not places and "." in name:
            settled = self.settled(name)
            owner, _, member = name.rpartition(".")
            inherited = [] if settled else [self._member(place, member) for place in self.places(owner)]
            places = [place for place in (settled, *inherited) if place is not None]
        return sorted(set(places), key=lambda place: (place.path, place.name))

    def chunk_of(self, place: Place) -> Chunk | None:
        """Return the chunk in which a definition begins."""
        file = self._file(place.path)
        return file.names.get(place.name) or (file.chunks[0] if file.chunks and not place.name else None)

    def chunk_at(self, path: str, line: int) -> Chunk | None:
        """Return the chunk of a document that holds a line."""
        return next((c for c in self._file(path).chunks if c.start_line <= line <= c.end_line), None)

    # References -----------------------------------------------------------------------------------------------------

    def definition(self, place: Place) -> Definition:
        """Return a definition with every chunk that calls, imports or inherits from it."""
        last = place.name.rpartition(".")[2] or place.full.rpartition(".")[2]
        chunks = self._store.chunks(sorted(self._store.callers([last])))
        others = {alias for chunk in chunks.values() for alias in self._renamed(chunk, last, place)} - {last}
        if others:
            chunks |= self._store.chunks(sorted(self._store.callers(sorted(others))))
        lasts = {last, *others}
        callers, possible, importers, subclasses = [], [], [], []
        for chunk in sorted(chunks.values(), key=lambda c: (c.path, c.start_line, c.id)):
            certain = [self._calls(chunk, call, place) for call in chunk.calls if call.rpartition(".")[2] in lasts]
            if any(certain):
                callers.append(chunk)
            elif None in certain:
                possible.append(chunk)
            targets = (found.partition(" as ")[0] for found in chunk.imports)
            if any(self.settled(target) == place for target in targets if target.rpartition(".")[2] in lasts):
                importers.append(chunk)
            heads = [found.rpartition("(")[2].rstrip(")") for found in chunk.inherits if " = " not in found]
            bases = [base for head in heads for base in head.split(", ")]
            if any(self.settled(base) == place for base in bases if base.rpartition(".")[2] in lasts):
                subclasses.append(chunk)
        line, end_line, signature = self._signature(place)
        return Definition(
            name=place.full,
            path=place.path,
            line=line,
            end_line=end_line,
            signature=signature,
            callers=tuple(callers),
            possible=tuple(possible),
            importers=tuple(importers),
            subclasses=tuple(subclasses),
        )

    def _signature(self, place: Place) -> tuple[int, int, str]:
        """The first and last line of a definition's chunk from where its name stands, and the text there."""
        chunk = self.chunk_of(place)
        if chunk is None:
            return 1, 1, ""
        last = (
            re.compile(rf"(?<![\w.@]){re.escape(place.name.rpartition('.')[2])}(?!\w)")
            if place.name
            else re.compile("")
        )
        lines = chunk.text.split("\n")
        code = [i for i, line in enumerate(lines) if last.search(line) and not line.lstrip().startswith(_ASIDE)]
        at = code[0] if code else 0
        return chunk.start_line + at, chunk.end_line, lines[at].strip()

    def _calls(self, chunk: Chunk, call: str, place: Place) -> bool | None:
        """Whether a call is of the definition; None where that cannot be told."""
        python = chunk.language == "python"
        if call.startswith("."):
            return None if place.is_member or not python else False
        if "." not in call:
            # A language whose files share their names with their folder, or that says elsewhere what it brings.
            near = posixpath.dirname(chunk.path) == posixpath.dirname(place.path)
            return True if (near and not place.is_member) or self.places(call) == [place] else None
        found = self.settled(call, chunk.path)
        if found is not None:
            return found == place
        unknown = _MADE in call or self._is_inside(call)  # what a call returns is not known, whoever defines it
        return None if (place.is_member and unknown) or not python else False

    def _renamed(self, chunk: Chunk, last: str, place: Place) -> Iterator[str]:
        """The names under which a chunk imports the definition."""
        for found in chunk.imports:
            target, _, alias = found.partition(" as ")
            if alias and target.rpartition(".")[2] == last and self.settled(target) == place:
                yield alias

    # Following ------------------------------------------------------------------------------------------------------

    def settled(self, name: str, seen_from: str = "") -> Place | None:
        """Return what a full name leads to, None where it leads out of what is indexed or to no one place."""
        if name not in self._settled:
            self._settled[name] = self._follow(name, seen_from, set())
        return self._settled[name]

    def _follow(self, name: str, seen_from: str, tried: _Tried) -> Place | None:
        """Follow a name; what leads back to itself leads nowhere."""
        if known := self._settled.get(name):
            return known
        if _SUPER in name:
            owner, _, method = name.partition(_SUPER)
            place = self._follow(owner, seen_from, tried)
            return self._first_with(self._mro(place)[1:], method) if place else None
        if _MADE in name:
            owner, _, method = name.partition(_MADE)
            place = self._follow(owner, seen_from, tried)
            return self._member(place, method) if place else None
        for module, rest in _cuts(name):
            path = self._module(module, seen_from)
            if path is None:
                continue
            if rest and (found := self._attribute(path, rest, tried)):
                return found
            package, _, last = module.rpartition(".")
            above = self._module(package, seen_from) if package else None
            if above and (last in self._file(above).names or last in self._file(above).imports):
                # The package has something else under its module's name: `from .app import app`.
                inside = self._attribute(above, f"{last}.{rest}" if rest else last, tried)
                if inside:
                    return inside
            return None if rest else Place(path, "")
        return None

    def _attribute(self, path: str, dotted: str, tried: _Tried) -> Place | None:
        """What a dotted name is in a document: its own, or what it imports."""
        if (path, dotted) in tried or len(tried) > _LONGEST_WAY:
            return None
        tried.add((path, dotted))
        file = self._file(path)
        for own, rest in _cuts(dotted):
            if own in file.names:
                if not rest:
                    return Place(path, own)
                return self._member(Place(path, own), rest) if "." not in rest else None
        root, dot, rest = dotted.partition(".")
        for target in file.imports.get(root, ()):
            if found := self._follow(f"{target}{dot}{rest}", path, tried):
                return found
        for star in file.stars:
            brought = self._module(star, path)
            if brought and not root.startswith("_") and (found := self._attribute(brought, dotted, tried)):
                return found
        return None

    def _member(self, owner: Place, name: str) -> Place | None:
        return self._first_with(self._mro(owner), name)

    def _first_with(self, classes: Iterable[Place], name: str) -> Place | None:
        for one in classes:
            if f"{one.name}.{name}" in self._file(one.path).names:
                return Place(one.path, f"{one.name}.{name}")
        return None

    def _mro(self, owner: Place) -> list[Place]:
        """The class and its bases that are indexed, in Python's order of methods."""
        if owner not in self._mros:
            self._mros[owner] = [owner]  # while its bases are looked at: a circle ends here
            bases = [
                found
                for base in self._file(owner.path).bases.get(owner.name, ())
                if (found := self.settled(base, owner.path)) and found.name
            ]
            self._mros[owner] = [owner, *_merged([*([*self._mro(base)] for base in bases), bases])]
        return self._mros[owner]

    def _is_inside(self, name: str) -> bool:
        """Whether a name begins at a module that is indexed."""
        return any(module in self._modules for module, _ in _cuts(name.partition(_SUPER)[0]))

    def _module(self, name: str, seen_from: str) -> str | None:
        paths = self._modules.get(name, ())
        if len(paths) > 1:
            whole = [path for path in paths if module_of(path) == name]
            beside = [path for path in paths if posixpath.dirname(path) == posixpath.dirname(seen_from)]
            paths = whole or beside
        return paths[0] if len(paths) == 1 else None

    def _file(self, path: str) -> _File:
        if path not in self._files:
            self._files[path] = _File(path, self._store.in_document(path))
        return self._files[path]

    def _defining(self, name: str) -> list[Chunk]:
        ids = self._store.definers([name], common=EVERY).get(name, ())
        return [chunk for chunk in self._store.chunks(ids).values() if chunk.kind == "code"]


def _own_names(defines: Sequence[str], modules: Sequence[str]) -> list[str]:
    """Reduce the names that a chunk is known by to one for each definition: without the module, with the classes."""
    found: dict[str, None] = {}
    for name in defines:
        if not name.startswith("-") and "/" not in name and " " not in name:
            inside = next((name.removeprefix(f"{m}.") for m in modules if name.startswith(f"{m}.")), None)
            if inside:
                found[inside] = None
            elif name not in modules:
                found.setdefault(name)
    tails = {name[at + 1 :] for name in found for at, char in enumerate(name) if char == "."}
    top = {name.rpartition(".")[2] for name in defines for m in modules if name == f"{m}.{name.rpartition('.')[2]}"}
    return [name for name in found if name not in tails or name in top]


def _cuts(dotted: str) -> Iterator[tuple[str, str]]:
    """Yield a dotted name parted at each dot, the longest first part first; the first is all of it."""
    yield dotted, ""
    at = dotted.rfind(".")
    while at > 0:
        yield dotted[:at], dotted[at + 1 :]
        at = dotted.rfind(".", 0, at)


def _merged(orders: list[list[Place]]) -> list[Place]:
    """C3: the first class that stands behind none in any order, again and again; where there is none, the first."""
    out: list[Place] = []
    while orders := [order for order in orders if order]:
        tails = {place for order in orders for place in order[1:]}
        chosen = next((order[0] for order in orders if order[0] not in tails), orders[0][0])
        out.append(chosen)
        orders = [[place for place in order if place != chosen] for order in orders]
    return out
