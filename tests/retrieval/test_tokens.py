from __future__ import annotations

import pytest

from retrieval.tokens import LONGEST, STOP_WORDS, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The heron, and its nest!", ["heron", "nest"]),
        ("loadSettings", ["load", "settings", "loadsettings"]),
        ("load_settings()", ["load", "settings", "load_settings"]),
        ("__init__ _private", ["init", "private"]),
        ("HTTPServer Base64Encoder", ["http", "server", "httpserver", "base64", "encoder", "base64encoder"]),
        ("utf8 1990s SHA256", ["utf8", "1990s", "sha256"]),
        ("is_valid", ["valid", "is_valid"]),
        ("self.get(x)", ["self", "get", "x"]),
        ("___ — …", []),
        ("", []),
    ],
)
def test_words_and_identifiers(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize("text", ["Café", "Cafe\u0301", "CAFÉ"])
def test_accents_and_case_are_folded_however_they_are_written(text: str) -> None:
    assert tokens(text) == ["cafe"]


def test_other_scripts_are_words_too() -> None:
    assert tokens("Москва München 東京") == ["москва", "munchen", "東京"]


def test_one_accent_changes_no_other_word() -> None:
    text = "def load_settings(path): return HTTPServer(path, 10)"
    assert tokens(text + " é")[:-1] == tokens(text)


def test_data_posing_as_a_word_is_cut() -> None:
    assert tokens("x" * 10_000) == ["x" * LONGEST]


def test_no_token_is_a_stop_word() -> None:
    assert not set(tokens(" ".join(STOP_WORDS).title())) & STOP_WORDS
