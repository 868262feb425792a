"""Time and calls: counted, ended on time, stopped from anywhere, errors kept."""

from __future__ import annotations

import threading
import time

import pytest

from agent.budget import Budget, BudgetSpent, MeteredChat
from agent.models import FREE, Completion, Price
from agent.testing import ScriptedModel
from ingest.errors import ModelUnavailable, UserError

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
    budget = Budget(10)
    for chat in (MeteredChat(ScriptedModel([text], name=text), budget) for text in ("a b", "c")):
        chat.complete(ASK, max_tokens=5)
    used = budget.usage
    assert (used.calls, used.input_tokens, used.output_tokens, used.dollars) == (2, 6, 3, 0)
    assert budget.models == ("a b", "c")


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


def test_a_call_that_could_go_beyond_the_tokens_does_not_begin() -> None:
    # A call holds half its bytes, 16 a turn and what may be written: 6 + 16 + 20; it then takes 3 + 2.
    model, budget = ScriptedModel(["a b"] * 9), Budget(10, max_tokens=60)
    chat = MeteredChat(model, budget)
    for _ in range(4):
        chat.complete(ASK, max_tokens=20)
    assert (budget.has_share(0.3), budget.has_share(0.4)) == (False, True)
    with pytest.raises(BudgetSpent, match="tokens for this run are used up"):
        chat.complete(ASK, max_tokens=20)
    assert (budget.usage.calls, budget.spent, budget.ended_by) == (4, None, "tokens")
    chat.complete(ASK, max_tokens=1)  # a smaller one still may
    assert model.unspoken == 4


def test_a_call_that_could_go_beyond_the_dollars_does_not_begin() -> None:
    model, budget = ScriptedModel(["a b"] * 9, price=Price(0.01, 0.0, 0.1)), Budget(10, max_cost=2.5)
    chat = MeteredChat(model, budget)  # holds 0.22 and 2 dollars; takes 0.03 and 0.2
    chat.complete(ASK, max_tokens=20)
    assert budget.usage.dollars == pytest.approx(0.23)
    chat.complete(ASK, max_tokens=20)
    with pytest.raises(BudgetSpent, match="dollars for this run are used up"):
        chat.complete(ASK, max_tokens=20)
    assert (budget.ended_by, model.unspoken) == ("dollars", 7)


def test_a_call_that_never_ended_keeps_what_it_may_have_taken() -> None:
    def fail(_: object) -> str:
        raise ModelUnavailable("it went away")

    budget = Budget(10, max_tokens=60)
    chat = MeteredChat(ScriptedModel([fail, "never"]), budget)
    with pytest.raises(ModelUnavailable):
        chat.complete(ASK, max_tokens=20)
    with pytest.raises(BudgetSpent):
        chat.complete(ASK, max_tokens=20)


def test_dollars_are_unknown_once_a_price_is() -> None:
    budget = Budget(10)
    for price in (FREE, None, FREE):
        MeteredChat(ScriptedModel(["a"], price=price), budget).complete(ASK, max_tokens=5)
    assert budget.usage.dollars is None


def test_a_cost_cap_needs_a_price() -> None:
    with pytest.raises(UserError, match=r"^What dear costs is not known.*--max-cost"):
        MeteredChat(ScriptedModel([], name="dear", price=None), Budget(10, max_cost=1))
