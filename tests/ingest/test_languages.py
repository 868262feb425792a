"""What holds for every language that is cut by its grammar, and for those whose grammar is not installed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from ingest.chunk import chunk
from ingest.languages import grammar as grammars
from ingest.languages.grammar import LANGUAGES, grammar, has_grammar, package_of
from ingest.languages.recognise import CODE
from ingest.types import Document
from tests.ingest.conftest import Make
from ui.commands.doctor import _languages

_BRACES = "{0} first() {{\n  return 1;\n}}\n\n{0} middle() {{\n  x = = 2;\n}}\n\n{0} last() {{\n  return 3;\n}}\n"
# Three definitions, an error in the middle one; in a style sheet, three names.
BROKEN = {
    "c": _BRACES.format("int"),
    "cpp": _BRACES.format("int"),
    "csharp": "class Pond {\n" + _BRACES.format("int") + "}\n",
    "css": ".first-pond {\n}\n\n.middle-pond {\n  = = ;\n}\n\n.last-pond {\n  color: red;\n}\n",
    "elixir": "defmodule Pond do\n  def first do\n    1\n  end\n\n  def middle do\n    x = = 2\n  end\n\n"
    "  def last do\n    3\n  end\nend\n",
    "go": "package pond\n\n" + _BRACES.format("func"),
    "java": "class Pond {\n" + _BRACES.format("int") + "}\n",
    "javascript": _BRACES.format("function"),
    "kotlin": _BRACES.format("fun"),
    "lua": "function first()\n  return 1\nend\n\nfunction middle()\n  x = = 2\nend\n\n"
    "function last()\n  return 3\nend\n",
    "php": "<?php\n" + _BRACES.format("function"),
    "python": "def first():\n    return 1\n\n\ndef middle():\n    x = = 2\n\n\ndef last():\n    return 3\n",
    "ruby": "def first\n  1\nend\n\ndef middle\n  x = = 2\nend\n\ndef last\n  3\nend\n",
    "rust": _BRACES.format("fn"),
    "scala": "object Pond {\n" + _BRACES.format("def") + "}\n",
    "shell": "first() {\n  echo 1\n}\n\nmiddle() {\n  echo ) ;\n}\n\nlast() {\n  echo 3\n}\n",
    "sql": "CREATE VIEW first AS SELECT 1;\n\nCREATE VIEW middle AS SELECT = = 2;\n\nCREATE VIEW last AS SELECT 3;\n",
    "swift": _BRACES.format("func"),
    # An unfinished value: of `= =` its grammar makes a heredoc, and all below is lost.
    "terraform": 'module "first" {\n}\n\nmodule "middle" {\n  x =\n}\n\nmodule "last" {\n}\n',
    "tsx": _BRACES.format("function"),
    "typescript": _BRACES.format("function"),
}
_RANDOM = random.Random(20)
HOSTILE = {
    "empty": "",
    "nested": "(" * 10_000,
    "words on one line": "word " * 200_000,
    "one long word": "a" * 1_000_000,
    "lines": "word word\n" * 10_000,
    "random": bytes(_RANDOM.randrange(1, 256) for _ in range(50_000)).decode("latin-1"),
}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_syntax_error_hides_no_other_definition(language: str) -> None:
    chunks = chunk(Document("x", BROKEN[language], "code", language, ""))
    defined = {name.rpartition(".")[2].removesuffix("-pond") for one in chunks for name in one.defines}
    assert {"first", "last"} <= defined


@pytest.mark.timeout(60)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_code_is_cut_in_bounded_time_and_loses_nothing(language: str, text: str) -> None:
    chunks = chunk(Document("x", text, "code", language, ""))
    assert sum(len(one.text.replace("\n", "").strip()) for one in chunks) >= 0.99 * len(text.replace("\n", "").strip())


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The wheels whose import was tried; that of Ruby fails as if it were not installed."""
    tried: list[str] = []
    imported = grammars.import_module

    def fake(name: str) -> object:
        tried.append(name)
        if name == "tree_sitter_ruby":
            raise ImportError(name)
        return imported(name)

    monkeypatch.setattr(grammars, "import_module", fake)
    grammar.cache_clear()
    has_grammar.cache_clear()
    yield tried
    grammar.cache_clear()
    has_grammar.cache_clear()


def test_code_whose_grammar_is_not_installed_is_read_as_text_and_asked_for_once(
    imports: list[str], document: Make
) -> None:
    for _ in range(3):
        (one,) = chunk(document("pond.rb", "class Pond\n  def count\n  end\nend\n"))
        assert one.title == "pond.rb"
        assert {"Pond", "count"} <= set(one.defines)  # by the definitions that any language would show
    assert imports == ["tree_sitter_ruby"]


def test_doctor_names_the_package_of_a_grammar_that_is_not_installed(imports: list[str]) -> None:
    cut, missing, text = _languages()
    assert "python" in cut.found.split(", ")
    assert "ruby" not in cut.found.split(", ")
    assert missing.found.startswith("ruby:")
    assert missing.next_step.endswith(package_of("ruby"))
    assert not missing.good
    assert not missing.needed
    assert set(text.found.split(", ")) == CODE - LANGUAGES


def test_shell_and_php_names_are_the_same_with_and_without_the_dollar_sign(document: Make) -> None:
    (script,) = chunk(document("a.sh", 'load-settings "$HERON_DATA"\n'))
    assert "HERON_DATA" in script.mentions
    (page,) = chunk(document("a.php", "<?php\nfunction purge($pond) { $pond->drain_water($this->level_of); }\n"))
    assert {"drain_water", "level_of"} <= set(page.mentions)
    assert not {"pond", "$pond"} & set(page.mentions)


def test_a_shell_function_keeps_the_hyphens_of_its_name(document: Make) -> None:
    (script,) = chunk(document("a.sh", "load-settings() {\n  echo 1\n}\n"))
    assert "load-settings" in script.defines


def test_a_style_sheet_mentions_the_custom_properties_it_reads(document: Make) -> None:
    (sheet,) = chunk(document("a.css", ".pond-card { color: var(--heron-blue); }\n:root { --reed: 1px; }\n"))
    assert {"pond-card", "--reed"} <= set(sheet.defines)
    assert "--heron-blue" in sheet.mentions
    assert not {"color", "var", "pond", "card", "root"} & set(sheet.mentions)
