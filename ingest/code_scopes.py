"""What a name in a file of code stands for: the scopes of the file, and the calls and bases they resolve.

Names are written as fully as one file tells them. A file is called by its dotted path, so what it defines is
`package.module.Class.method`; what it imports is written as the import says. `self.method()` is a method of the class
around it, whether the class or one of its bases defines it; `super().method()` is
`package.module.Class.super().method`, and a method of what is only ever `Class()` is `package.module.Class().method`.
A method of something unknown is `.method`. In a language whose imports do not name what they bring, a bare name that
the file does not define stays bare.
"""

from __future__ import annotations

import builtins
import keyword
import posixpath
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.code_tree import CodeTree, Definition, Making
from ingest.languages.recognise import stem_of
from ingest.languages.ubiquitous import is_receiver, ubiquitous

_LOCAL: tuple[str, ...] = ()
_BUILTIN = frozenset({*dir(builtins), *keyword.kwlist, *keyword.softkwlist})


def module_of(path: str) -> str:
    """Return a file's dotted path, a Python package's without its `__init__`.

    >>> module_of("src/heron/__init__.py")
    'src.heron'
    """
    parts = [part for part in posixpath.dirname(path).split("/") if part not in ("", ".")]
    stem = stem_of(path)
    return ".".join(parts if stem == "__init__" and parts else [*parts, stem])


def absolute(target: str, path: str) -> str:
    """Return an imported name in full: Python's leading dots count folders up from the file."""
    bare = target.lstrip(".")
    dots = len(target) - len(bare)
    if not dots:
        return target
    package = posixpath.dirname(path).split("/")
    kept = package[: len(package) - dots + 1]
    return ".".join([*(part for part in kept if part), *([bare] if bare else [])])


@dataclass(slots=True)
class Scope:
    """A file, a class or a function: its bytes, and the names that mean something of their own in it.

    `full` is its dotted name; empty inside a function, where nothing can be reached from outside.
    """

    parent: Scope | None
    first_byte: int
    last_byte: int
    is_container: bool
    full: str
    locals: dict[str, int] = field(default_factory=dict)  # with how often each is bound
    made: dict[str, list[Making]] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    imports: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bases: list[str] = field(default_factory=list)


