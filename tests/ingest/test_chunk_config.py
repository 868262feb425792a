"""Configuration: its pieces, the names of its keys, and files made to break its readers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import chunk
from ingest.config_tree import LARGEST
from ingest.types import Chunk
from tests.ingest.conftest import Make, made

COMPOSE = """\
services:
  db:
    image: postgres:16
    environment:
      - HERON_RETENTION=30
      - PORT=$HERON_PORT
  station:
    env:
      - name: HERON_DB
        value: ${DB_HOST:-local}
"""
LINES = st.sampled_from([
    "", "a:", "  b: 1", "    c: [1, 2]", "- d", "- e: f", "  g: |", "      text", "---", "# c", "? k", ": v", "*x",
    "{", "}", '"k": {', '"l": 1,', "],", "[", "// c", "[t]", "[t.u]", "[[v]]", "w-x = 1", 'y = """', "z = {a = 1}",
    "&x y",
    "é: ü", "a\u2028: b", "\ta", "x" * 900,
])  # fmt: skip


def defined(chunks: list[Chunk]) -> set[str]:
    return {name for one in chunks for name in one.defines}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["a.json", "a.yaml", "a.toml", "a.ini"]), st.lists(LINES, max_size=60))
def test_every_line_is_in_one_chunk_under_its_true_number(path: str, lines: list[str]) -> None:
    seen: list[int] = []
    for one in chunk(made(path, "\n".join(lines))):
        assert one.text == "\n".join(lines[one.start_line - 1 : one.end_line])
        seen += range(one.start_line, one.end_line + 1)
    assert seen == sorted(set(seen))
    assert {i for i, line in enumerate(lines, 1) if line.strip()} <= set(seen)


def test_a_large_table_is_a_chunk_of_its_own_and_the_trail_shows_it(document: Make) -> None:
    rules = "".join(f'"rule-{i}" = true\n' for i in range(30))
    chunks = chunk(document("pyproject.toml", f'[project]\nname = "heron"\n\n# the linter\n[tool.ruff.lint]\n{rules}'))
    assert [one.header for one in chunks] == ["pyproject.toml > project", "pyproject.toml > tool.ruff.lint"]
    assert chunks[1].text.startswith("# the linter")


def test_a_key_too_large_for_a_chunk_is_cut_at_its_own_keys(document: Make) -> None:
    paths = "".join(
        f"  /{name}:\n    get:\n      operationId: list{name.title()}\n      summary: {'All of them. ' * 30}\n"
        for name in ("herons", "ponds", "gates", "weirs")
    )
    chunks = chunk(document("openapi.yaml", f"openapi: 3.1.0\npaths:\n{paths}"))
    assert [one.header for one in chunks[1:]] == [
        f"openapi.yaml > paths > /{name}" for name in ("herons", "ponds", "gates", "weirs")
    ]
    assert "listPonds" in chunks[2].defines


def test_items_of_a_list_go_by_their_name_and_documents_by_their_kind(document: Make) -> None:
    steps = "".join(f"      - name: Step {i}\n        run: {'echo heron; ' * 40}\n" for i in range(4))
    chunks = chunk(document("ci.yml", f"jobs:\n  test:\n    steps:\n{steps}"))
    assert chunks[1].header == "ci.yml > jobs > test > steps > Step 1"
    pods = "".join(f"kind: Pod\nmetadata:\n  name: heron-{i}\nspec:\n  note: {'long ' * 80}\n---\n" for i in range(2))
    assert [one.title for one in chunk(document("pods.yaml", pods))][:2] == ["Pod heron-0", "Pod heron-1"]


@pytest.mark.parametrize(("path", "text"), [
    ("a.toml", "[tool.ruff]\nline-length = 120\nselect = 1"),
    ("a.json", '{"tool": {"ruff": {"line-length": 120, "select": 1}}}'),
    ("a.jsonc", '{\n  // why\n  "tool": {"ruff": {"line-length": 120, "select": 1,},},\n}'),
    ("a.yaml", "tool:\n  ruff:\n    line-length: 120\n    select: 1"),
    ("a.ini", "[tool.ruff]\nline-length = 120\nselect = 1"),
    ("a.properties", "tool.ruff.line-length=120\ntool.ruff.select=1"),
])  # fmt: skip
def test_a_key_defines_its_path_and_its_tails_but_no_everyday_word(path: str, text: str, document: Make) -> None:
    names = defined(chunk(document(path, text)))
    assert {"tool.ruff.line-length", "ruff.line-length", "line-length", "line_length", "line length"} <= names
    assert {"tool.ruff.select", "ruff.select"} <= names
    assert "select" not in names


