"""The oracle of who calls what, and its scores."""

from __future__ import annotations

import pytest

from evals.call_oracle import Function, calls
from evals.callers import sample, scores

LIBRARY = "def slug(x): return x\n\n\nclass Water:\n    def fill(self): self.fill()\n\n    def get(self): pass\n"


@pytest.mark.parametrize(
    ("code", "called"),
    [
        ("from lib import slug\nslug(1)", True),
        ("import lib as l\nl.slug(1)", True),
        ("from pack import *\nslug(1)", True),
        ("from pack import cut\ncut(1)", True),
        ("from lib import slug\ndef f():\n    x = slug\n    return [slug for slug in y if slug(1)]", False),
        ("from lib import slug\ndef f(slug): slug(1)", False),
        ("from lib import slug\ndef f():\n    global slug\n    slug = slug(1)", True),
        ("from lib import slug\n@slug\ndef f(): pass", False),
        ("from elsewhere import slug\nslug(1)", False),
    ],
)
def test_a_function_is_called_where_python_would_call_it(code: str, called: bool) -> None:
    sources = {
        "lib.py": LIBRARY,
        "pack/__init__.py": "from lib import *\nfrom lib import slug as cut\n",
        "app.py": code,
    }
    assert ("app.py" in calls(sources).certain[Function("lib.py", "slug")]) is called


@pytest.mark.parametrize(
    ("code", "certain", "maybe"),
    [
        ("from lib import Water\nWater().fill()", True, False),
        ("from lib import Water\ndef f():\n    w = Water()\n    w.fill()", True, False),
        ("from lib import Water\ndef f(x):\n    w = Water()\n    w = x\n    w.fill()", False, True),
        ("from lib import Water\nclass P(Water):\n    def g(self): self.fill()", True, False),
        ("from lib import Water\nclass P(Water):\n    def fill(self): super().fill()", True, False),
        ("from lib import Water\nclass P(Water):\n    fill = 1\n    def g(self): self.fill()", False, False),
        ("class P:\n    x = 1\n    def g(self): self.x.fill()", False, True),
        ("def f(x): x.fill()", False, True),
        ("import json\njson.fill()", False, False),
        ("'text'.fill()", False, False),
        ("def f():\n    x = x.next()\n    x.fill()", False, True),
    ],
)
def test_a_method_is_called_for_certain_or_perhaps(code: str, certain: bool, maybe: bool) -> None:
    found = calls({"lib.py": LIBRARY, "app.py": code})
    assert ("app.py" in found.certain[Function("lib.py", "Water.fill")]) is certain
    assert ("app.py" in found.maybe["fill"]) is maybe


def test_only_what_is_called_is_drawn_and_the_same_for_a_seed() -> None:
    truth = calls({"lib.py": LIBRARY, "app.py": "from lib import slug\nslug(1)\n"})
    assert sample(truth, 10, 1) == sample(truth, 10, 1)
    assert {f.name for f in sample(truth, 10, 1)} == {"slug", "Water.fill"}


def test_micro_scores_count_pairs_and_macro_scores_functions() -> None:
    scored = scores([({"a", "b"}, {"a"}), ({"c"}, {"c"})])
    assert (scored.precision, scored.recall, scored.f1) == (2 / 3, 1.0, 0.8)
    assert (scored.macro_precision, scored.macro_recall) == (0.75, 1.0)
