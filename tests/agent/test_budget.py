"""Time and calls: counted, ended on time, stopped from anywhere, errors kept."""

from __future__ import annotations

import threading
import time

import pytest

from agent.budget import Budget, BudgetSpent, MeteredChat
from agent.models import Completion
from agent.testing import ScriptedModel
from ingest.errors import ModelUnavailable

ASK = [{"role": "user", "content": "one two three"}]


def test_a_budget_is_spent_when_its_seconds_are() -> None:
    now = [0.0]
    budget = Budget(10, clock=lambda: now[0])
    assert (budget.spent, budget.left, budget.has_share(0.6)) == (None, 10, True)
    now[0] = 6.0
    assert (budget.spent, budget.has_share(0.6)) == (None, False)
    now[0] = 11.0
    assert (budget.spent, budget.left) == ("seconds", 0)


def test_no_call_begins_after_a_stop() -> None:
    budget, model = Budget(10), ScriptedModel(["never"])
    budget.stop()
    with pytest.raises(BudgetSpent, match="stopped"):
        MeteredChat(model, budget).complete(ASK, max_tokens=5)
    assert model.unspoken == 1


def test_calls_and_tokens_are_counted() -> None:
    chat = MeteredChat(ScriptedModel(["a b", "c"]), Budget(10))
    for _ in range(2):
        chat.complete(ASK, max_tokens=5)
    assert (chat.usage.calls, chat.usage.input_tokens, chat.usage.output_tokens) == (2, 6, 3)


def test_a_silent_model_is_not_waited_for() -> None:
    class Silent:
        name = "silent"

        def complete(self, *_: object, **__: object) -> Completion:
            threading.Event().wait(5)
            raise AssertionError("nobody waits that long")

    began = time.monotonic()
    call = MeteredChat(Silent(), Budget(0.2)).begin(ASK, max_tokens=5)  # type: ignore[arg-type]
    assert list(call) == []
    assert call.cut == "seconds"
    assert time.monotonic() - began < 1


def test_an_error_of_the_model_comes_out_of_the_call() -> None:
    def fail(_: object) -> str:
        raise ModelUnavailable("no weights")

    with pytest.raises(ModelUnavailable, match="no weights"):
        MeteredChat(ScriptedModel([fail]), Budget(10)).complete(ASK, max_tokens=5)
