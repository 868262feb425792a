"""Each role has a model, most often the same one."""

from __future__ import annotations

import pytest
from fake_library import FakeLibrary

from agent.build import limits
from agent.loop import Agent
from agent.outgoing import Outgoing
from agent.roles import Roles, make_roles, one_for_all
from agent.settings import Settings
from agent.testing import ScriptedModel
from agent.types import Limits
from ingest.errors import UserError

FILES = {"heron.md": "Heron keeps the letters of the harbour office.\n"}
QUESTION = "What keeps the letters of the harbour office?"


def test_one_model_is_made_once_for_all_roles() -> None:
    roles = make_roles(Settings(model="local"), outgoing=Outgoing("secrets"))
    assert [chat.name for chat in roles.chats] == ["local"]
    assert len(roles.each) == 4


def test_a_role_that_is_set_apart_has_its_own_model() -> None:
    roles = make_roles(
        Settings(model="local", answer_model="openai/gpt-x, local", judge_model="none"), outgoing=Outgoing("secrets")
    )
    assert (roles.step, roles.judge) == (roles.plan, None)
    assert roles.answer is not None
    assert roles.answer.name == "openai/gpt-x, local"


def test_no_model_is_none_for_every_role() -> None:
    assert make_roles(Settings(model="none"), outgoing=Outgoing("secrets")).chats == ()


def test_what_is_shared_stays_shared() -> None:
    roles = Roles("a", "a", "b", None)
    changed = roles.map(lambda chat: [chat])
    assert changed.plan is changed.step
    assert changed == Roles(["a"], ["a"], ["b"], None)


@pytest.mark.parametrize(
    ("settings", "profile"),
    [
        ({"model": "openai/gpt-x"}, "full"),
        ({"model": "openai/gpt-x, local"}, "compact"),
        ({"model": "openai/gpt-x", "step_model": "ollama/x"}, "compact"),
    ],
)
def test_a_small_model_anywhere_gets_the_compact_prompts(settings: dict[str, str], profile: str) -> None:
    assert limits(Settings(**settings)).profile == profile  # type: ignore[arg-type]


def test_the_answers_model_writes_the_answer() -> None:
    writer, other = ScriptedModel(["Heron [1]"], name="writer"), ScriptedModel([], name="other")
    answer = Agent(FakeLibrary(FILES), chat=Roles(other, other, writer, other)).ask(QUESTION)
    assert (answer.answer, answer.models) == ("Heron [1]", ("writer",))


def test_without_a_model_for_the_answer_it_is_extractive() -> None:
    answer = Agent(FakeLibrary(FILES), chat=Roles(step=ScriptedModel([]))).ask(QUESTION)
    assert (answer.abstained, answer.usage.calls, answer.models) == (False, 0, ())


@pytest.mark.parametrize(("cap", "reason"), [({"max_tokens": 10}, "tokens"), ({"max_cost": 1e-9}, "dollars")])
def test_a_cap_ends_with_the_best_cited_answer(cap: dict[str, float], reason: str) -> None:
    from agent.models import Price

    model = ScriptedModel(["Heron [1]"], price=Price(1e-6, 1e-6, 1e-6))
    answer = Agent(FakeLibrary(FILES), chat=model, limits=Limits(**cap)).ask(QUESTION)  # type: ignore[arg-type]
    assert (answer.stopped, answer.abstained, model.unspoken) == (reason, False, 1)
    assert answer.citations[0].verified


def test_a_cost_cap_without_a_price_refuses_before_anything_and_can_be_asked_again() -> None:
    agent = Agent(FakeLibrary(FILES), chat=one_for_all(ScriptedModel([], price=None)), limits=Limits(max_cost=1))
    for _ in range(2):
        with pytest.raises(UserError, match="costs is not known"):
            next(agent.stream(QUESTION))
