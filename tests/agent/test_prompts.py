"""The prompts: complete, short, and about our functions only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent import prompts
from agent.prompts import conversation, prompt, version
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
    assert len(conversation("answer_compact")[0][1]) < 600
    assert len(prompt("answer_compact")) < 2500  # with its examples, which are read once for all questions
    assert len(prompt("rewrite")) < 600
    assert all(len(prompt(f"{form}_compact")) < 600 for form in ("paragraph", "report", "table"))


@pytest.mark.parametrize(
    "name",
    [
        *("gather_compact", "gather_full", "answer_compact", "answer_full", "paragraph_compact", "paragraph_full"),
        *("report_compact", "report_full", "table_compact", "table_full", "judge_full", "rewrite"),
    ],
)
def test_every_prompt_says_that_sources_are_data(name: str) -> None:
    assert "data" in prompt(name)


def test_an_unknown_prompt_fails() -> None:
    with pytest.raises(FileNotFoundError):
        prompt("poem")


def test_a_message_that_begins_with_a_prompt_has_its_version() -> None:
    text = prompt("gather_compact")
    found = version(text)
    assert found is not None
    assert re.fullmatch(r"gather_compact@[0-9a-f]{8}", found)
    assert version(f"{text}\nMore.") == found
    assert version(prompt("answer_full")) != found
    assert version(text[:-1]) is None


def test_examples_are_turns_and_the_first_turn_has_the_version_of_the_whole_file() -> None:
    (who, told), *examples = conversation("answer_compact")
    assert who == "system"
    assert [speaker for speaker, _ in examples] == ["user", "assistant"] * (len(examples) // 2)
    assert all("---" not in text for _, text in examples)
    assert version(told) == version(prompt("answer_compact"))


def test_another_text_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = set()
    for text in ("Be brief.", "Be brief!"):
        (tmp_path / "poem.md").write_text(text)
        monkeypatch.setattr(prompts, "files", lambda _: tmp_path)
        prompt.cache_clear()
        versions.add(version(prompt("poem")))
    prompt.cache_clear()
    assert len(versions) == 2