def test_environment_variables_are_names_wherever_they_are_set_or_read(document: Make) -> None:
    (one,) = chunk(document("docker-compose.yml", COMPOSE))
    assert {"HERON_RETENTION", "PORT", "HERON_DB"} <= set(one.defines)
    assert {"HERON_PORT", "DB_HOST"} <= set(one.mentions)
    assert "image" not in one.defines
    (one,) = chunk(document(".env.example", "# secrets\nexport HERON_KEY=\nPORT=80\n"))
    assert {"HERON_KEY", "PORT"} <= set(one.defines)
    (one,) = chunk(document("ci.yml", "env:\n  HERON_ENV: test\nrun: ${{ secrets.TOKEN }}"))
    assert "HERON_ENV" in one.defines
    assert "TOKEN" in one.mentions


def test_values_mention_files_and_dotted_names_but_keys_mention_nothing(document: Make) -> None:
    (one,) = chunk(document("app/package.json", '{"main": "./src/start.js", "job": "heron.jobs.purge", "a_b": 1}'))
    assert {"start.js", "src/start", "heron.jobs.purge"} <= set(one.mentions)
    assert "a_b" not in one.mentions


def test_what_is_no_yaml_is_cut_by_its_blank_lines_and_its_keys_are_still_names(document: Make) -> None:
    chunks = chunk(document("chart.yaml", "retention:\n  days: {{ .Values.days }}\n{{- end }}\n"))
    assert "retention" in defined(chunks)


def test_a_mapping_as_a_key_does_not_shift_the_keys_after_it(document: Make) -> None:
    names = defined(chunk(document("a.yaml", "? {x: 1}\n: value\nheron-days: 3\n")))
    assert "heron-days" in names
    assert "value" not in names


HOSTILE = {
    "json nested": ("a.json", "[" * 100_000 + "]" * 100_000),
    "json nested lines": ("a.json", '{"a":\n' * 100_000),
    "json line": ("a.json", "[" + '{"a": 1, "b": [1, 2]},' * 900_000 + "1]"),
    "yaml brackets": ("a.yaml", "[" * 100_000),
    "yaml nested": ("a.yaml", "\n".join(" " * i + "a:" for i in range(1_400))),
    "yaml dashes": ("a.yaml", "- " * 100_000),
    "yaml keys": ("a.yaml", "? " * 100_000),
    "yaml scalar": ("a.yaml", 'a: "' + "x" * 10_000_000 + '"\n'),
    "toml garbage": ("a.toml", "[[[=]]= \n'\"" * 20_000),
    "toml nested": ("a.toml", "a = " + "[" * 100_000),
    "ini spaces": ("a.ini", ("[ " + " " * 100_000 + "\n") * 3),
    "ini word": ("a.ini", "a" * 1_000_000 + " " * 100_000),
    "dollars": ("a.yaml", "a: b\nc: " + "${" * 100_000),
    "slashes": ("a.json", '{"a": "' + "/a" * 100_000 + '"}'),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_configuration_is_read_within_bounds(case: str, document: Make) -> None:
    path, text = HOSTILE[case]
    begun = time.process_time()
    chunks = chunk(document(path, text))
    assert time.process_time() - begun < 20
    assert max(len(one.text) for one in chunks) <= 2_000
    assert len(chunks) <= len(text) / 500 + 200


def test_aliases_are_never_expanded(document: Make) -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
    )
    assert sum(len(one.text) for one in chunk(document("a.yaml", bomb))) <= len(bomb)


def test_data_has_a_bounded_number_of_names(document: Make) -> None:
    text = "{" + ",\n".join(f'"key_{i}": {{"deep_{i}": {i}}}' for i in range(40_000)) + "}"
    assert len(text) < LARGEST
    assert 500 <= len(defined(chunk(document("data.json", text)))) <= 1_600
