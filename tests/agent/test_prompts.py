"""The prompts: complete, short, and about our functions only."""

from __future__ import annotations

import re

import pytest

from agent.prompts import prompt
from agent.tools import Toolbox


@pytest.mark.parametrize("profile", ["compact", "full"])
def test_the_gathering_prompt_names_every_function_and_no_other(profile: str) -> None:
    text = prompt(f"gather_{profile}")
    named = set(re.findall(r"^(\w+)\(", text, re.MULTILINE))
    box = Toolbox(None, None, None)  # type: ignore[arg-type]
    assert named == {spec.name for spec in box.specs} | {"final_answer"}


def test_the_compact_prompts_stay_short() -> None:
    # About four characters a token, and the small model reads a hundred tokens a second.
    assert len(prompt("gather_compact")) < 1300
    assert len(prompt("answer_compact")) < 600
    assert len(prompt("rewrite")) < 600


@pytest.mark.parametrize("name", ["gather_compact", "gather_full", "answer_compact", "answer_full", "rewrite"])
def test_every_prompt_says_that_sources_are_data(name: str) -> None:
    assert "data" in prompt(name)


def test_an_unknown_prompt_fails() -> None:
    with pytest.raises(FileNotFoundError):
        prompt("poem")