class Scopes:
    """The scopes of one file."""

    def __init__(self, tree: CodeTree, path: str, language: str, size: int) -> None:
        """`size` is the file's length in bytes."""
        self._python = language == "python"
        self._stop = ubiquitous(language)
        self.module = Scope(None, 0, size, True, module_of(path))
        self._scopes = [self.module]
        around = [self.module]
        for definition in tree.every:
            while around[-1].last_byte <= definition.first_byte:
                around.pop()
            around.append(self._entered(definition, around[-1]))
            self._scopes.append(around[-1])
        self._starts = [scope.first_byte for scope in self._scopes]
        self.has_star = False
        for found in tree.imports:
            target = absolute(found.target, path)
            if target.endswith(".*"):
                self.has_star = True
                continue
            # `import a.b` binds `a`, through which `a.b` is reached.
            name, target = (found.name, target) if found.name else (target.partition(".")[0],) * 2
            into = self._binding(self.around(found.spans[0][0]))
            known = into.imports.get(name, ())
            if target not in known:
                into.imports[name] = (*known, target)
        for byte, text in set(tree.locals):
            bound = self.around(byte).locals
            bound[text] = bound.get(text, 0) + 1
        for making in tree.makings:
            if making.kind != "method":
                self.around(making.first_byte).made.setdefault(making.name, []).append(making)
        for byte, text in tree.bases:
            scope = self.around(byte)
            while not scope.is_container and scope.parent is not None:
                scope = scope.parent
            if scope.parent is not None:
                scope.bases += self.stands_for(text, scope.parent)

    def _entered(self, definition: Definition, parent: Scope) -> Scope:
        name = definition.name
        reachable = parent.full and parent.is_container
        if parent.is_container:
            parent.members.add(name[0])
        else:
            parent.locals[name[-1]] = 1
        return Scope(
            parent,
            definition.first_byte,
            definition.last_byte,
            definition.is_container,
            ".".join((parent.full, *name)) if reachable else "",
        )

    def around(self, byte: int) -> Scope:
        """Return the innermost scope around a byte."""
        scope = self._scopes[bisect_right(self._starts, byte) - 1]
        while scope.last_byte <= byte and scope.parent is not None:
            scope = scope.parent
        return scope

    def segments(self) -> Iterator[tuple[int, int, Scope]]:
        """Yield runs of bytes with the innermost scope around each, in order, all of the file."""
        cursor = 0
        around: list[Scope] = []
        for scope in self._scopes:
            while around and around[-1].last_byte <= scope.first_byte:
                done = around.pop()
                if cursor < done.last_byte:
                    yield cursor, done.last_byte, done
                    cursor = done.last_byte
            if around and cursor < scope.first_byte:
                yield cursor, scope.first_byte, around[-1]
                cursor = scope.first_byte
            around.append(scope)
        for scope in reversed(around):
            if cursor < scope.last_byte:
                yield cursor, scope.last_byte, scope
                cursor = scope.last_byte

    def inheritances(self) -> Iterator[tuple[int, str]]:
        """Yield the first byte of each class that inherits with `package.Class(package.Base, …)`, and of each variable
        of the file with `package.variable = package.Class()`, or `= package.name` where it is another name for that."""
        for scope in self._scopes:
            if scope.bases and scope.full:
                yield scope.first_byte, f"{scope.full}({', '.join(scope.bases)})"
        for name, makings in self.module.made.items():
            if len(makings) == self.module.locals[name] == 1 and name not in self.module.imports:
                (making,) = makings
                for full in self.called(making.by, b"", self.module):
                    if full[0] != ".":
                        call = "()" if making.kind == "made" else ""
                        yield making.first_byte, f"{self.module.full}.{name} = {full}{call}"

    def called(self, written: str, reached: bytes, scope: Scope) -> tuple[str, ...]:
        """Return what a call calls: one name, several where imports leave a choice, none for a local or built-in.

        `written` is the dotted name before the parenthesis, `reached` the dot before that which a value
        stands before, or nothing; after `super()` it is the byte 2.
        """
        root, _, rest = written.partition(".")
        last = written.rpartition(".")[2]
        if reached == b"\x02":
            return self._inherited(scope, last) if not rest else (f".{last}",)
        if reached:
            return (f".{last}",)
        if root in ("self", "cls") if self._python else is_receiver(root):
            return self._own(root, rest, scope)
        found = self._resolved(root, scope)
        if found is None:
            return self._foreign(root, rest, last)
        if not rest:
            return tuple(full for full in found if not full.endswith("()"))
        if not found or ("." in rest and found[0].endswith("()")):
            return (f".{last}",)
        return tuple(f"{full}.{rest}" for full in found)

    def of_made(self, making: Making) -> tuple[str, ...]:
        """Return what `Class().method()` calls."""
        made = self.called(making.by, b"", self.around(making.first_byte))
        return tuple(f"{full}().{making.name}" for full in made if full[0] != ".") or (f".{making.name}",)

    def stands_for(self, written: str, scope: Scope) -> tuple[str, ...]:
        """Return what a dotted name read in `scope` stands for; itself where the file does not say."""
        root, _, rest = written.replace("::", ".").partition(".")
        found = self._resolved(root, scope)
        return tuple(f"{full}.{rest}" if rest else full for full in found or (root,))

    def _resolved(self, root: str, scope: Scope) -> tuple[str, ...] | None:
        """What a name stands for; empty for one that is local, None for one that the file does not bind."""
        innermost: Scope | None = scope
        around: Scope | None = scope
        while around is not None and around.parent is not None:
            if around.is_container:
                # What a class defines is seen in its own body, and in languages other than Python below it too.
                if (around is innermost or not self._python) and root in around.members and around.full:
                    return (f"{around.full}.{root}",)
            elif root in around.imports:
                return around.imports[root]
            elif root in around.locals:
                return self._made(root, around)
            around = around.parent
        found = self.module.imports.get(root, ())
        if root in self.module.members:
            found = (*found, f"{self.module.full}.{root}")
        if not found and root in self.module.locals:
            return (f"{self.module.full}.{root}",)  # a variable of the file, which others reach by this name too
        return found or None

    def _made(self, name: str, scope: Scope) -> tuple[str, ...]:
        """What a local variable is an instance of, as `Class()`, where every value it is given is made by a call."""
        makings = scope.made.pop(name, None)  # gone while it is looked at: what is made of itself is made of nothing
        if makings is None or len(makings) != scope.locals[name]:
            return _LOCAL
        found = [self.called(making.by, b"", scope) for making in makings]
        scope.made[name] = makings
        if not all(found) or any(full[0] == "." or full.endswith("()") for each in found for full in each):
            return _LOCAL
        return tuple(dict.fromkeys(f"{full}()" for each in found for full in each))

    def _foreign(self, root: str, rest: str, last: str) -> tuple[str, ...]:
        """What a call through a name that the file does not bind calls."""
        if not self._python:
            return (f".{last}",) if rest else (() if root in self._stop else (root,))
        if root in _BUILTIN:
            return ()
        if self.has_star:
            return (f"{self.module.full}.{root}{'.' if rest else ''}{rest}",)
        return (f".{last}",) if rest else ()

    def _own(self, root: str, rest: str, scope: Scope) -> tuple[str, ...]:
        """`self.method()` and `cls()`: a method of the class around, or the class."""
        last = rest.rpartition(".")[2]
        owner = self._class_around(scope, root)
        if owner is None:
            return (f".{last}",) if rest else ()
        if not rest:
            return (owner.full,) if owner.full else ()
        if "." in rest:
            return (f".{last}",)
        if owner.full:
            return (f"{owner.full}.{rest}",)
        if rest in owner.members:
            return ()
        return tuple(f"{base}.{rest}" for base in owner.bases) or (f".{rest}",)

    def _inherited(self, scope: Scope, method: str) -> tuple[str, ...]:
        owner = self._class_around(scope, "")
        if owner is None:
            return (f".{method}",)
        if owner.full:
            return (f"{owner.full}.super().{method}",)
        return tuple(f"{base}.{method}" for base in owner.bases) or (f".{method}",)

    def _class_around(self, scope: Scope, receiver: str) -> Scope | None:
        """The class whose method has `receiver` for itself; None where it is a parameter of something else."""
        around: Scope | None = scope
        while around is not None and around.parent is not None:
            if around.is_container:
                return around
            if receiver in around.locals and not around.parent.is_container:
                return None
            around = around.parent
        return None

    def _binding(self, scope: Scope) -> Scope:
        """The scope in which an import written in `scope` binds its name: a class's own are rare and count as its
        file's."""
        return scope if not scope.is_container else self.module
