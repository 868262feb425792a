"""Whatever the model, the question or the child does, a run ends soon, in an answer or an error, with a whole trace."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_library import FakeLibrary
from fault_server import (
    Provider,
    answers,
    drops_after_a_piece,
    ends_early,
    fails,
    says,
    says_nothing,
    says_that_it_is_there,
    too_long,
    two_megabytes,
)

from agent import budget, remote_models
from agent.executor import SandboxExecutor
from agent.loop import Agent
from agent.models import ChatModel, Message, StreamedChat, make_chat
from agent.remote_models import litellm_stream
from agent.testing import Line, ScriptedModel
from agent.tracing import SpanRecord, start_tracing, trace, traces
from agent.types import Answer, Limits, Step
from ingest.errors import ModelUnavailable, UserError
from ingest.locked.clock import Limits as StepLimits

# LiteLLM's classes make pydantic warn while they are completed, at the first answer: nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

FILES = {
    "docs/heron.md": "# Heron\nHeron keeps the letters of the harbour office in `ReedStore`.\n",
    "docs/цапля.md": "# Цапля\nЦапля хранит письма портовой конторы в амбаре.\n",
    "docs/鹭.md": "# 鹭\n鹭 保存 港口 办公室 的 信件。\n",
    "src/reed.py": "class ReedStore:\n    KEEP = 42  # d\n\ndef unrelated():\n    return 1\n",
}
EASY = "What keeps the letters of the harbour office?"
TWO_HOP = "For how many days does the store of Heron preserve mail safely underground?"
SOON = 20.0
"""Seconds. On a machine that does nothing else each of these ends within one; what hangs takes a minute or three."""


@dataclass(frozen=True)
class Ended:
    """What became of a run: an answer or an error, and its spans."""

    answer: Answer | None
    error: UserError | None
    spans: list[SpanRecord]

    @property
    def steps(self) -> list[Step]:
        """The code steps."""
        assert self.answer is not None
        return [step for step in self.answer.steps if step.kind == "code"]


class Asking:
    """Asks, and sees to it that the run was over soon and is one trace: one root that ended, and nothing beside it."""

    made: Agent

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(
        self,
        chat: ChatModel | None,
        question: str = EASY,
        *,
        executor: SandboxExecutor | None = None,
        **limits: float,
    ) -> Ended:
        self.made = Agent(
            FakeLibrary(FILES),
            chat=chat,
            executor=lambda: executor or SandboxExecutor(limits=StepLimits(cpu_seconds=0.5, wall_seconds=5)),
            limits=Limits(**{"breadth": 1, "max_steps": 2, "max_seconds": 30, **limits}),  # type: ignore[arg-type]
        )
        answer, error = None, None
        tracing = start_tracing(self._file)
        began, started = time.monotonic(), time.time()
        try:
            answer = self.made.ask(question)
        except UserError as caught:
            error = caught
        finally:
            tracing.close()
        assert time.monotonic() - began < SOON
        # A call of an earlier test that was left alone ends when its connection does, and is written here.
        (summary,) = [found for found in traces(self._file) if found.started >= started]
        records = trace(self._file, summary.id)
        assert [record.span.name for record in records if record.depth == 0] == ["invoke_agent hoplite"]
        spans = [record.span for record in records]
        assert spans[0].parent_id is None
        assert (spans[0].status == "ERROR") == (error is not None)
        if error is not None:
            assert str(error)[:40] in (summary.error or "")
            assert "\n" not in str(error)
        if answer is not None:
            assert all(citation.verified for citation in answer.citations)
        return Ended(answer, error, spans)


@pytest.fixture
def ends(tmp_path: Path) -> Asking:
    return Asking(tmp_path / "traces.sqlite")


def openai(call_seconds: float = 20.0) -> ChatModel:
    """The provider on loopback, with LiteLLM loaded, which takes seconds, before anybody looks at the clock."""
    remote_models._litellm()
    return StreamedChat("openai/gpt-4o-mini", litellm_stream("openai/gpt-4o-mini"), call_seconds)


def step(code: str) -> str:
    return f"```python\n{code}\n```"


# The model ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [EASY, TWO_HOP], ids=["for an answer", "for a step"])
def test_a_model_that_is_missing_is_an_error_with_the_next_step(ends: Asking, question: str) -> None:
    ended = ends(make_chat("local:/nowhere/x.gguf"), question)
    assert isinstance(ended.error, ModelUnavailable)
    assert "There is no model file /nowhere/x.gguf" in str(ended.error)
    assert "--model" in str(ended.error)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_provider_that_refuses_is_asked_once_and_is_an_error(ends: Asking, provider: Provider, status: int) -> None:
    provider.script = [fails(status)]
    ended = ends(openai())
    assert isinstance(ended.error, ModelUnavailable)
    assert "--model" in str(ended.error)
    assert len(provider.asked) == 1


def test_a_model_that_refuses_in_words_is_an_abstention(ends: Asking) -> None:
    answer = ends(ScriptedModel(["I'm sorry, I cannot help with that."] * 9), max_steps=0).answer
    assert (answer.abstained, answer.citations) == (True, ())
    assert "I'm sorry" not in answer.answer


def test_a_provider_that_is_silent_is_an_error_at_the_calls_deadline(ends: Asking, provider: Provider) -> None:
    provider.script = [says_nothing]
    ended = ends(openai(call_seconds=0.4))
    assert "did not finish within" in str(ended.error)


def test_a_provider_that_is_silent_leaves_the_best_sentences_when_the_runs_time_is_over(
    ends: Asking, provider: Provider
) -> None:
    provider.script = [says_nothing]
    answer = ends(openai(), max_seconds=0.5).answer
    assert (answer.stopped, answer.abstained) == ("seconds", False)
    assert answer.answer.startswith("Heron keeps the letters")


def test_a_provider_that_holds_the_line_is_an_error(
    ends: Asking, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.script = [says_that_it_is_there]
    monkeypatch.setattr(budget, "_LONGEST_CALL", 0.5)
    assert "held the line" in str(ends(openai()).error)


def test_a_provider_that_asks_for_a_long_wait_does_not_outlast_the_run(ends: Asking, provider: Provider) -> None:
    provider.script = [fails(429, Retry_After="15"), answers]
    answer = ends(openai(), max_seconds=0.5).answer
    assert (answer.stopped, answer.abstained, len(provider.asked)) == ("seconds", False, 1)


def test_a_provider_that_recovers_is_as_if_it_had_not_failed(ends: Asking, provider: Provider) -> None:
    provider.script = [fails(503), fails(429, Retry_After="0"), says("Heron [1]")]
    ended = ends(openai())
    assert (ended.answer.answer, ended.answer.stopped) == ("Heron [1]", None)
    assert [event["name"] for span in ended.spans for event in span.events] == ["retry", "retry"]


@pytest.mark.parametrize(
    "fault", [fails(503), drops_after_a_piece, too_long], ids=["503", "half a step", "too long for two"]
)
def test_a_step_that_the_provider_fails_is_an_error_of_the_step_and_the_run_goes_on(
    ends: Asking, provider: Provider, fault: Callable[..., None]
) -> None:
    gave = says("Heron keeps the letters of the harbour office [1]")
    provider.script = [
        lambda handler: (fault if "You gather" in str(provider.asked[-1]["messages"]) else gave)(handler)
    ]
    ended = ends(openai(), TWO_HOP)
    (failed,) = ended.steps
    assert "did not answer" in (failed.error or "")
    assert (ended.answer.abstained, ended.answer.stopped) == (False, None)


@pytest.mark.parametrize("half", [drops_after_a_piece, ends_early], ids=["dropped", "ended"])
def test_half_an_answer_is_an_error(ends: Asking, provider: Provider, half: Callable[..., None]) -> None:
    provider.script = [half]
    ended = ends(openai())
    assert isinstance(ended.error, ModelUnavailable)
    assert len(provider.asked) == 1


def test_a_judge_that_fails_leaves_the_draft_as_it_was_checked_without_one(ends: Asking) -> None:
    def away(messages: Sequence[Message]) -> str:
        raise ModelUnavailable("away")

    said = "Heron carefully keeps the letters of the harbour office"
    model = ScriptedModel([f"Heron keeps letters [1]. {said}.", away])
    answer = ends(model, form="paragraph", judge=True, max_steps=0).answer
    assert answer.answer.endswith(f"{said} [no source].")
    assert model.unspoken == 0


def test_a_conversation_beyond_the_window_is_shortened_once(ends: Asking, provider: Provider) -> None:
    provider.script = [too_long, says("Heron [1]")]
    ended = ends(openai())
    assert ended.answer.answer == "Heron [1]"
    assert [event["name"] for span in ended.spans for event in span.events] == ["compacted"]


def test_two_megabytes_are_cut_and_say_nothing(ends: Asking, provider: Provider) -> None:
    provider.script = [two_megabytes]
    answer = ends(openai(), max_steps=0).answer
    assert answer.abstained
    assert len(answer.answer) < 1_000


@pytest.mark.parametrize(
    "code", ["# " + "x" * 2_000_000, "print('x' * 2_000_000)", "y = 'x' * 2_000_000\ny", "search('x' * 2_000_000)"]
)
def test_two_megabytes_in_a_step_are_a_few_lines_for_the_next(ends: Asking, code: str) -> None:
    model = ScriptedModel([step(code), "The sources do not say.", "The sources do not say.", "The sources do not say."])
    ended = ends(model, TWO_HOP, max_steps=1)
    assert len(ended.steps[0].observation) < 5_000
    assert ended.answer.abstained
    assert max(len(message["content"]) for call in model.calls for message in call) < 20_000


@pytest.mark.parametrize(
    "reply",
    [
        "I would search for it.",
        '{"name": "search", "arguments": {"query": "heron"}}',
        '```json\n{"name": "search", "arguments": {"query": "heron"',
        "```python\n```",
        "",
    ],
    ids=["prose", "JSON", "half of JSON in a block", "an empty block", "nothing"],
)
def test_a_reply_without_code_gets_one_hint_and_takes_a_step(ends: Asking, reply: str) -> None:
    model = ScriptedModel([reply, reply, *["The sources do not say."] * 3])
    ended = ends(model, TWO_HOP, max_steps=5)
    assert len(ended.steps) == 2
    assert all("No code was found" in (step.error or "") for step in ended.steps)
    hints = [message["content"] for message in model.calls[1] if "No code was found" in message["content"]]
    assert len(hints) == 1


def test_a_reply_with_two_blocks_takes_one_step(ends: Asking) -> None:
    blocks = "\n\n".join([step("symbols('ReedStore')"), step("1/0")])
    model = ScriptedModel([blocks, "ReedStore [2]", "ReedStore [2]"])
    (taken,) = ends(model, TWO_HOP, max_steps=1).steps
    assert "ReedStore" in taken.observation


@pytest.mark.parametrize("code", ["launch_rocket()", "tools.search('x')", "import requests\nrequests.get('x')"])
def test_a_tool_that_does_not_exist_is_what_the_next_step_is_told(ends: Asking, code: str) -> None:
    model = ScriptedModel([step(code), step("search('heron letters')"), *["Heron keeps the letters [1]"] * 2])
    ended = ends(model, TWO_HOP)
    assert ended.steps[0].error
    assert ended.steps[0].error[:40] in model.calls[1][-1]["content"]
    assert not ended.answer.abstained


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        ([step("while True: pass")] * 3, 2),
        ([step("def f(): f()\nf()")] * 3, 2),
        ([step("while True: search('heron')")] * 3, 2),
        ([step("1/0")] * 9, 2),
        ([step(f"read('src/reed.py', {line}, {line})") for line in (1, 2, 4, 5, 1, 2)], 4),
    ],
    ids=["in its code", "in its code by calls", "in its searches", "by the same step", "by another step each time"],
)
def test_a_model_that_loops_is_ended(ends: Asking, script: list[Line], steps: int) -> None:
    def written(messages: Sequence[Message]) -> str:
        gathers = messages[0]["content"].startswith("You gather")
        return str(script.pop(0)) if gathers else "Heron keeps the letters [1]"

    ended = ends(ScriptedModel([written] * 20), TWO_HOP, max_steps=4)
    assert len(ended.steps) <= steps
    assert not ended.answer.abstained


def test_a_draft_that_repeats_itself_without_end_is_cut(ends: Asking) -> None:
    answer = ends(ScriptedModel(["Heron keeps the letters [1].\n" * 100_000])).answer
    assert not answer.abstained
    assert len(answer.answer) < 10_000


# The question ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["", " \n\t", "x" * 50_000, "Why? " * 10_000])
def test_a_question_of_nothing_or_of_50_000_characters_is_refused_with_the_next_step(
    ends: Asking, question: str
) -> None:
    ended = ends(ScriptedModel([]), question)
    assert "question" in str(ended.error)
    assert [word for word in ("hoplite ask", "Shorten it") if word in str(ended.error)]
    assert len(ended.spans) == 1


@pytest.mark.parametrize(
    ("question", "cited"),
    [
        ("Где цапля хранит письма портовой конторы?", "docs/цапля.md"),
        ("鹭 保存 什么 信件?", "docs/鹭.md"),
        ("أين يحفظ مالك الحزين الرسائل؟", ""),
        ("कौन पत्र रखता है?", ""),
        ("🦩🦩🦩?", ""),
        ("\u202eWhat keeps the letters of the harbour office?", "docs/heron.md"),
        ("What keeps the letters \ud800 of the harbour office?", "docs/heron.md"),
    ],
)
def test_a_question_in_another_script_is_answered_or_declined(ends: Asking, question: str, cited: str) -> None:
    answer = ends(None, question).answer
    assert answer.abstained == (not cited)
    assert {citation.path for citation in answer.citations} == ({cited} if cited else set())


# The child ------------------------------------------------------------------------------------------------------------


def test_a_child_that_is_killed_between_two_steps_is_replaced(ends: Asking) -> None:
    executor = SandboxExecutor()

    def kills(messages: Sequence[Message]) -> str:
        assert executor._child is not None
        os.kill(executor._child._process.pid, signal.SIGKILL)
        return step("search('letters harbour')")

    script = [step("1/0"), kills, step("search('class ReedStore')"), *["Heron keeps the letters [1]"] * 2]
    ended = ends(ScriptedModel(script), TWO_HOP, executor=executor, max_steps=3)
    assert "variables lost" in (ended.steps[1].error or "")
    assert ended.steps[2].error is None
    assert not ended.answer.abstained


def test_a_child_that_is_killed_in_a_step_is_an_error_of_the_step(ends: Asking) -> None:
    executor = SandboxExecutor()

    def kill() -> None:
        while executor._child is None:
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(executor._child._process.pid, signal.SIGKILL)

    def begins(messages: Sequence[Message]) -> str:
        threading.Thread(target=kill).start()
        return step("import time\ntime.sleep(20)")

    model = ScriptedModel([begins, step("search('class ReedStore')"), *["Heron keeps the letters [1]"] * 2])
    ended = ends(model, TWO_HOP, executor=executor)
    assert "interpreter restarted, variables lost" in (ended.steps[0].error or "")
    assert ended.steps[1].error is None
    assert not ended.answer.abstained


def test_a_stop_kills_the_child_within_a_fifth_of_a_second(ends: Asking) -> None:
    executor = SandboxExecutor()
    died: list[float] = []

    def stop() -> None:
        while executor._child is None:
            time.sleep(0.01)
        time.sleep(0.3)
        child, began = executor._child._process, time.monotonic()
        ends.made.stop()
        child.wait(5)
        died.append(time.monotonic() - began)

    def begins(messages: Sequence[Message]) -> str:
        threading.Thread(target=stop).start()
        return step("while True: pass")

    ended = ends(ScriptedModel([begins]), TWO_HOP, executor=executor)
    assert ended.answer.stopped == "stop"
    assert ended.spans[0].attributes["hoplite.stopped"] == "stop"
    assert died[0] < 0.2
