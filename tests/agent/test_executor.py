"""The executor keeps smolagents' contract, with tools in the parent and code in the child."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.executor import RunAborted, SandboxExecutor, StepFailed
from ingest.errors import ToolError, UserError
from ingest.locked.clock import Limits


class Tool:
    """The part of a smolagents tool that the executor uses."""

    def __init__(self, function: Any, **inputs: dict[str, object]) -> None:
        self.inputs = inputs
        self._function = function

    def __call__(self, **arguments: object) -> object:
        return self._function(**arguments)


def search(query: str, k: int = 5) -> list[str]:
    return [query] * k


TOOLS = {"search": Tool(search, query={"type": "string"}, k={"type": "integer", "nullable": True})}


@pytest.fixture
def executor() -> Iterator[SandboxExecutor]:
    executor = SandboxExecutor(limits=Limits(cpu_seconds=0.5, wall_seconds=5))
    executor.send_variables(variables={"given": 7})
    executor.send_tools(TOOLS)
    yield executor
    executor.cleanup()


def with_tool(executor: SandboxExecutor, function: Any) -> None:
    executor.send_tools({"tool": Tool(function)})


def test_a_step_gives_its_output_its_logs_and_whether_it_is_final(executor: SandboxExecutor) -> None:
    step = executor("print('looking')\nfound = search('heron', k=2)\nfound")
    assert (step.output, step.logs, step.is_final_answer) == (["heron", "heron"], "looking\n", False)
    last = executor("final_answer(found[0])")
    assert (last.output, last.is_final_answer) == ("heron", True)


def test_every_run_starts_with_the_variables_and_nothing_else(executor: SandboxExecutor) -> None:
    assert executor("mine = given + 1\nmine").output == 8
    executor.send_tools(TOOLS)
    with pytest.raises(StepFailed, match="name 'mine' is not defined"):
        executor("mine")


def test_a_failed_step_is_an_observation_and_keeps_what_it_printed(executor: SandboxExecutor) -> None:
    with pytest.raises(StepFailed, match="line 2: ZeroDivisionError"):
        executor("print('before')\n1 / 0")
    assert executor.state["_print_outputs"] == "before\n"


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("search()", "Argument query is required"),
        ("search('a', 1, 2)", r"search\(query, k\) takes 2 arguments at most; got 3"),
        ("search('a', query='b')", "got query twice"),
        ("search('a', limit=3)", "Argument limit is not in the tool's input schema"),
        ("search(['a'])", "type 'array' but should be 'string'"),
        ("search('a', sanitize_inputs_outputs=True)", "not in the tool's input schema"),
    ],
)
def test_arguments_that_do_not_fit_are_the_models_to_correct(
    executor: SandboxExecutor, call: str, complaint: str
) -> None:
    with pytest.raises(StepFailed, match=complaint):
        executor(call)


def test_a_tool_error_is_an_observation(executor: SandboxExecutor) -> None:
    def read() -> str:
        raise ToolError("there is no file heron.md")

    with_tool(executor, read)
    with pytest.raises(StepFailed, match="ToolError: there is no file heron"):
        executor("tool()")


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), UserError("fetch the weights")])
def test_what_no_model_can_fix_ends_the_run(executor: SandboxExecutor, error: Exception) -> None:
    def fail() -> str:
        raise error

    with_tool(executor, fail)
    with pytest.raises(RunAborted) as aborted:
        executor("try: tool()\nexcept: pass")
    assert aborted.value.__cause__ is error


def test_a_tool_result_that_is_not_json_is_a_bug(executor: SandboxExecutor) -> None:
    with_tool(executor, object)
    with pytest.raises(RunAborted, match="not JSON serializable"):
        executor("tool()")


def test_after_a_death_the_next_step_has_a_fresh_child(executor: SandboxExecutor) -> None:
    executor("mine = 1")
    with pytest.raises(StepFailed, match=r"^interpreter restarted, variables lost \(CPU limit of 0.5 s\)$"):
        executor("while True: pass")
    assert executor("given, 'mine' in globals()").output == [7, False]


def test_an_interrupt_ends_this_step_and_the_rest_of_the_run(executor: SandboxExecutor) -> None:
    timer = threading.Timer(0.1, executor.interrupt)
    timer.start()
    start = time.monotonic()
    with pytest.raises(StepFailed, match="stopped"):
        executor("import time\ntime.sleep(60)")
    assert time.monotonic() - start < 0.4
    with pytest.raises(StepFailed, match=r"^stopped$"):
        executor("1")
    executor.send_tools(TOOLS)
    assert executor("1").output == 1


def test_a_run_is_answered_so_many_calls_and_no_more(
    executor: SandboxExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.executor.CALLS", 3)
    executor("search('a')\nsearch('b')")
    with pytest.raises(StepFailed, match="call 4 of this run; at most 3 are answered"):
        executor("search('c')\nsearch('d')")
    executor.send_tools(TOOLS)
    assert executor("search('e', k=1)").output == ["e"]


def test_the_interpreter_keeps_the_same_contract() -> None:
    executor = SandboxExecutor(level="interpreter", limits=Limits(cpu_seconds=0.5, wall_seconds=5))
    executor.send_variables(variables={"given": 7})
    executor.send_tools(TOOLS)
    assert "no yield" in executor.language
    step = executor("print('looking')\nfound = search('heron', k=2)\nfound, given")
    assert (step.output, step.logs, step.is_final_answer) == ([["heron", "heron"], 7], "looking\n", False)
    with pytest.raises(StepFailed, match=r"ToolError: search\(query, k\) takes 2 arguments at most; got 3"):
        executor("search('a', 1, 2)")
    with pytest.raises(StepFailed, match=r"^interpreter restarted, variables lost \((CPU|time) limit of \d"):
        executor("while True: pass")
    assert executor("given").output == 7
    last = executor("final_answer(search('end', k=1)[0])")
    assert (last.output, last.is_final_answer) == ("end", True)
    executor.cleanup()


def test_cleaning_up_twice_is_no_error(executor: SandboxExecutor) -> None:
    executor.cleanup()
    executor.cleanup()


class Traced:
    """A provider of its own: the global one can be set once a process only."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self._provider = TracerProvider()
        self._provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self._provider.get_tracer("test")

    def parents(self) -> dict[str, str | None]:
        spans = self.exporter.get_finished_spans()
        names = {span.context.span_id: span.name for span in spans}
        return {span.name: names[span.parent.span_id] if span.parent else None for span in spans}


