"""smolagents' Python executor over a child of one of the sandbox's levels: agent code runs there, tools run here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace

from ingest.errors import ToolError
from ingest.locked.clock import STEP, Limits
from ingest.locked.outcome import ChildDied
from ingest.locked.process import Callback, LockedChild
from ingest.locked.report import Level

if TYPE_CHECKING:
    from smolagents.local_python_executor import CodeOutput


CALLS = 2_000
"""Calls of tools that one run is answered; one step has `Limits.calls`."""

_PARTIAL = (
    "The interpreter knows a part of Python: no yield, no del, no inheritance of classes; json, re, math, datetime, "
    "collections and itertools can be imported."
)


class StepFailed(ToolError):
    """The step's code raised, or its child died; the message is the model's observation."""


class RunAborted(BaseException):
    """A tool, or the sandbox, failed in a way no model can fix.

    `__cause__` is what happened: a UserError or a bug, to be raised again by whoever runs the agent. This is a
    BaseException because smolagents shows the model every Exception of an executor and goes on.
    """


class SandboxExecutor:
    """What `CodeAgent(executor=...)` calls. One run at a time; any thread may interrupt it.

    It is no subclass of smolagents' PythonExecutor, because importing smolagents takes seconds and CodeAgent asks for
    these methods only: `send_variables`, then `send_tools` at the start of every run, a call for every step,
    `state["_print_outputs"]` after a step that failed, `cleanup`.

    Tools run in the thread that runs the step. A span that a tool opens belongs to that thread's current span or, where
    a stream is read from a thread that has none, to the span that was current when the run began.
    """

    def __init__(self, *, level: Level = "strong", limits: Limits = STEP) -> None:
        self.state: dict[str, str] = {"_print_outputs": ""}
        self.language = _PARTIAL if level == "interpreter" else ""  # what a model must know of it; "" for all of Python
        self._level: Level = level
        self._limits = limits
        self._calls = 0
        self._callbacks: dict[str, Callback] = {}
        self._variables: dict[str, object] = {}
        self._context = context.get_current()
        self._child: LockedChild | None = None
        self._stopped = False

    def send_variables(self, variables: Mapping[str, object]) -> None:
        """Keep JSON values, which every child from the next `send_tools` on starts with."""
        self._variables = dict(variables)

    def send_tools(self, tools: Mapping[str, Any]) -> None:
        """Begin a run: a fresh child, in which these smolagents tools are functions.

        The child has a `final_answer` of its own. Raises SandboxMissing when not all of the level holds, TypeError when
        a variable is not JSON. The current span learns the level, and what the child found blocked when it tried.
        """
        self.cleanup()
        self._stopped = False
        self._calls = 0
        self._context = context.get_current()
        self._callbacks = {name: self._callback(name, tool) for name, tool in tools.items() if name != "final_answer"}
        with suppress(ChildDied):  # interrupted already; the first step will say so
            report = self._alive().report
            span = trace.get_current_span()
            span.set_attribute("sandbox.level", report.level)
            span.set_attribute("sandbox.attempts", [f"{act} {state}" for act, state in report.attempts.items()])

    def __call__(self, code_action: str) -> CodeOutput:
        """Run one step.

        Raises StepFailed with the model's observation, RunAborted when the run cannot go on. After the death of the
        child the next step gets a fresh one, with the first variables and none of the steps'.
        """
        from smolagents.local_python_executor import CodeOutput

        self.state["_print_outputs"] = ""
        if self._stopped:
            raise StepFailed("stopped")
        try:
            result = self._alive().run(code_action)
        except ChildDied as died:
            raise StepFailed(f"interpreter restarted, variables lost ({died.reason})") from died
        except ToolError as refused:
            raise StepFailed(str(refused)) from refused
        except Exception as error:
            raise RunAborted(f"{type(error).__name__}: {error}") from error
        if result.error is not None:
            self.state["_print_outputs"] = result.printed
            raise StepFailed(result.error)
        return CodeOutput(output=result.value, logs=result.printed, is_final_answer=result.final)

    def interrupt(self) -> None:
        """Kill the running step from any thread; every further step of this run fails with "stopped"."""
        self._stopped = True
        if self._child is not None:
            self._child.interrupt()

    def cleanup(self) -> None:
        """End the child; doing so twice is no error."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _alive(self) -> LockedChild:
        """Return the child, or a fresh one where it is gone."""
        if self._child is None or self._child.closed:
            self._child = LockedChild(self._callbacks, level=self._level, limits=self._limits)
            if self._stopped:  # `interrupt` may have run before there was a child to kill
                self._child.interrupt()
            self._child.set_variables(self._variables)
        return self._child

    def _callback(self, name: str, tool: Any) -> Callback:
        def call(args: list[object], kwargs: dict[str, object]) -> object:
            self._calls += 1
            if self._calls > CALLS:
                raise ToolError(f"call {self._calls} of this run; at most {CALLS} are answered")
            arguments = bind(name, tool, args, kwargs)
            with self._within_the_run():
                return tool(**arguments)

        return call

    @contextmanager
    def _within_the_run(self) -> Iterator[None]:
        if trace.get_current_span().get_span_context().is_valid:
            yield
            return
        token = context.attach(self._context)
        try:
            yield
        finally:
            context.detach(token)


def bind(name: str, tool: Any, args: list[object], kwargs: dict[str, object]) -> dict[str, object]:
    """Return what the child sent as the tool's arguments by name.

    Raises ToolError, with the tool's parameters, for what does not fit the tool's `inputs`.
    """
    from smolagents.tools import validate_tool_arguments

    parameters = list(tool.inputs)
    usage = f"{name}({', '.join(parameters)})"
    if len(args) > len(parameters):
        raise ToolError(f"{usage} takes {len(parameters)} arguments at most; got {len(args)}")
    bound = dict(zip(parameters, args, strict=False))
    if twice := sorted(bound.keys() & kwargs.keys()):
        raise ToolError(f"{usage} got {', '.join(twice)} twice")
    bound.update(kwargs)
    try:
        validate_tool_arguments(tool, bound)
    except (TypeError, ValueError) as error:
        raise ToolError(f"{usage}: {error}") from error
    return bound
