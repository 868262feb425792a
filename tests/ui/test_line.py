"""The line before a model: first come, first served, and everybody knows how many are before them."""

from __future__ import annotations

import threading

from ui.line import ELSEWHERE, Line, Lines


def test_the_second_waits_until_the_first_has_left() -> None:
    line = Line()
    first, second, third = line.join(), line.join(), line.join()
    assert [first.ahead, second.ahead, third.ahead] == [0, 1, 2]
    assert not second.wait(0.01)
    threading.Timer(0.05, line.leave, [first]).start()
    assert second.wait(5)
    assert [second.ahead, third.ahead] == [0, 1]


def test_who_leaves_the_line_in_the_middle_makes_room() -> None:
    line = Line()
    with line.join(), line.join() as second, line.join() as third:
        line.leave(second)
        line.leave(second)
        assert third.ahead == 1


def test_a_line_may_serve_several_at_once() -> None:
    line = Line(2)
    assert [line.join().ahead for _ in range(4)] == [0, 0, 1, 2]


def test_each_model_has_its_line_and_one_on_this_machine_answers_one_at_a_time() -> None:
    lines = Lines()
    local, chain, far = lines.before("local"), lines.before("openai/a, ollama/b"), lines.before("openai/a")
    assert lines.before("local") is local
    assert [each.at_once for each in (local, chain, far) if each] == [1, 1, ELSEWHERE]
    assert lines.before(None) is None