def traced_run(executor: SandboxExecutor, traced: Traced, *, in_a_thread: bool) -> None:
    def look() -> None:
        with traced.tracer.start_as_current_span("tool"):
            pass

    with traced.tracer.start_as_current_span("run"):
        with_tool(executor, look)
        if in_a_thread:
            thread = threading.Thread(target=executor, args=("tool()",))
            thread.start()
            thread.join()
        else:
            with traced.tracer.start_as_current_span("step"):
                executor("tool()")


def test_a_tool_span_belongs_to_the_step_that_calls_it(executor: SandboxExecutor) -> None:
    traced = Traced()
    traced_run(executor, traced, in_a_thread=False)
    assert traced.parents() == {"run": None, "step": "run", "tool": "step"}


def test_a_tool_span_in_a_thread_without_context_belongs_to_the_run(executor: SandboxExecutor) -> None:
    traced = Traced()
    traced_run(executor, traced, in_a_thread=True)
    assert traced.parents() == {"run": None, "tool": "run"}


def test_a_run_is_traced_with_the_level_of_its_sandbox(executor: SandboxExecutor) -> None:
    traced = Traced()
    traced_run(executor, traced, in_a_thread=False)
    (run,) = (span for span in traced.exporter.get_finished_spans() if span.name == "run")
    assert run.attributes is not None
    assert run.attributes["sandbox.level"] == "strong"
    assert trace.get_current_span().get_span_context().is_valid is False


def code_agent(executor: SandboxExecutor, tools: list[Any], *steps: str) -> Any:
    """A real CodeAgent whose model reads its steps from a script."""
    from smolagents import CodeAgent
    from smolagents.models import ChatMessage, MessageRole, Model

    class Script(Model):  # type: ignore[misc]
        def generate(self, messages: Any, **_: Any) -> ChatMessage:
            self.seen = messages
            return ChatMessage(role=MessageRole.ASSISTANT, content=f"<code>\n{next(script)}\n</code>")

    script = iter(steps)
    return CodeAgent(tools=tools, model=Script(), executor=executor, verbosity_level=0)


def test_smolagents_goes_on_after_a_death_and_an_error_and_finishes(executor: SandboxExecutor) -> None:
    steps = ["x = 1 / 0", "while True: pass", "import socket\nsocket.socket()", "final_answer(given + 1)"]
    agent = code_agent(executor, [], *steps)
    agent.state["given"] = 41
    assert agent.run("count") == 42
    observed = [str(step.error) for step in agent.memory.steps if getattr(step, "error", None)]
    assert ["ZeroDivisionError" in observed[0], "CPU limit" in observed[1], "PermissionError" in observed[2]] == [
        True
    ] * 3


def test_smolagents_does_not_swallow_a_bug_in_a_tool(executor: SandboxExecutor) -> None:
    from smolagents import tool

    @tool
    def look(place: str) -> str:
        """Looks.

        Args:
            place: Where.
        """
        raise KeyError(place)

    agent = code_agent(executor, [look], "look('here')", "final_answer(1)")
    with pytest.raises(RunAborted, match="KeyError: 'here'"):
        agent.run("look")
