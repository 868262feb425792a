"""Whole runs with the embedded model: they show that the prompts work, which no script can."""

from __future__ import annotations

import pytest
from fake_library import FakeLibrary

from agent.executor import SandboxExecutor
from agent.loop import Agent
from agent.models import make_chat
from agent.types import Answer, Limits
from retrieval import weights

MODELS = weights.models_folder()
HERE = weights.installed(weights.LOCAL_MODEL) is not None
FILES = {
    "heron.md": "# Heron\n\nHeron keeps the letters of the harbour office. Letters go to `ReedStore`.\n",
    "reed.py": "class ReedStore:\n    DAYS_KEPT = 42\n",
    "egret.md": "# Egret\n\nEgret sends the mail of the bridge office.\n",
}


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.skipif(
    not HERE, reason=f"{weights.LOCAL_MODEL} is not in {MODELS}: `hoplite models pull`, or set HOPLITE_MODELS"
)
class TestWithWeights:
    @pytest.fixture(autouse=True)
    def models(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOPLITE_MODELS", str(MODELS))

    def answer(self, question: str) -> Answer:
        limits = Limits(breadth=1, max_steps=2)
        chat = make_chat("local", idle_seconds=5)
        return Agent(FakeLibrary(FILES), chat=chat, executor=SandboxExecutor, limits=limits).ask(question)

    def test_an_easy_question_ends_after_one_call(self) -> None:
        answer = self.answer("What keeps the letters of the harbour office?")
        assert "Heron" in answer.answer
        assert (answer.usage.calls, answer.citations[0].path) == (1, "heron.md")

    def test_it_writes_code_that_follows_a_name_and_cites_both_ends(self) -> None:
        answer = self.answer("For how many days are letters kept in the store that Heron writes to?")
        assert "42" in answer.answer
        assert {c.path for c in answer.citations} == {"heron.md", "reed.py"}
        assert [s.kind for s in answer.steps][-1] == "code"
