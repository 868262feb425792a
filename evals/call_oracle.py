"""Which files call which function, read with Python's own `ast`: what `evals.callers` measures against.

Shares no code with `ingest` or `retrieval`. Its rules:

- A file is a module under its path from the folder, and under its path from where its package begins (the first folder
  above without `__init__.py`), as Python would import it with that folder on its path.
- A name is looked up as Python does: in the function's own scope (parameters, assignments, imports, `for`, `with`,
  `except`, `match`, definitions; lambdas and comprehensions have scopes of their own; `global` and `nonlocal` are
  heeded), then in the functions around it, the module, the built-ins. A class's scope is seen only from its own body.
  A name that a module binds more than once means every function, class and import among what it is bound to.
- An import is followed through any number of modules: relative ones, `as`, `import *`, and `other = name` at the top of
  a module. What leads out of the folder is external and calls nothing here.
- The first parameter of a method is an instance of its class (looked up alike where it is the class). `Class()` is one,
  and a variable that is only ever given `Class()`: a local one, or one of the module that is bound once. Attributes of
  classes and instances are looked up in Python's order of methods (C3) over the classes in the folder; `super()` begins
  after the class.
- A method called on what all this leaves unknown (an argument, a result, an element, an attribute; a method that the
  class and its bases in the folder do not define) *may* be every method of that name in the folder. A method of a
  literal is none of them, and neither is a variable of a class or function that is called.
- `Class()` calls the class. Decorators without parentheses and functions passed as values are not called.
"""

from __future__ import annotations

import ast
import builtins
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method that can be named from outside: its file and its name in it."""

    path: str
    name: str

    @property
    def is_method(self) -> bool:
        """Whether it belongs to a class."""
        return "." in self.name


@dataclass(slots=True)
class Calls:
    """Files by the function they certainly call, and by the last name of a method they may call."""

    functions: list[Function] = field(default_factory=list)
    certain: dict[Function, set[str]] = field(default_factory=lambda: defaultdict(set))
    maybe: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def of(self, function: Function) -> set[str]:
        """Return every file that calls it or may."""
        certain = self.certain.get(function, set())
        return certain | self.maybe.get(function.name.rpartition(".")[2], set()) if function.is_method else certain


def calls(sources: Mapping[str, str]) -> Calls:
    """Return the calls in Python sources by path. A source that is no valid Python is left out."""
    return _Program(sources).calls()


# What an expression can be. None is what nobody can tell.


@dataclass(eq=False, slots=True)
class _Scope:
    """A module, class or function: what each name in it is bound to. Lambdas and comprehensions are functions.

    `name` is the dotted name by which it is reached from outside, None where it is not. `owner` is the class of a
    class's scope, `receiver` the name that a method has for its instance.
    """

    kind: str
    parent: _Scope | None
    module: _Module
    name: str | None
    owner: _Class | None = None
    receiver: str = ""
    is_comprehension: bool = False
    bound: dict[str, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))
    outer: set[str] = field(default_factory=set)


@dataclass(eq=False, slots=True)
class _Module:
    path: str
    package: str
    tree: ast.Module
    stars: list[str] = field(default_factory=list)
    scope: _Scope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = _Scope("module", None, self, "")


@dataclass(eq=False, slots=True)
class _Class:
    node: ast.ClassDef
    scope: _Scope


@dataclass(frozen=True, slots=True)
class _Instance:
    of: _Class
    after: bool = False  # of `super()`: the classes after this one


class _External:
    """What is defined outside the folder."""


class _Variable:
    """A variable of a class: its methods are not known, and calling it is calling nothing by its name."""


class _Bound(ast.AST):
    """What an import binds: a module, or something in it."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name


_Value: TypeAlias = "_Module | _Class | _Instance | _External | _Variable | Function | None"
_BUILTINS = frozenset(dir(builtins))
_DEEPEST = 40


