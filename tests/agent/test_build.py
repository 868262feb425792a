"""The composition root: what the settings choose, and that nothing loads before it is needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_library import FakeLibrary

from agent import build
from agent.build import limits, make_agent
from agent.settings import Settings
from agent.testing import ScriptedModel
from ingest.errors import UserError
from ingest.locked import process
from ingest.locked.process import readable_paths
from ingest.locked.report import SandboxMissing
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
        "import sys, agent.build as b; from agent.settings import Settings; from types import SimpleNamespace;"
        "from retrieval.types import HERE; b.make_agent(SimpleNamespace(place=HERE), Settings());"
        "heavy = {'smolagents', 'torch', 'litellm', 'xllamacpp', 'onnxruntime', 'llama_index'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A kernel whose Landlock lets files be read, as far as the child can tell."""
    monkeypatch.setattr(process, "readable_paths", lambda: [*readable_paths(), "/etc"])
    build._tested.cache_clear()
    yield monkeypatch
    build._tested.cache_clear()


def test_the_level_is_said_where_it_is_not_strong_and_is_in_the_answer(kernel: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    agent = make_agent(FakeLibrary(FILES), Settings(), chat=ScriptedModel(["Heron [1]"]), say=said.append)
    assert len(said) == 1
    assert said[0].startswith("Sandbox: interpreter (strong cannot be had: files: open).")
    assert agent.ask("What keeps the letters of the harbour office?").sandbox == "interpreter"


def test_a_level_that_cannot_be_had_stops_the_start_and_no_other_is_taken(kernel: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"level strong cannot be had on this machine \(files: open\)"):
        make_agent(FakeLibrary(FILES), Settings(sandbox="strong"), chat=ScriptedModel([]))
    kernel.setattr(process, "monty", _absent)
    with pytest.raises(UserError, match=r"monty: not installed.*`--max-steps 0`"):
        make_agent(FakeLibrary(FILES), Settings(), chat=ScriptedModel([]))


def test_where_no_code_can_run_no_sandbox_is_needed(kernel: pytest.MonkeyPatch) -> None:
    kernel.setattr(process, "monty", _absent)
    for settings, chat in ((Settings(max_steps=0), ScriptedModel(["Heron [1]"])), (Settings(model="none"), None)):
        agent = make_agent(FakeLibrary(FILES), settings, chat=chat)
        assert agent.ask("What keeps the letters of the harbour office?").sandbox == "no code"


def _absent() -> dict[str, object]:
    raise SandboxMissing("interpreter", "monty: not installed")
