"""Which lines of code go together, and which names they have."""

from __future__ import annotations

import time

import pytest

from ingest.chunk import chunk
from ingest.types import Chunk
from tests.ingest.conftest import Make

BODY = "".join(f"        step_{i} = self.advance_{i}(record, settings.LIMIT_{i})\n" for i in range(12))
POLICY = f'''"""Policies."""
import os
from .settings import load_settings as load

GRACE = 3


class Policy(Base):
    """How long records live."""

    days: int = 30

    # Kept for auditors.
    @cached
    def expired(self, record):
{BODY}
    expired.short_description = "x"

    def kept(self, record):
{BODY}
'''


def named(chunks: list[Chunk], title: str) -> Chunk:
    return next(one for one in chunks if one.title == title)


def test_a_method_is_a_chunk_under_its_class_whose_head_is_another(document: Make) -> None:
    chunks = chunk(document("heron/policy.py", POLICY))
    assert [one.header for one in chunks] == [
        "heron/policy.py",
        "heron/policy.py > Policy",
        "heron/policy.py > Policy > expired",
        "heron/policy.py > Policy > kept",
    ]
    assert named(chunks, "Policy").text.endswith("days: int = 30")


def test_comments_decorators_and_what_follows_belong_to_the_definition(document: Make) -> None:
    text = named(chunk(document("heron/policy.py", POLICY)), "Policy.expired").text
    assert text.startswith("    # Kept for auditors.\n    @cached\n")
    assert text.endswith('expired.short_description = "x"')


def test_a_definition_is_known_by_its_tails_and_a_module_by_its_path(document: Make) -> None:
    chunks = chunk(document("src/heron/policy.py", POLICY))
    assert {"policy", "heron.policy", "GRACE", "policy.GRACE"} <= set(chunks[0].defines)
    assert {"Policy", "policy.Policy", "days", "Policy.days"} <= set(named(chunks, "Policy").defines)
    assert {"Policy.kept", "kept"} == set(named(chunks, "Policy.kept").defines)


def test_locals_keywords_and_receivers_are_no_mentions(document: Make) -> None:
    mentions = set(named(chunk(document("heron/policy.py", POLICY)), "Policy.kept").mentions)
    assert {"advance_1", "settings.LIMIT_1", "LIMIT_1"} <= mentions
    assert not mentions & {"self", "record", "step_1", "def", "self.advance_1", "kept"}


def test_an_imported_name_is_mentioned_as_what_it_stands_for(document: Make) -> None:
    imports = "from .settings import load_settings as load\nimport heron.jobs as j\n"
    code = imports + "\ndef f():\n    load()\n    j.Purge.run_all()\n"
    mentions = chunk(document("heron/policy.py", code))[0].mentions
    assert {"heron.settings.load_settings", "load_settings", "heron.jobs.Purge.run_all", "run_all"} <= set(mentions)
    assert "load" not in mentions


def test_options_are_defined_and_environment_variables_mentioned(document: Make) -> None:
    code = 'import os\nparser.add_argument("--keep-days")\nrun(["--force"])\nDAYS = os.environ["HERON_DAYS"]\n'
    (one,) = chunk(document("cli.py", code))
    assert "--keep-days" in one.defines
    assert {"--force", "HERON_DAYS"} <= set(one.mentions)
    assert "HERON_DAYS" not in one.defines


def test_docstrings_and_comments_mention_what_prose_would(document: Make) -> None:
    code = '# Called by `Scheduler.run`.\ndef f():\n    """Reads HERON_DAYS; see load_settings() and docs/days.md."""\n'
    (one,) = chunk(document("a.py", code))
    assert {"Scheduler.run", "HERON_DAYS", "load_settings"} <= set(one.mentions)


def test_small_neighbours_share_a_chunk_and_a_small_class_keeps_its_methods(document: Make) -> None:
    code = "import os\n\n\ndef a():\n    return 1\n\n\ndef b():\n    return 2\n" + "x = 1\n" * 250
    chunks = chunk(document("m.py", code + "\n\nclass C:\n    y = 1\n\n    def move(self):\n        return self.y\n"))
    assert {"a", "b"} <= set(chunks[0].defines)
    assert {"C", "C.move", "move"} <= set(chunks[-1].defines)


def test_a_long_function_is_cut_between_statements_under_one_header(document: Make) -> None:
    loops = "".join(f"    for i in range({n}):\n" + f"        work(i, {n})\n" * 10 for n in range(20))
    chunks = chunk(document("m.py", f"def long(first):\n{loops}    return first\n"))
    assert len(chunks) > 2
    assert {one.header for one in chunks} == {"m.py > long"}
    assert all(one.text.startswith(("def long", "    for i", "    return")) and len(one.text) <= 1500 for one in chunks)
    assert all("first" not in one.mentions for one in chunks)


def test_a_go_method_stands_under_its_receiver(document: Make) -> None:
    body = "".join(f"\tp.step{i}(settings.Depth)\n" for i in range(20))
    (one,) = chunk(document("pond.go", f"// Fill fills.\nfunc (p *Pond) Fill() {{\n{body}}}\n"))
    assert (one.title, one.start_line) == ("Pond.Fill", 1)
    assert {"Pond.Fill", "Fill"} <= set(one.defines)
    assert {"step1", "settings.Depth"} <= set(one.mentions)


def test_code_whose_syntax_cannot_be_told_in_time_is_cut_as_text(
    document: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.code_tree.PATIENCE", 0.2)
    text = "local heron = 1\n\n" + "a<" * 20_000  # 20 s where nothing ends it
    begun = time.monotonic()
    chunks = chunk(document("pond.lua", text))
    assert time.monotonic() - begun < 5
    assert "".join(one.text for one in chunks).replace("\n", "") == text.replace("\n", "")