class _Program:
    def __init__(self, sources: Mapping[str, str]) -> None:
        self.named: dict[str, list[_Module]] = defaultdict(list)
        self.modules: list[_Module] = []
        self.scopes: dict[ast.AST, _Scope] = {}
        self.classes: dict[ast.AST, _Class] = {}
        self.functions: dict[ast.AST, Function] = {}
        self.mros: dict[_Class, list[_Class]] = {}
        self.busy: set[tuple[_Scope, str]] = set()
        packages = {posixpath.dirname(path) for path in sources if posixpath.basename(path) == "__init__.py"}
        for path, source in sources.items():
            try:
                tree = ast.parse(source)
            except (SyntaxError, ValueError, RecursionError):
                continue
            self._add(path, tree, packages)
        for module in self.modules:
            for node in module.tree.body:
                self._bind(node, module.scope)

    # Binding --------------------------------------------------------------------------------------------------------

    def _add(self, path: str, tree: ast.Module, packages: set[str]) -> None:
        top = posixpath.dirname(path)
        while top and top in packages:
            top = posixpath.dirname(top)
        parts = path.removesuffix(".py").split("/")
        outside = len(top.split("/")) if top else 0
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
            package = parts
        else:
            package = parts[:-1]
        module = _Module(path, ".".join(package), tree)
        self.modules.append(module)
        for name in {".".join(parts), ".".join(parts[outside:])}:
            self.named[name].append(module)

    def _bind(self, node: ast.AST, scope: _Scope) -> None:
        """Note what a statement or expression binds in its scope, and the scopes inside it."""
        inside: Iterable[ast.AST] = ast.iter_child_nodes(node)
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                scope.bound[node.name].append(node)
                self._function(node, node.args, scope)
                inner = self.scopes[node]
                if scope.kind == "class" and not _is_static(node):
                    inner.receiver = next((a.arg for a in (*node.args.posonlyargs, *node.args.args)), "")
                if scope.name is not None and scope.kind != "function":
                    self.functions[node] = Function(scope.module.path, f"{scope.name}.{node.name}".lstrip("."))
                for statement in node.body:
                    self._bind(statement, inner)
                inside = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
            case ast.ClassDef():
                scope.bound[node.name].append(node)
                reachable = scope.name is not None and scope.kind != "function"
                inner = _Scope(
                    "class", scope, scope.module, f"{scope.name}.{node.name}".lstrip(".") if reachable else None
                )
                inner.owner = self.classes[node] = _Class(node, inner)
                self.scopes[node] = inner
                for statement in node.body:
                    self._bind(statement, inner)
                inside = [*node.decorator_list, *node.bases, *node.keywords]
            case ast.Lambda():
                self._function(node, node.args, scope)
                self._bind(node.body, self.scopes[node])
                inside = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                inner = self.scopes[node] = _Scope("function", scope, scope.module, None, is_comprehension=True)
                for child in ast.iter_child_nodes(node):
                    self._bind(child, inner)
                return
            case ast.Import():
                for alias in node.names:
                    if alias.asname:
                        scope.bound[alias.asname].append(_Bound(alias.name, ""))
                    else:
                        root = alias.name.partition(".")[0]
                        scope.bound[root].append(_Bound(root, ""))
                return
            case ast.ImportFrom():
                origin = _origin(node, scope.module)
                for alias in node.names:
                    if alias.name == "*":
                        scope.module.stars.append(origin)
                    else:
                        scope.bound[alias.asname or alias.name].append(_Bound(origin, alias.name))
                return
            case ast.Global() | ast.Nonlocal():
                scope.outer.update(node.names)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                scope.bound[name].append(node)
                inside = [value]
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=given):
                scope.bound[name].append(node)
                inside = [annotation, *([given] if given else [])]
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                scope.bound[name].append(node)
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                around = scope
                while around.is_comprehension and around.parent:
                    around = around.parent
                around.bound[name].append(node)
                inside = [value]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.bound[name].append(node)
            case ast.MatchMapping(rest=str(name)):
                scope.bound[name].append(node)
        for child in inside:
            self._bind(child, scope)

    def _function(self, node: ast.AST, given: ast.arguments, scope: _Scope) -> None:
        inner = self.scopes[node] = _Scope("function", scope, scope.module, None)
        for parameter in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
            if parameter is not None:
                inner.bound[parameter.arg].append(parameter)

    # Values ---------------------------------------------------------------------------------------------------------

    def _values(self, node: ast.AST, scope: _Scope, depth: int = 0) -> list[_Value]:
        """Everything that an expression may be."""
        if depth > _DEEPEST:
            return [None]
        match node:
            case ast.Name(id=name):
                return self._looked_up(name, scope, depth)
            case ast.Attribute(value=value, attr=attr):
                owners = self._values(value, scope, depth + 1)
                return [found for owner in owners for found in self._attribute(owner, attr, depth)]
            case ast.Call(func=ast.Name(id="super")):
                owner = self._class_of_method(scope)
                return [_Instance(owner, after=True)] if owner else [None]
            case ast.Call(func=func):
                made = self._values(func, scope, depth + 1)
                return [_Instance(value) if isinstance(value, _Class) else None for value in made] or [None]
            case ast.Constant() | ast.JoinedStr() | ast.List() | ast.Dict() | ast.Set() | ast.Tuple():
                return [_External()]
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return [_External()]
        return [None]

    def _looked_up(self, name: str, scope: _Scope, depth: int) -> list[_Value]:
        around: _Scope | None = scope
        while around is not None:
            seen = around.kind != "class" or around is scope
            if seen and name in around.bound and name not in around.outer and around.kind != "module":
                return self._local(name, around, depth)
            around = around.parent
        found = self._global(scope.module, name, depth, set())
        if found:
            return found
        return [_External()] if name in _BUILTINS else [None]

    def _local(self, name: str, scope: _Scope, depth: int) -> list[_Value]:
        nodes = scope.bound[name]
        if len(nodes) == 1 and isinstance(nodes[0], ast.arg):
            owner = scope.parent.owner if scope.parent else None
            return [_Instance(owner)] if owner and name == scope.receiver else [None]
        known = [value for node in nodes for value in self._binding(node, scope, depth)]
        if all(isinstance(node, ast.Assign | ast.AnnAssign) for node in nodes):
            if (scope, name) in self.busy:
                return [None]  # `x = x.next()`
            self.busy.add((scope, name))
            made = [
                value
                for node in nodes
                if isinstance(node, ast.Assign | ast.AnnAssign)
                for value in (
                    self._values(node.value, scope, depth + 1) if isinstance(node.value, ast.Call) else [None]
                )
            ]
            self.busy.remove((scope, name))
            return made if all(isinstance(value, _Instance) and not value.after for value in made) else [None]
        return known or [None]

    def _binding(self, node: ast.AST, scope: _Scope, depth: int) -> list[_Value]:
        """What a definition or import makes of its name; nothing for variables."""
        match node:
            case _Bound():
                return self._imported(node.module, node.name, scope.module, depth)
            case ast.ClassDef():
                return [self.classes[node]]
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return [self.functions.get(node, _External())]
        return []

    def _global(self, module: _Module, name: str, depth: int, seen: set[tuple[str, str]]) -> list[_Value]:
        """Everything that a name is at the top of a module; empty where it is not there."""
        if (module.path, name) in seen or depth > _DEEPEST:
            return []
        seen.add((module.path, name))
        if nodes := module.scope.bound.get(name):
            known = [value for node in nodes for value in self._binding(node, module.scope, depth + 1)]
            if known:
                return known
            if len(nodes) == 1 and isinstance(nodes[0], ast.Assign):
                value = nodes[0].value
                if isinstance(value, ast.Name | ast.Attribute | ast.Call):
                    return self._values(value, module.scope, depth + 1)
            return [None]
        if not name.startswith("_"):
            for star in module.stars:
                brought = self._module(star, module)
                if brought and (found := self._global(brought, name, depth + 1, seen)):
                    return found
        return []

    def _imported(self, module: str, name: str, importer: _Module, depth: int) -> list[_Value]:
        found = self._module(module, importer)
        if not name:
            return [found or _External()]
        if found and (values := self._global(found, name, depth + 1, set())):
            return values
        below = self._module(f"{module}.{name}", importer)
        if below:
            return [below]
        return [None] if found else [_External()]

    def _attribute(self, owner: _Value, name: str, depth: int) -> list[_Value]:
        match owner:
            case _Module():
                return self._global(owner, name, depth + 1, set()) or self._submodule(owner, name)
            case _Class():
                return self._member(self._mro(owner, depth), name, depth)
            case _Instance(of=made, after=after):
                return self._member(self._mro(made, depth)[int(after) :], name, depth)
            case _External():
                return [owner]
        return [None]

    def _submodule(self, module: _Module, name: str) -> list[_Value]:
        if not module.path.endswith("__init__.py"):
            return [None]
        return [self._module(f"{module.package}.{name}", module)]

    def _member(self, classes: Sequence[_Class], name: str, depth: int) -> list[_Value]:
        for one in classes:
            if nodes := one.scope.bound.get(name):
                functions = [value for node in nodes for value in self._binding(node, one.scope, depth + 1)]
                return functions or [_Variable()]
        return [None]

    def _module(self, name: str, importer: _Module) -> _Module | None:
        found = self.named.get(name, [])
        if len(found) > 1:
            here = posixpath.dirname(importer.path)
            found = [
                m for m in found if m.path.removesuffix(".py").removesuffix("/__init__") == name.replace(".", "/")
            ] or [m for m in found if posixpath.dirname(m.path) == here]
        return found[0] if len(found) == 1 else None

    def _mro(self, one: _Class, depth: int) -> list[_Class]:
        if one not in self.mros:
            self.mros[one] = [one]
            around = one.scope.parent or one.scope
            bases: list[_Class] = []
            for expression in one.node.bases:
                generic = expression.value if isinstance(expression, ast.Subscript) else expression
                bases += [v for v in self._values(generic, around, 0) if isinstance(v, _Class) and v is not one]
            self.mros[one] = [one, *_c3([*(list(self._mro(base, depth)) for base in bases), bases])]
        return self.mros[one]

    def _class_of_method(self, scope: _Scope) -> _Class | None:
        around: _Scope | None = scope
        while around is not None:
            if around.kind == "class":
                return around.owner
            around = around.parent
        return None

    # Calls ----------------------------------------------------------------------------------------------------------

    def calls(self) -> Calls:
        out = Calls(functions=list(dict.fromkeys(self.functions.values())))
        for module in self.modules:
            for node in module.tree.body:
                self._visit(node, module.scope, out)
        return out

    def _visit(self, node: ast.AST, scope: _Scope, out: Calls) -> None:
        if isinstance(node, ast.Call):
            self._count(node.func, scope, out)
        inner = self.scopes.get(node, scope)
        outside: set[int] = set()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            outside = {id(n) for n in (*node.decorator_list, node.args, node.returns)}
        elif isinstance(node, ast.ClassDef):
            outside = {id(n) for n in (*node.decorator_list, *node.bases, *node.keywords)}
        elif isinstance(node, ast.Lambda):
            outside = {id(node.args)}
        for child in ast.iter_child_nodes(node):
            self._visit(child, scope if id(child) in outside else inner, out)

    def _count(self, called: ast.expr, scope: _Scope, out: Calls) -> None:
        path = scope.module.path
        for value in self._values(called, scope):
            if isinstance(value, Function):
                out.certain[value].add(path)
            elif value is None and isinstance(called, ast.Attribute):
                out.maybe[called.attr].add(path)


def _is_static(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)


def _origin(node: ast.ImportFrom, module: _Module) -> str:
    """The module that a `from` import names, in full."""
    if not node.level:
        return node.module or ""
    package = module.package.split(".") if module.package else []
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _c3(orders: list[list[_Class]]) -> list[_Class]:
    out: list[_Class] = []
    while orders := [order for order in orders if order]:
        behind = {id(one) for order in orders for one in order[1:]}
        chosen = next((order[0] for order in orders if id(order[0]) not in behind), orders[0][0])
        out.append(chosen)
        orders = [[one for one in order if one is not chosen] for order in orders]
    return out
