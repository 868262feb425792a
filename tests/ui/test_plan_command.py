"""`hoplite ask --plan`: what is typed changes the plan, and what is typed nowhere changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from agent.plan import Plan
from agent.types import Clarify, Event, Planned, Searched
from tests.ui.conftest import Hoplite
from ui import render
from ui.commands import ask

QUESTION = "When did Ada Quill's father die?"
CHOICE = Clarify("load_all is defined in 2 places. Which one?", ("heron.py:load_all", "egret.py:load_all"))


class Asked:
    """An agent that keeps what it was asked."""

    def __init__(self, unclear: Clarify | None = None) -> None:
        self.unclear = unclear
        self.question = ""
        self.plan: Plan | None = None

    def clarify(self, question: str) -> Clarify | None:
        return self.unclear

    def stream(self, question: str, plan: Plan | None = None) -> Iterator[Event]:
        self.question, self.plan = question, plan
        yield Planned("the run's own")
        yield Searched(question, (), 0.0)


def planned(
    agent: Asked, patch: pytest.MonkeyPatch, *typed: str, question: str = QUESTION
) -> tuple[list[Event], list[str]]:
    """What is yielded while these lines are typed, and the texts of the plan that was followed."""
    lines = iter(typed)
    patch.setattr(click, "prompt", lambda *words, **options: next(lines))
    events = list(ask.planned(agent.clarify, agent.stream, question))
    assert next(lines, None) is None, "every line was read"
    return events, [part.text for part in agent.plan.parts] if agent.plan else []


def test_enter_goes_on_with_the_plan_as_it_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    events, parts = planned(agent := Asked(), monkeypatch, "")
    assert [type(event) for event in events] == [Planned, Searched]
    assert (agent.question, parts) == (QUESTION, ["Ada Quill's father", "When did [1] die?"])


def test_an_edited_plan_is_followed_and_its_change_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    events, parts = planned(Asked(), monkeypatch, "2: Where did [1] live?", "+ the town of Reed", "-1", "")
    assert parts == ["Where did [1] live?", "the town of Reed"]
    shown = click.unstyle(render.event(events[-2]) or "")
    assert "-Ada Quill's father\n    -When did [1] die?\n    +Where did [1] live?\n    +the town of Reed" in shown


def test_another_wording_is_asked_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    _, parts = planned(agent := Asked(), monkeypatch, "What does `sweep()` delete?", "")
    assert (agent.question, parts) == ("What does `sweep()` delete?", [])


def test_an_edit_that_cannot_be_made_is_said_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, parts = planned(Asked(), monkeypatch, "-7", "")
    assert "There is no sub-question 7; there are 1 to 2." in capsys.readouterr().err
    assert len(parts) == 2


def test_the_sub_questions_may_be_edited_in_an_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "edit", lambda text, extension: f"{text}\n3. the town of Reed\n")
    assert planned(Asked(), monkeypatch, "e", "")[1][-1] == "the town of Reed"


def test_an_editor_that_is_left_without_saving_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "edit", lambda text, extension: None)
    assert len(planned(Asked(), monkeypatch, "e", "")[1]) == 2


@pytest.mark.parametrize(
    ("reply", "asked"),
    [("2", "What does load_all do? (egret.py:load_all)"), ("", "What does load_all do?")],
)
def test_what_is_unclear_is_asked_first_and_may_be_skipped(
    monkeypatch: pytest.MonkeyPatch, reply: str, asked: str
) -> None:
    agent = Asked(CHOICE)
    events, _ = planned(agent, monkeypatch, reply, "", question="What does load_all do?")
    assert "    2. egret.py:load_all" in (render.event(events[0]) or "")
    assert agent.question == asked


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_pipe_is_never_waited_for(hoplite: Hoplite, indexed: object, options: tuple[str, ...]) -> None:
    question = "Which days are readings kept for?"
    result = hoplite("ask", question, "--plan", "--model", "none", *options, "--workspace", f"{indexed}/.hoplite")
    assert result.exit_code == 0
    assert "Enter goes on" not in result.stderr
