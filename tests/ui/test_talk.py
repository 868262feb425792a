"""A conversation's run: asked back, planned, stopped, begun again, and waiting for its turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from agent.scores import FEEDBACK
from agent.types import Answer, Answered, Event
from ingest.errors import ModelUnavailable, UserError
from tests.ui.scripted import Desk, Waits
from ui.line import Lines
from ui.talk import Talk, Wish


def until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def talk(desk: Desk, lines: Lines | None = None, keep: Callable[..., None] = lambda id, turns: None) -> Talk:
    return Talk("a" * 32, make=desk.agent, line=(lines or Lines()).before, keep=keep)


def over(one: Talk) -> Talk:
    until(lambda: one.resting)
    return one


def quick() -> Waits:
    return Waits(patient=False)


def test_answers_come_one_after_the_other_and_are_kept_each() -> None:
    kept: list[int] = []
    one = talk(Desk(quick), keep=lambda id, turns: kept.append(len(turns)))
    for question in ("first", "second"):
        one.ask(Wish(question))
        over(one)
    assert [turn.answer.answer for turn in one.state.turns if turn.answer] == ["answer to first", "answer to second"]
    assert kept == [1, 2]
    assert one.state.turns[0].steps[0].text == "plan for first"


def test_a_second_question_at_the_same_time_is_refused() -> None:
    one = talk(desk := Desk())
    one.ask(Wish("first"))
    with pytest.raises(UserError, match="is answering a question"):
        one.ask(Wish("second"))
    until(lambda: desk.agents)
    one.stop()
    over(one)


def test_the_next_question_need_not_wait_until_the_last_answer_is_kept() -> None:
    slow = threading.Event()
    one = talk(desk := Desk(), keep=lambda id, turns: slow.wait(5) and None)
    one.ask(Wish("first"))
    until(lambda: desk.agents and desk.agents[0].begun.is_set())
    desk.agents[0].go.set()
    until(lambda: one.state.turns)
    one.ask(Wish("second"))
    until(lambda: len(desk.agents) == 2 and desk.agents[1].begun.is_set())
    slow.set()
    time.sleep(0.05)
    assert one.state.live is not None
    desk.agents[1].go.set()
    until(lambda: len(one.state.turns) == 2)


def test_a_stop_keeps_the_partial_answer_and_is_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr("ui.talk.score", lambda trace, name, value, comment="": noted.append(name))
    one = talk(desk := Desk())
    one.ask(Wish("q"))
    until(lambda: desk.agents and desk.agents[0].begun.is_set())
    begun = time.monotonic()
    assert one.stop()
    assert one.state.live is None or one.state.live.phase == "stopping"
    until(lambda: one.state.live is None)
    assert time.monotonic() - begun < 0.3
    over(one)
    assert one.state.turns[0].answer == Answer("q", "so far on q", False, stopped="stop")
    assert noted == ["stopped"]
    assert not one.stop()


def test_an_unclear_question_is_asked_back_and_may_be_left_open() -> None:
    one = talk(desk := Desk(lambda: Waits(choices=("a.py:f", "b.py:f"), patient=False)))
    for reply, asked in (("2", "q (b.py:f)"), ("", "q"), ("the old one", "q (the old one)")):
        one.ask(Wish("q"))
        until(lambda: one.state.live and one.state.live.phase == "unclear")
        one.reply(reply)
        over(one)
        assert desk.agents[-1].asked[0][0] == asked


def test_a_plan_that_is_shown_first_waits_and_an_edited_one_is_followed_with_its_difference() -> None:
    one = talk(desk := Desk(quick))
    one.ask(Wish("What is the default of HERON_RETENTION and of EGRET_LIMIT?", first=True))
    until(lambda: one.state.live and one.state.live.phase == "planned")
    assert desk.agents[0].asked == []
    one.plan(["Where is HERON_RETENTION read?"])
    over(one)
    [(_, plan, fresh)] = desk.agents[0].asked
    assert plan is not None
    assert [part.text for part in plan.parts] == ["Where is HERON_RETENTION read?"]
    assert fresh
    planned = next(step for step in one.state.turns[0].steps if step.word == "plan")
    assert "+Where is HERON_RETENTION read?" in planned.seen
    assert one.state.turns[0].parts == ("Where is HERON_RETENTION read?",)


def test_a_plan_edited_while_the_run_is_under_way_begins_it_again_and_says_so() -> None:
    one = talk(desk := Desk())
    one.ask(Wish("first"))
    until(lambda: desk.agents and desk.agents[0].begun.is_set())
    agent = desk.agents[0]
    agent.begun.clear()
    one.plan(["Where is it read?"])
    until(agent.begun.is_set)
    agent.go.set()
    over(one)
    assert [plan is not None for _, plan, _ in agent.asked] == [False, True]
    [turn] = one.state.turns
    assert turn.answer is not None
    assert turn.answer.answer == "answer to first"
    assert any("begins again" in step.text for step in turn.steps)


def test_a_plan_that_cannot_be_followed_changes_nothing() -> None:
    one = talk(desk := Desk())
    with pytest.raises(UserError, match="No run is under way"):
        one.plan(["x"])
    one.ask(Wish("q", first=True))
    until(lambda: one.state.live and one.state.live.phase == "planned")
    with pytest.raises(UserError, match="at most 5"):
        one.plan([f"part {n}" for n in range(6)])
    one.stop()
    over(one)
    assert "Stopped before" in one.state.failed
    assert desk.agents[0].asked == []


def test_asked_again_the_last_answer_is_replaced_and_that_is_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr("ui.talk.score", lambda trace, name, value, comment="": noted.append(name))
    one = talk(desk := Desk(quick))
    for wish in (Wish("one"), Wish("two"), Wish("two", again=True, fresh=True), Wish("zwei", again=True)):
        one.ask(wish)
        over(one)
    assert [turn.question for turn in one.state.turns] == ["one", "zwei"]
    assert [agent.asked[0][2] for agent in desk.agents] == [False, False, True, False]
    assert noted == ["regenerated", "edited"]


def test_a_follow_up_is_written_out_from_the_conversation_that_was_kept() -> None:
    one = talk(Desk(quick))
    one.ask(Wish("What does load_settings() do?"))
    again = Talk("b" * 32, over(one).state.turns, make=(desk := Desk(quick)).agent, line=Lines().before, keep=print)
    again.ask(Wish("Who calls it?"))
    over(again)
    assert desk.agents[0].asked[0][0] == "Who calls load_settings?"
    assert again.state.turns[-1].asked == "Who calls load_settings?"


def test_a_rating_and_its_reason_are_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[tuple[str, float, str]] = []
    monkeypatch.setattr("ui.talk.score", lambda trace, name, value, comment="": noted.append((name, value, comment)))
    one = talk(Desk(quick))
    one.ask(Wish("q"))
    over(one)
    one.rate(0, 0)
    one.remark(0, "wrong file")
    assert one.rate(7, 1) is None
    one.remark(7, "no such answer")
    assert noted == [(FEEDBACK, 0.0, ""), (FEEDBACK, 0.0, "wrong file")]
    assert one.state.turns[0].rating == 0


def test_what_the_user_can_fix_is_said_and_a_bug_is_said_to_be_one(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(Waits):
        def stream(self, question: str, plan: object = None, *, fresh: bool = False) -> Iterator[Event]:
            raise ModelUnavailable("run `hoplite models pull`") if question == "fix" else ZeroDivisionError

    one = talk(Desk(Fails))
    one.ask(Wish("fix"))
    assert "models pull" in over(one).state.failed
    one.ask(Wish("bug"))
    assert "Something went wrong" in over(one).state.failed
    assert "ZeroDivisionError" in caplog.text
    assert one.state.turns == ()


def test_questions_to_one_model_wait_for_each_other_and_know_how_many_are_before_them() -> None:
    lines, desk = Lines(), Desk(lambda: Waits(model="local"))
    first, second, third = (talk(desk, lines) for _ in range(3))
    for one in (first, second, third):
        one.ask(Wish("q"))
        until(lambda one=one: one.state.live and (one.state.live.phase == "running" or one.state.live.ahead))  # type: ignore[misc]
    assert third.state.live is not None
    assert (third.state.live.phase, third.state.live.ahead) == ("waiting", 2)
    assert third.state.live.plan is not None  # what needs no model does not wait
    second.stop()
    over(second)
    until(lambda: third.state.live and third.state.live.ahead == 1)
    desk.agents[0].go.set()
    until(lambda: third.state.live and third.state.live.phase == "running")
    desk.agents[2].go.set()
    over(third)
    assert "Stopped before" in second.state.failed


def test_without_a_model_nobody_waits() -> None:
    lines, desk = Lines(), Desk()
    talks = [talk(desk, lines) for _ in range(3)]
    for one in talks:
        one.ask(Wish("q"))
    until(lambda: all(one.state.live and one.state.live.phase == "running" for one in talks))
    for one in talks:
        one.stop()
        over(one)


def test_an_answer_that_was_kept_comes_without_steps() -> None:
    class Kept(Waits):
        def stream(self, question: str, plan: object = None, *, fresh: bool = False) -> Iterator[Event]:
            yield Answered(Answer(question, "kept", False, cached="2026-01-01T00:00:00+00:00"))

    one = talk(Desk(Kept))
    one.ask(Wish("q"))
    assert [turn.steps for turn in over(one).state.turns] == [()]
