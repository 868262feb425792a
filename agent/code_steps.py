"""Code steps: smolagents' CodeAgent, one step at a time, with our prompt and our executor.

Only this module imports smolagents, which takes seconds; it is itself imported when a run first needs a step.

The steps are driven from outside (`CodeAgent.step`), because `CodeAgent.run` makes one more model call when its steps
are used up and lets that call's text past every check. The conversation is ours for the same reason that the prompt
is: smolagents tells every call twice, and a small model reads 100 tokens a second.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from smolagents import CodeAgent, LogLevel, Tool
from smolagents.agents import EMPTY_PROMPT_TEMPLATES
from smolagents.memory import ActionStep
from smolagents.models import ChatMessage, MessageRole
from smolagents.monitoring import AgentLogger, Timing
from smolagents.utils import AgentExecutionError, AgentGenerationError, AgentParsingError

from agent.guard import visible
from agent.models import ChatModel, Completion, Message, as_smolagents
from agent.prompts import prompt
from agent.tools import Toolbox, ToolSpec

# The end has a line feed on both sides: it is also what generation stops at, and "\n```" begins a block as well.
_FENCE = ("```python", "\n```\n")
_MAX_TOKENS = 160  # of one step's reply: a thought and a few calls
_LONGEST_OBSERVATION = 3000
_LONGEST_PRINT = 500
_NO_CODE = "No code was found in that. Write one block that begins with ```python and ends with ```."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step did. `error` is what was wrong with the model's reply or its code, as the model was told it."""

    code: str
    observation: str
    error: str | None
    final: bool


class CodeSteps:
    """The code agent of one run."""

    def __init__(self, chat: ChatModel, toolbox: Toolbox, executor: Any, profile: str, task: str) -> None:
        self._toolbox = toolbox
        self._agent = _Driven(
            tools=[_tool(spec) for spec in toolbox.specs],
            model=as_smolagents(_Fenced(chat), max_tokens=_MAX_TOKENS),
            prompt_templates={**EMPTY_PROMPT_TEMPLATES, "system_prompt": prompt(f"gather_{profile}")},
            executor=executor,
            code_block_tags=_FENCE,
            logger=AgentLogger(level=LogLevel.OFF),
        )
        told = "\n".join(part for part in (task, getattr(executor, "language", "")) if part)
        self._agent.conversation = [_message("system", prompt(f"gather_{profile}")), _message("user", told)]
        self._number = 0
        self._used: str | None = None
        self._last = Outcome("", "", None, False)
        executor.send_variables(variables={})
        executor.send_tools(self._agent.tools)

    def step(self) -> Outcome:
        """Ask the model for its next block and run it.

        A reply without code, code that fails, and a child that dies are outcomes with an `error`. Raises what the
        model call raised, BudgetSpent among it, and the executor's RunAborted.
        """
        self._number += 1
        self._toolbox.take_results()
        record = ActionStep(step_number=self._number, timing=Timing(start_time=time.time()))
        error: str | None = None
        final = False
        try:
            final = bool(getattr(self._agent.step(record), "is_final_answer", False))
        except AgentParsingError:
            error = _NO_CODE
        except AgentExecutionError as failed:
            error = visible(str(failed.message))[:_LONGEST_PRINT]
        except AgentGenerationError as failed:
            raise failed.__cause__ or failed from None
        if error is None and not str(record.code_action or "").strip():
            error = _NO_CODE
        self._last = Outcome(str(record.code_action or ""), self._observation(record), error, final)
        return self._last

    def tell(self, reflection: str, used: str) -> None:
        """Add the last step and what came of it to the conversation, the reflection last, where it is read best.

        `used` is what stays of the observation once the next one is told, so that a prompt grows by a few lines a step.
        """
        last = self._last
        if self._used is not None:
            self._agent.conversation[-1] = _message("user", self._used)
        self._used = used or (visible(f"Error: {last.error}")[:_LONGEST_PRINT] if last.error else "Nothing new.")
        said = f"{_FENCE[0]}\n{last.code.strip()}{_FENCE[1]}" if last.code.strip() else "(no code)"
        told = (last.observation, f"Error: {last.error}" if last.error else "", visible(reflection))
        self._agent.conversation += [
            _message("assistant", said[:_LONGEST_OBSERVATION]),
            _message("user", "\n".join(t for t in told if t)),
        ]

    def _observation(self, record: ActionStep) -> str:
        """What the tools answered, printed or not, then what the code printed beside it."""
        results = self._toolbox.take_results()
        told = "\n".join(results)
        logs = str(record.observations or "").removeprefix("Execution logs:\n")
        printed = logs.rpartition("Last output from code snippet:\n")[0] if "Last output from code" in logs else logs
        # `str` of a list of results shows line feeds as \n: such a repetition is left out too.
        extra = [s for line in printed.splitlines() if (s := visible(line.strip())) and s not in told and len(s) < 400]
        beside = "\n".join(extra)[:_LONGEST_PRINT]
        return "\n".join(t for t in (told, beside) if t)[:_LONGEST_OBSERVATION] or "Nothing was found or printed."


class _Fenced:
    """A chat whose replies have their code between the marks that smolagents looks for."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat
        self.name = chat.name
        self.price = chat.price

    def complete(self, messages: Sequence[Message], **options: Any) -> Completion:
        done = self._chat.complete(messages, **options)
        return replace(done, text=fenced(done.text))


def fenced(reply: str) -> str:
    """Return a reply with its code marked as Python.

    The small model often leaves the marks out and writes nothing but a call, or opens a block without its language.
    """
    if "```" in reply:
        return re.sub(r"```(?:py|Python|python3|tool_code)?[ \t]*\n", "```python\n", reply, count=1)
    try:
        calls = any(isinstance(node, ast.Call) for node in ast.walk(ast.parse(reply.strip())))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return reply
    return f"{_FENCE[0]}\n{reply.strip()}{_FENCE[1]}" if calls else reply


class _Driven(CodeAgent):  # type: ignore[misc]  # smolagents ships no types
    """A CodeAgent that is shown the conversation it is given."""

    conversation: list[ChatMessage]

    def write_memory_to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        return list(self.conversation)


def _message(role: str, text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole(role), content=[{"type": "text", "text": text}])


def _tool(spec: ToolSpec) -> Tool:
    """A smolagents tool for a function of ours; the executor checks its arguments by `inputs`."""

    class Named(Tool):  # type: ignore[misc]  # smolagents ships no types
        name = spec.name
        description = spec.about
        inputs = _inputs(spec)
        output_type = "string"
        skip_forward_signature_validation = True  # one `forward` serves every function

        def forward(self, *args: Any, **kwargs: Any) -> str:
            return spec.call(*args, **kwargs)

    return Named()


def _inputs(spec: ToolSpec) -> dict[str, dict[str, Any]]:
    may_lack = {"nullable": True}
    return {
        parameter: {
            "type": kind.split("|"),
            "description": parameter,
            **(may_lack if parameter in spec.optional else {}),
        }
        for parameter, kind in spec.parameters.items()
    }
