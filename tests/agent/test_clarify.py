"""The one question back: asked by evidence, and changed by nothing but a reply."""

from __future__ import annotations

import pytest
from fake_library import FakeLibrary

from agent.clarify import clarified, clarify
from agent.types import Clarify

FILES = {
    "heron.py": "def load_all():\n    return 1\n",
    "egret.py": "def load_all():\n    return 2\n\ndef save_all():\n    return 3\n",
}


def asked(question: str) -> Clarify | None:
    return clarify(question, FakeLibrary(FILES))


def test_a_code_name_with_several_definitions_is_asked_about() -> None:
    found = asked("What does load_all return?")
    assert found is not None
    assert found.choices == ("heron.py:load_all", "egret.py:load_all")
    assert "2 places" in found.question


@pytest.mark.parametrize(
    "question",
    ["What does save_all return?", "What does load_all in egret return?", "What does heron.load_all return?"],
)
def test_a_name_that_means_one_thing_or_is_told_apart_is_not(question: str) -> None:
    assert asked(question) is None


@pytest.mark.parametrize(("question", "pronoun"), [("Where was he born?", "he"), ("What does it return?", "it")])
def test_a_pronoun_that_stands_for_nothing_is_asked_about(question: str, pronoun: str) -> None:
    found = asked(question)
    assert found is not None
    assert f'"{pronoun}"' in found.question


@pytest.mark.parametrize(
    "question",
    [
        "Where was Ada Quill's father when she was born?",
        "Is it possible to store letters?",
        "Which store keeps its files?",
        "How does this parser work?",
        "Who was the king?",
    ],
)
def test_a_pronoun_that_stands_for_something_is_not(question: str) -> None:
    assert asked(question) is None


@pytest.mark.parametrize(
    ("reply", "question"),
    [
        ("2", "What does load_all return? (egret.py:load_all)"),
        ("the one of egrets", "What does load_all return? (the one of egrets)"),
        ("", "What does load_all return?"),
    ],
)
def test_a_reply_is_a_choice_or_words_and_none_changes_nothing(reply: str, question: str) -> None:
    found = asked("What does load_all return?")
    assert found is not None
    assert clarified("What does load_all return?", found, reply) == question
