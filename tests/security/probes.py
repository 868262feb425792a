"""What code steps are written with: each probe's last line gives `expect`. Where there is `lacking`, the interpreter
ends it with that error and nothing else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    name: str
    code: str
    expect: object
    lacking: str = ""


NO_SYNTAX, NO_MODULE = "NotImplementedError", "ModuleNotFoundError"

PROBES = [
    Probe("arithmetic", "(7 // 2, 7 % 3, 2 ** 10, round(2.567, 2), abs(-3))", [3, 1, 1024, 2.57, 3]),
    Probe("big integers", "2 ** 80", 2**80),
    Probe("a formatted string", "n = 3.14159\nf'{n:.2f} {\"x\":>3}'", "3.14   x"),
    Probe("percent formatting", "'%s has %d' % ('heron', 42)", "heron has 42"),
    Probe("string methods", "' A,b '.strip().lower().split(',')", ["a", "b"]),
    Probe("join and replace", "'-'.join(['a', 'b']).replace('a', 'c')", "c-b"),
    Probe("slices", "x = list(range(9))\n(x[1:4], x[::-1][0], 'heron'[-2:])", [[1, 2, 3], 8, "on"]),
    Probe("unpacking", "a, *rest = [1, 2, 3]\n(a, rest)", [1, [2, 3]]),
    Probe("a list comprehension", "[i * i for i in range(5) if i % 2]", [1, 9]),
    Probe("a dict comprehension", "{k: len(k) for k in ['a', 'bb']}", {"a": 1, "bb": 2}),
    Probe("a generator expression", "sum(i for i in range(4))", 6),
    Probe("sets", "sorted({1, 2} | {2, 3}) + sorted({1, 2} & {2, 3})", [1, 2, 3, 2]),
    Probe("sorting by a key", "sorted(['bb', 'a'], key=lambda w: (len(w), w), reverse=True)", ["bb", "a"]),
    Probe("enumerate and zip", "[(i, a, b) for i, (a, b) in enumerate(zip('xy', [1, 2]))]", [[0, "x", 1], [1, "y", 2]]),
    Probe("map and filter", "list(map(str, filter(None, [0, 1, 2])))", ["1", "2"]),
    Probe("any, all, min, max", "(any([0, 1]), all([1, 0]), min(3, 1), max([2, 5]))", [True, False, 1, 5]),
    Probe(
        "a function with defaults",
        "def f(a, b=2, *c, d=4, **e):\n    return [a, b, list(c), d, e]\nf(1, d=5, z=6)",
        [1, 2, [], 5, {"z": 6}],
    ),
    Probe(
        "a closure",
        "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n        return n\n    return g\n"
        "g = f()\ng()\ng()",
        2,
    ),
    Probe("recursion", "def fact(n): return 1 if n < 2 else n * fact(n - 1)\nfact(10)", 3628800),
    Probe("a walrus", "[y for x in range(4) if (y := x * 2) > 3]", [4, 6]),
    Probe("a while loop with else", "i = 0\nwhile i < 3:\n    i += 1\nelse:\n    i = 10\ni", 10),
    Probe(
        "break and continue",
        "out = []\nfor i in range(6):\n    if i == 1: continue\n    if i == 4: break\n    out.append(i)\nout",
        [0, 2, 3],
    ),
    Probe(
        "an exception caught",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    said = str(e)\nfinally:\n    done = True\n(said, done)",
        ["division by zero", True],
    ),
    Probe("a tool's error caught", "try:\n    search()\nexcept ToolError as e:\n    said = 'refused'\nsaid", "refused"),
    Probe(
        "a raise",
        "try:\n    raise ValueError('no')\nexcept (KeyError, ValueError) as e:\n    said = repr(e)\nsaid",
        "ValueError('no')",
    ),
    Probe(
        "match", "def f(x):\n    match x:\n        case {'a': n}: return n\n        case _: return 0\nf({'a': 3})", 3
    ),
    Probe(
        "a class",
        "class A:\n    def __init__(self, n):\n        self.n = n\n    def twice(self):\n        return self.n * 2\n"
        "A(4).twice()",
        8,
    ),
    Probe(
        "a data class",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int = 2\nP(1).x + P(1).y",
        3,
    ),
    Probe("json", "import json\njson.loads(json.dumps({'a': [1, None]}))", {"a": [1, None]}),
    Probe("regular expressions", "import re\nre.findall(r'(\\w+)=(\\d+)', 'a=1 b=22')", [["a", "1"], ["b", "22"]]),
    Probe("math", "import math\n(math.sqrt(16), math.floor(2.7))", [4.0, 2]),
    Probe("dates", "from datetime import date\n(date(2026, 3, 1) - date(2026, 2, 1)).days", 28),
    Probe(
        "collections",
        "from collections import Counter, defaultdict\nd = defaultdict(list)\nd['a'].append(1)\n"
        "(Counter('aab').most_common(1), d['a'])",
        [[["a", 2]], [1]],
    ),
    Probe("itertools", "import itertools\nlist(itertools.chain([1], [2]))", [1, 2]),
    Probe("a generator", "def g():\n    yield 1\n    yield 2\nlist(g())", [1, 2], NO_SYNTAX),
    Probe("del", "d = {'a': 1, 'b': 2}\ndel d['a']\nd", {"b": 2}, NO_SYNTAX),
    Probe("inheritance", "class A:\n    n = 3\nclass B(A): pass\nB().n", 3, NO_SYNTAX),
    Probe("statistics", "import statistics\nstatistics.mean([1, 2, 3])", 2, NO_MODULE),
    Probe("textwrap", "import textwrap\ntextwrap.shorten('a b c', 5)", "a b c", NO_MODULE),
    Probe("heapq", "import heapq\nheapq.nlargest(2, [1, 3, 2])", [3, 2], NO_MODULE),
    Probe("string", "import string\nstring.digits", "0123456789", NO_MODULE),
]
