"""Questions over HTTP stand in the same line as everybody's."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.ui.scripted import Desk, Waits
from ui.endpoints import Endpoints


def test_a_call_waits_for_what_asks_the_same_model_before_it() -> None:
    desk = Desk(lambda: Waits(model="local", patient=False))
    line = desk.lines.before("local")
    assert line is not None
    with ThreadPoolExecutor() as pool:
        with line.join():  # a question of the chat is being answered
            asked = pool.submit(Endpoints(desk).ask, "Where?", "auto")
            time.sleep(0.2)
            assert [agent.asked for agent in desk.agents] == [[]]
        assert asked.result(10)["answer"] == "answer to Where?"


def test_a_call_waits_for_no_other_model() -> None:
    desk = Desk(lambda: Waits(model="local", patient=False))
    other = desk.lines.before("ollama/other")
    assert other is not None
    with other.join():
        assert Endpoints(desk).ask("Where?", "auto")["answer"] == "answer to Where?"
