"""What the chunks of a file of code define and mention."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

from ingest.code_scopes import Scope, Scopes, absolute
from ingest.code_tree import CodeTree, Definition
from ingest.languages.recognise import stem_of
from ingest.languages.ubiquitous import is_receiver, ubiquitous
from ingest.links import resolved
from ingest.names import file_names, identifiers, is_file, unique, with_tails
from ingest.pieces import Piece

# A name with what it is reached through, over the source's bytes: `a.b`, `a::b`, `a->b`, `a?.b`; the dot that stands
# before it, and behind it (only looked at) what tells a call or an assignment. Possessive, so that no shorter name is
# tried where a longer one is passed over; numbers match too, so that every match begins with one of a set of bytes,
# which is what makes the search fast.
_CHAIN = re.compile(
    rb"([\w$\x80-\xff](?:(?<=([.\x01-\x03])[\w$\x80-\xff])|)"
    rb"[\w$\x80-\xff]*+(?:(?:\?\.|\.|::|->)[A-Za-z_$\x80-\xff][\w$\x80-\xff]*+)*+)"
    rb"(?=(!?\(|[ \t]{1,2}\(|(?:::)?<[\w\s,.&:<>\[\]]{0,80}>\(|[<!]|[ \t]{0,3}=(?![=>]))?)"
)
# Dots of which more is known than that a value stands before them are other bytes.
_AFTER_MAKING, _AFTER_SUPER, _AFTER_TEXT = b"\x01", b"\x02", b"\x03"
_SUPER = re.compile(rb"(\bsuper\([^()]*\))\.")
_DIGITS = frozenset(b"0123456789")
_JOINT = re.compile(r"\?\.|::|->")
_IDENTIFIER = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")
_CODE_STRING = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::)[A-Za-z_]\w*)*")
_PATH_STRING = re.compile(r"[\w.@-]*(?:/[\w.@-]+)+")
_NOTHING: frozenset[str] = frozenset()
_LONGEST_STRING = 120
# What comments say of the object itself, and what Python defines under the same name in every class.
_UNDEFINED = re.compile(r"^(?:self|cls|this|super)\.|(?:^|\.)__\w*$|^__")


def named(pieces: Sequence[Piece], tree: CodeTree, data: bytes, language: str, path: str) -> list[Piece]:
    """Return the pieces with their names. `pieces` cover the file in order, `data` is its text as UTF-8."""
    if not pieces:
        return []
    sheet = _Sheet(pieces, tree, data, language, path)
    sheet.definitions()
    sheet.marks()
    sheet.references()
    return sheet.finished()


class _Sheet:
    """The names of each piece, filled in three readings of the file."""

    def __init__(self, pieces: Sequence[Piece], tree: CodeTree, data: bytes, language: str, path: str) -> None:
        self.pieces = pieces
        self.tree = tree
        self.code = bytearray(data)  # in which what is no code to read names from is blanked
        self.path = path
        self.module = module_names(path, language)
        self.language = language
        self.stop = ubiquitous(language)
        # Written where a variable is read, but not always where it is defined.
        self.sigil = "$" if language in ("php", "shell") else ""
        self.scopes = Scopes(tree, path, language, len(data))
        offsets = [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]
        self.starts = [offsets[piece.start] for piece in pieces]
        self.ends = [offsets[piece.end] for piece in pieces]
        self.defines: list[dict[str, None]] = [{} for _ in pieces]
        self.mentioned: list[dict[str, None]] = [{} for _ in pieces]
        self.calls: list[dict[str, None]] = [{} for _ in pieces]
        self.imported: list[dict[str, None]] = [{} for _ in pieces]
        self.inherits: list[dict[str, None]] = [{} for _ in pieces]
        self.prose: list[list[str]] = [[] for _ in pieces]
        self.locals: dict[tuple[str, ...], set[str]] = {}
        self.imports = {found.name: absolute(found.target, path) for found in tree.imports if found.name}

    def definitions(self) -> None:
        """Each definition is known by its qualified name and its tails, at the top also through its module."""
        self.defines[0].update(dict.fromkeys(self.module))
        for definition, trail in _walk(self.tree.definitions, ()):
            piece = self._piece(definition.name_byte)
            qualified = ".".join(trail)
            self._define(piece, qualified, bare=True)
            if len(trail) == len(definition.name) and self.module:
                # In full it is what an import says, and leads to one place where its last part leads to many.
                self.defines[piece][f"{self.module[0]}.{qualified}"] = None
                self.defines[piece][f"{self.module[-1]}.{qualified}"] = None
            self._blank(definition.name_byte, definition.name_end)
        for inner in self.tree.inner:
            piece = self._piece(inner.name_byte)
            self._locals(piece).add(inner.name[-1])
            self._blank(inner.name_byte, inner.name_end)
        for byte, inheritance in self.scopes.inheritances():
            self.inherits[self._piece(byte)][inheritance] = None

    def marks(self) -> None:
        """Read the captures: constants, fields, options, routes, locals, and what comments and strings say."""
        for byte, name in self.tree.locals:
            self._locals(self._piece(byte)).add(name.removeprefix(self.sigil))
        options = {mark.first_byte for mark in self.tree.marks if mark.kind == "option" and mark.text.startswith("-")}
        for mark in self.tree.marks:
            piece = self._piece(mark.first_byte)
            if mark.kind == "text":
                self._blank(mark.first_byte, mark.last_byte)
                if mark.first_byte not in options:
                    self._string(piece, mark.text)
            elif mark.kind == "option":
                if mark.first_byte in options:
                    self.defines[piece][mark.text] = None
            elif mark.kind == "route":
                if _is_route(mark.text):
                    self.defines[piece][route_name(mark.text)] = None
            else:
                owner = self._owner(mark.first_byte) if mark.kind != "constant" else ()
                self._blank(mark.first_byte, mark.last_byte)
                if not owner and mark.kind != "constant":
                    continue  # of an unnamed type, or of one inside a function
                bare = mark.kind != "attribute" or mark.text.isupper() or "_" in mark.text.strip("_")
                self._define(piece, ".".join((*owner, mark.text)), bare=bare)
                if mark.kind == "constant" and self.module:
                    self.defines[piece][f"{self.module[-1]}.{mark.text}"] = None

    def references(self) -> None:
        """Read every name in the code: mentions are those that are not local, a keyword or in all programs alike."""
        for found in self.tree.imports:
            piece = self._piece(found.spans[-1][0])
            target = absolute(found.target, self.path)
            renamed = found.name not in ("", target.rpartition(".")[2]) and not target.endswith(".*")
            self.imported[piece][f"{target} as {found.name}" if renamed else target] = None
            self._mention(piece, self._names(target))
            for first, last in found.spans:
                self._blank(first, last)
        for making in self.tree.makings:
            dot = making.first_byte - 1
            if making.kind == "method" and making.by != "super" and self.code[dot : dot + 1] == b".":
                self.code[dot : dot + 1] = _AFTER_MAKING
                self.calls[self._piece(dot)].update(dict.fromkeys(self.scopes.of_made(making)))
        code = _dotted(bytes(self.code))
        parsed: dict[bytes, tuple[str, str, str | None, bool]] = {}
        for piece, start, end, scope in self._runs():
            local = self.locals.get(self.pieces[piece].trail, _NOTHING)
            mentioned, calls = self.mentioned[piece], self.calls[piece]
            for chain, before, after in dict.fromkeys(_CHAIN.findall(code, start, end)):
                if chain not in parsed:
                    said = _JOINT.sub(".", chain.decode("utf-8", "replace")).removeprefix(self.sigil)
                    head = said.partition(".")[0]
                    parsed[chain] = said, head, self.imports.get(head), b"." in chain
                written, root, stands_for, has_dot = parsed[chain]
                if chain[0] in _DIGITS:
                    continue
                is_local = root in local
                known = None if is_local else stands_for
                mentioned.update(_forms(written, after[:1], is_local, has_dot, known, self.language))
                if after[-1:] == b"(" and before not in (_AFTER_MAKING, _AFTER_TEXT):
                    calls.update(dict.fromkeys(self.scopes.called(written, before, scope)))

    def _runs(self) -> Iterator[tuple[int, int, int, Scope]]:
        """Yield the bytes of each piece, parted where a scope begins or ends."""
        piece = 0
        for start, end, scope in self.scopes.segments():
            while piece < len(self.pieces) and self.ends[piece] <= start:
                piece += 1
            at = piece
            while at < len(self.pieces) and self.starts[at] < end:
                # A part of a giant line is generated code, whose names are noise.
                if self.pieces[at].text is None:
                    yield at, max(start, self.starts[at]), min(end, self.ends[at]), scope
                at += 1

    def _names(self, name: str) -> Iterator[str]:
        return _tails(name, self.stop)

    def _mention(self, piece: int, names: Iterable[str]) -> None:
        self.mentioned[piece].update((name, None) for name in names if _says_something(name, self.stop))

    def _string(self, piece: int, text: str) -> None:
        """A string or comment mentions what its words would in prose; one that is a name, a path or an option is it."""
        bare = text.strip("<>\"' \t\r\n")
        if len(bare) > _LONGEST_STRING or " " in bare or "\n" in bare:
            self.prose[piece].append(text)
        elif is_file(bare) and not bare.startswith("."):
            self._mention(piece, file_names(bare))
        elif _CODE_STRING.fullmatch(bare):
            # A single lower-case word in quotes is too often just a word.
            if bare.isupper() or "." in bare or "_" in bare.strip("_") or not bare.islower():
                self._mention(piece, self._names(bare.replace("::", ".")))
        elif _PATH_STRING.fullmatch(bare) and any(c.isalpha() for c in bare.rpartition("/")[2]):
            target = resolved(bare, self.path) if bare.startswith(".") else bare
            self._mention(piece, file_names(target))
            if text.startswith("/"):
                self.mentioned[piece][bare] = None  # a route, if one is defined so
        elif bare.startswith("--") and len(bare) > 3:
            self.mentioned[piece][bare.partition("=")[0]] = None

    def finished(self) -> list[Piece]:
        out = []
        for i, piece in enumerate(self.pieces):
            if self.prose[i]:
                self._mention(i, identifiers("\n\n".join(self.prose[i])))
            out.append(
                replace(
                    piece,
                    defines=unique(self.defines[i]),
                    mentions=unique(self.mentioned[i]),
                    calls=tuple(self.calls[i]),
                    imports=tuple(self.imported[i]),
                    inherits=tuple(self.inherits[i]),
                )
            )
        return out

    def _blank(self, first: int, last: int) -> None:
        self.code[first:last] = bytes(last - first)

    def _define(self, piece: int, qualified: str, *, bare: bool) -> None:
        names = with_tails(qualified) if bare else [qualified]
        for name in names:
            if name == qualified or (len(name) > 1 and not name.rpartition(".")[2].startswith("__")):
                self.defines[piece][name] = None

    def _piece(self, byte: int) -> int:
        return max(0, bisect_right(self.starts, byte) - 1)

    def _locals(self, piece: int) -> set[str]:
        # By trail, so that all the pieces of one long function know its parameters.
        return self.locals.setdefault(self.pieces[piece].trail, set())

    def _owner(self, byte: int) -> tuple[str, ...]:
        """The trail of the innermost container around a byte; empty inside a function."""
        trail: tuple[str, ...] = ()
        level: Sequence[Definition] = self.tree.definitions
        while around := next((d for d in level if d.first_byte <= byte < d.last_byte), None):
            if not around.is_container:
                return ()
            trail = (*trail, *around.name)
            level = around.children
        return trail


def route_name(text: str) -> str:
    """Return the path of a route as a name: from the root, without a pattern's anchors.

    >>> route_name("articles/<int:year>/")
    '/articles/<int:year>/'
    """
    return "/" + text.removeprefix("^").removesuffix("$").lstrip("/")


def _is_route(text: str) -> bool:
    """False for what the methods that routes share with dictionaries and clients take: a word, an address."""
    return (
        ("/" in text or "<" in text)
        and "://" not in text
        and any(char.isalnum() for char in text)
        and not any(char.isspace() for char in text)
    )


def _dotted(code: bytes) -> bytes:
    """The code with the dots told apart that stand after a text, `super()`, another value, or one another."""
    code = code.replace(b"..", b"  ").replace(b'".', b'"' + _AFTER_TEXT).replace(b"'.", b"'" + _AFTER_TEXT)
    code = code.replace(b")->", b") .").replace(b"]->", b"] .").replace(b")::", b") .").replace(b")?.", b") .")
    return _SUPER.sub(rb"\1" + _AFTER_SUPER, code) if b"super" in code else code


@lru_cache(maxsize=50_000)  # a project says the same few things in most of its files
def _forms(
    written: str, after: bytes, is_local: bool, has_dot: bool, target: str | None, language: str
) -> dict[str, None]:
    """Return the names that a chain mentions, given the first byte behind it and what its root was imported as.
    One that is reached only by `->` or `::` is read for its own sake; `has_dot` tells the others."""
    return dict.fromkeys(_mentions(written, after, is_local, has_dot, target, ubiquitous(language)))


def _mentions(
    written: str, after: bytes, is_local: bool, has_dot: bool, target: str | None, stop: frozenset[str]
) -> Iterator[str]:
    root, _, rest = written.partition(".")
    called = after in (b"(", b"<", b"!")
    assigned = after in (b"=", b" ", b"\t")
    if not rest and (is_local or root in stop or (assigned and not root.isupper())):
        return
    if target:
        if "." in rest and rest.rpartition(".")[2] in stop:
            rest = rest.rpartition(".")[0]
        if rest:
            yield from _tails(f"{target}.{rest}", stop)
        yield from _tails(target, stop, weak=bool(rest))
        return
    if rest and (is_receiver(root) or is_local):
        root, written = "", rest
    if rest.rpartition(".")[2] in stop:
        # `TIME_ZONE.split` speaks of TIME_ZONE: what a built-in type can do is no name.
        written = written.rpartition(".")[0]
    yield from _tails(written, stop, weak=not called and has_dot)
    if root and rest:
        yield from _tails(root, stop, weak=True)


def _tails(name: str, stop: frozenset[str], *, weak: bool = False) -> Iterator[str]:
    """Yield a name and its tails. Of an attribute that is only read (`weak`), one lower-case word says too little:
    `x.name` is no mention of whatever else is called "name"."""
    if not name or name.startswith("__"):
        return
    for form in with_tails(name) if "." in name else (name,):
        last = form.rpartition(".")[2]
        if len(last) <= 2 or last.startswith("__") or not _says_something(form, stop):
            continue
        if not ("." not in form and weak and last.islower() and "_" not in last.strip("_")):
            yield form


def _says_something(name: str, stop: frozenset[str]) -> bool:
    return name not in stop and not _UNDEFINED.search(name)


def module_names(path: str, language: str) -> list[str]:
    """Return a file's names as a module, the shortest last: its dotted path in Python, its stem elsewhere."""
    stem = stem_of(path)
    folders = [part for part in posixpath.dirname(path).split("/") if part not in ("", ".", "src", "lib")]
    if stem in ("__init__", "index", "mod", "lib", "main") and folders:
        stem = folders.pop()
    if not stem.replace("_", "a").replace("-", "a").isalnum():
        return []
    return with_tails(".".join([*folders, stem])) if language == "python" else [stem]


def _walk(definitions: Sequence[Definition], trail: tuple[str, ...]) -> Iterator[tuple[Definition, tuple[str, ...]]]:
    for definition in definitions:
        own = (*trail, *definition.name)
        yield definition, own
        yield from _walk(definition.children, own)
