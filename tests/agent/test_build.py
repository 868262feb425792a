"""The composition root: what the settings choose, and that nothing loads before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake_library import FakeLibrary

from agent.build import limits, make_agent
from agent.settings import Settings
from agent.testing import ScriptedModel
from retrieval.workspace import create

FILES = {"heron.md": "Heron keeps the letters of the harbour office.\n"}


@pytest.mark.parametrize(
    ("model", "profile"), [("local", "compact"), ("local:/x.gguf", "compact"), ("openai/gpt-4o", "full")]
)
def test_a_small_model_gets_the_compact_prompts(model: str, profile: str) -> None:
    assert limits(Settings(model=model)).profile == profile
    assert limits(Settings(model=model, profile="full")).profile == "full"


def test_no_model_answers_extractively_and_remembers_in_the_workspace(tmp_path: Path) -> None:
    workspace = create(tmp_path / ".hoplite", tmp_path)
    agent = make_agent(FakeLibrary(FILES), Settings(model="none"), workspace=workspace)
    answer = agent.ask("What keeps the letters of the harbour office?")
    assert (answer.usage.calls, answer.abstained) == (0, False)
    assert workspace.memory.exists()


def test_memory_can_be_switched_off(tmp_path: Path) -> None:
    workspace = create(tmp_path / ".hoplite", tmp_path)
    settings = Settings(model="none", memory=False)
    make_agent(FakeLibrary(FILES), settings, workspace=workspace).ask("What keeps the letters?")
    assert not workspace.memory.exists()


def test_a_chat_that_is_handed_in_replaces_the_model_of_the_settings() -> None:
    model = ScriptedModel(["Heron [1]"])
    answer = make_agent(FakeLibrary(FILES), Settings(), chat=model).ask("What keeps the letters of the harbour office?")
    assert answer.answer == "Heron [1]"


def test_making_an_agent_loads_nothing_heavy() -> None:
    code = (
        "import sys, agent.build as b; from agent.settings import Settings; b.make_agent(None, Settings());"
        "heavy = {'smolagents', 'torch', 'litellm', 'xllamacpp', 'onnxruntime', 'llama_index'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
