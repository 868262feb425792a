"""Gathering: code steps that go after what the evidence lacks, while steps and time remain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from agent.answer import shown
from agent.budget import BudgetSpent, MeteredChat
from agent.guard import visible
from agent.reflect import Reflection, reflect, reflected, said
from agent.run import Run
from agent.terms import content
from agent.tools import where
from agent.types import Event, Limits, Step, Stepped
from ingest.errors import UserError
from retrieval.types import Passage

if TYPE_CHECKING:
    from agent.code_steps import CodeSteps

_SHARE = 0.6
"""Share of a run's seconds after which no further step begins: what remains is for the answer."""

_LONGEST_HINT = 300
_MOST_KEPT = 3  # passages of an older step that the model still sees
_LONGEST_EXCERPT = 200  # of a passage in the task: enough to see what it is about and what it names


class StepExecutor(Protocol):
    """Where code steps run. `agent.executor` has it."""

    def interrupt(self) -> None:
        """Kill the running step, from any thread."""
        ...

    def cleanup(self) -> None:
        """End what the steps ran in."""
        ...


class Gatherer:
    """The code steps of one run. `interrupt` may be called from any thread."""

    def __init__(self, make_executor: Callable[[], StepExecutor], limits: Limits) -> None:
        self._make_executor = make_executor
        self._limits = limits
        self._executor: StepExecutor | None = None

    def gather(self, run: Run, chat: MeteredChat, reflection: Reflection) -> Iterator[Event]:
        """Take steps until the evidence covers the question, a step finds nothing new or repeats another one, or a cap
        is reached."""
        taken: set[str] = set()
        try:
            with run.stage("gather"):
                steps = self._begin(run, chat, reflection)
            for number in range(1, self._limits.max_steps + 1):
                if not run.budget.has_share(_SHARE):
                    return
                stepped, final = self._step(run, steps, number)
                yield stepped
                reflection = reflect(run.question, run.plan, list(run.ledger))
                steps.tell(reflection.line, _used(run, stepped.passages))
                over = final or reflection.enough or not (stepped.passages or stepped.error) or stepped.code in taken
                yield reflected(reflection, over=over or number == self._limits.max_steps)
                if over:
                    return
                taken.add(stepped.code)
        except BudgetSpent:
            return  # the next stage sees the budget for itself
        finally:
            if self._executor is not None:
                self._executor.cleanup()

    def interrupt(self) -> None:
        """End the step that is running."""
        if (executor := self._executor) is not None:
            executor.interrupt()

    def _begin(self, run: Run, chat: MeteredChat, reflection: Reflection) -> CodeSteps:
        from agent.code_steps import CodeSteps  # smolagents: seconds that an easy question does not pay

        self._executor = self._make_executor()
        return CodeSteps(chat, run.toolbox, self._executor, self._limits.profile, _task(run, reflection, self._limits))

    def _step(self, run: Run, steps: CodeSteps, number: int) -> tuple[Stepped, bool]:
        """Take one step. Raises what the model call raised, and what made the executor give up."""
        from agent.executor import RunAborted

        before, known = run.budget.seconds, run.ledger.next_label
        deadline = threading.Timer(run.budget.left, self.interrupt)
        deadline.daemon = True
        with run.stage("gather", shown=f"step {number}") as span:
            deadline.start()
            try:
                outcome = steps.step()
            except RunAborted as aborted:
                raise aborted.__cause__ or UserError(str(aborted)) from None
            finally:
                deadline.cancel()
            span.set_attribute("hoplite.step", number)
            span.set_attribute("hoplite.step.code", outcome.code)
            span.set_attribute("hoplite.step.observation", outcome.observation)
            span.set_attribute("hoplite.step.error", outcome.error or "")
        labels = tuple(str(n) for n in range(known, run.ledger.next_label))
        run.steps.append(Step("code", outcome.code, labels, outcome.observation, outcome.error))
        seconds = run.budget.seconds - before
        event = Stepped(number, outcome.code, outcome.observation, run.shown(labels), outcome.error, seconds)
        return event, outcome.final


def _task(run: Run, reflection: Reflection, limits: Limits) -> str:
    """What the code agent is told: the question, what was found, one hint, and last what is lacking."""
    found = "\n".join(shown(p, _LONGEST_EXCERPT) for p in run.ledger.best(limits.passages))
    parts = (f"Question: {visible(run.question)}", run.marker.wrap(found), _hint(run), visible(reflection.line))
    return "\n".join(part for part in parts if part)


def _used(run: Run, passages: tuple[Passage, ...]) -> str:
    """What stays of an observation once a newer one stands below it: a sentence of each of its first passages."""
    asked = set(content(run.question))
    lines = [f"[{p.label}] {p.header[:_LONGEST_EXCERPT]}\n{said(p, asked)}" for p in passages[:_MOST_KEPT]]
    return run.marker.wrap("\n".join(lines)) if lines else ""


def _hint(run: Run) -> str:
    """Where notes of earlier runs lead, for the code agent only: it may look there; nothing is answered from it."""
    if not run.notes:
        return ""
    hint = run.marker.wrap(where(run.notes[0])[:_LONGEST_HINT])
    return f"An earlier run, unchecked, looked here; a hint where to look:\n{hint}"
