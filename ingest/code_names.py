"""What the chunks of a file of code define and mention."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingest.code_tree import CodeTree, Definition
from ingest.languages.recognise import stem_of
from ingest.languages.ubiquitous import is_receiver, ubiquitous
from ingest.links import resolved
from ingest.names import file_names, identifiers, is_file, unique, with_tails
from ingest.pieces import Piece

# A name with what it is reached through, over the source's bytes: `a.b`, `a::b`, `a->b`, `a?.b`; then an assignment's
# or keyword argument's sign. Possessive, so that no shorter name is tried where a longer one is passed over.
_CHAIN = re.compile(
    rb"(?<![\w$])([A-Za-z_$\x80-\xff][\w$\x80-\xff]*+(?:(?:\?\.|\.|::|->)[A-Za-z_$\x80-\xff][\w$\x80-\xff]*+)*+)"
    rb"([ \t]{0,3}=(?![=>]))?"
)
_JOINT = re.compile(r"\?\.|::|->")
_IDENTIFIER = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")
_CODE_STRING = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::)[A-Za-z_]\w*)*")
_PATH_STRING = re.compile(r"[\w.@-]*(?:/[\w.@-]+)+")
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
    sheet.mentions()
    return sheet.finished()


class _Sheet:
    """One list of defined and one of mentioned names for each piece, filled in three readings of the file."""

    def __init__(self, pieces: Sequence[Piece], tree: CodeTree, data: bytes, language: str, path: str) -> None:
        self.pieces = pieces
        self.tree = tree
        self.data = data
        self.path = path
        self.module = module_names(path, language)
        self.stop = ubiquitous(language)
        # Written where a variable is read, but not always where it is defined.
        self.sigil = "$" if language in ("php", "shell") else ""
        offsets = [0]
        for line in data.split(b"\n"):
            offsets.append(offsets[-1] + len(line) + 1)
        self.starts = [offsets[piece.start] for piece in pieces]
        self.ends = [offsets[piece.end] for piece in pieces]
        self.defines: list[dict[str, None]] = [{} for _ in pieces]
        self.mentioned: list[dict[str, None]] = [{} for _ in pieces]
        self.prose: list[list[str]] = [[] for _ in pieces]
        self.locals: dict[tuple[str, ...], set[str]] = {}
        self.passed: list[tuple[int, int]] = []  # bytes that are no code to read names from
        self.imports = {found.name: self._absolute(found.target) for found in tree.imports if found.name}

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
            self.passed.append((definition.name_byte, definition.name_byte + len(definition.name[-1].encode())))
        for inner in self.tree.inner:
            piece = self._piece(inner.name_byte)
            self._locals(piece).add(inner.name[-1])
            self.passed.append((inner.name_byte, inner.name_byte + 1))

    def marks(self) -> None:
        """Read the captures: constants, fields, options, locals, and what comments and strings say."""
        options = {mark.first_byte for mark in self.tree.marks if mark.kind == "option" and mark.text.startswith("-")}
        for mark in self.tree.marks:
            piece = self._piece(mark.first_byte)
            if mark.kind == "local":
                self._locals(piece).update(_IDENTIFIER.findall(mark.text)[:1])
            elif mark.kind == "text":
                self.passed.append((mark.first_byte, mark.last_byte))
                if mark.first_byte not in options:
                    self._string(piece, mark.text)
            elif mark.kind == "option":
                if mark.first_byte in options:
                    self.defines[piece][mark.text] = None
            else:
                owner = self._owner(mark.first_byte) if mark.kind != "constant" else ()
                self.passed.append((mark.first_byte, mark.last_byte))
                if not owner and mark.kind != "constant":
                    continue  # of an unnamed type, or of one inside a function
                bare = mark.kind != "attribute" or mark.text.isupper() or "_" in mark.text.strip("_")
                self._define(piece, ".".join((*owner, mark.text)), bare=bare)
                if mark.kind == "constant" and self.module:
                    self.defines[piece][f"{self.module[-1]}.{mark.text}"] = None

    def mentions(self) -> None:
        """Read every name in the code that is not local, a keyword or in all programs alike."""
        for found in self.tree.imports:
            self._mention(self._piece(found.spans[-1][0]), self._absolute(found.target))
            self.passed += found.spans
        self.passed.sort()
        for piece, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            if self.pieces[piece].text is not None:
                continue  # a part of a giant line: generated code, whose names are noise
            local = self.locals.get(self.pieces[piece].trail, set())
            at = bisect_right(self.passed, (start,))
            until = self.passed[at - 1][1] if at else 0
            for match in _CHAIN.finditer(self.data, start, end):
                while at < len(self.passed) and self.passed[at][0] <= match.start():
                    until = max(until, self.passed[at][1])
                    at += 1
                if match.start() >= until:
                    self._chain(piece, match, local)

    def _chain(self, piece: int, match: re.Match[bytes], local: set[str]) -> None:
        written = _JOINT.sub(".", match.group(1).decode("utf-8", "replace")).removeprefix(self.sigil)
        root, _, rest = written.partition(".")
        if not rest and (root in local or root in self.stop or (match.group(2) and not root.isupper())):
            return
        called = self.data[match.end(1) : match.end(1) + 1] in (b"(", b"<", b"!")
        if target := self.imports.get(root) if root not in local else None:
            if "." in rest and rest.rpartition(".")[2] in self.stop:
                rest = rest.rpartition(".")[0]
            if rest:
                self._mention(piece, f"{target}.{rest}")
            self._mention(piece, target, weak=bool(rest))
            return
        if rest and (is_receiver(root) or root in local):
            root, written = "", rest
        if rest.rpartition(".")[2] in self.stop:
            # `TIME_ZONE.split` speaks of TIME_ZONE: what a built-in type can do is no name.
            written = written.rpartition(".")[0]
        self._mention(piece, written, weak=not called and "." in match.group(1).decode("utf-8", "replace"))
        if root and rest:
            self._mention(piece, root, weak=True)

    def _mention(self, piece: int, name: str, *, weak: bool = False) -> None:
        """Note a name and its tails. Of an attribute that is only read (`weak`), one lower-case word says too little:
        `x.name` is no mention of whatever else is called "name"."""
        names = self.mentioned[piece]
        if not name or name.startswith("__"):
            return
        for form in with_tails(name) if "." in name else (name,):
            last = form.rpartition(".")[2]
            plain = "." not in form
            if len(last) <= 2 or last.startswith("__") or (plain and form in self.stop):
                continue
            if not (plain and weak and last.islower() and "_" not in last.strip("_")):
                names[form] = None

    def _string(self, piece: int, text: str) -> None:
        """A string or comment mentions what its words would in prose; one that is a name, a path or an option is it."""
        bare = text.strip("<>\"' \t\r\n")
        if len(bare) > _LONGEST_STRING or " " in bare or "\n" in bare:
            self.prose[piece].append(text)
        elif is_file(bare) and not bare.startswith("."):
            self.mentioned[piece].update(dict.fromkeys(file_names(bare)))
        elif _CODE_STRING.fullmatch(bare):
            # A single lower-case word in quotes is too often just a word.
            if bare.isupper() or "." in bare or "_" in bare.strip("_") or not bare.islower():
                self._mention(piece, bare.replace("::", "."))
        elif _PATH_STRING.fullmatch(bare) and any(c.isalpha() for c in bare.rpartition("/")[2]):
            target = resolved(bare, self.path) if bare.startswith(".") else bare
            self.mentioned[piece].update(dict.fromkeys(file_names(target)))
        elif bare.startswith("--") and len(bare) > 3:
            self.mentioned[piece][bare.partition("=")[0]] = None

    def finished(self) -> list[Piece]:
        out = []
        for i, piece in enumerate(self.pieces):
            mentioned = self.mentioned[i]
            if self.prose[i]:
                mentioned.update(dict.fromkeys(identifiers("\n\n".join(self.prose[i]))))
            mentions = unique(name for name in mentioned if name not in self.stop and not _UNDEFINED.search(name))
            out.append(replace(piece, defines=unique(self.defines[i]), mentions=mentions))
        return out

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

    def _absolute(self, target: str) -> str:
        """An imported name in full: Python's leading dots count folders up from the file."""
        bare = target.lstrip(".")
        dots = len(target) - len(bare)
        if not dots:
            return target
        package = posixpath.dirname(self.path).split("/")
        kept = package[: len(package) - dots + 1]
        return ".".join([*(part for part in kept if part), bare])


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
