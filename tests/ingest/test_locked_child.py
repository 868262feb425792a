"""What a step can do in the child, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ingest.errors import ToolError
from ingest.locked.clock import Limits
from ingest.locked.outcome import ChildDied, StepResult
from ingest.locked.process import LockedChild


def echo(args: list[object], kwargs: dict[str, object]) -> object:
    return [args, kwargs]


def refuse(args: list[object], kwargs: dict[str, object]) -> object:
    raise ToolError("no page 7; there are 3")


def fail(args: list[object], kwargs: dict[str, object]) -> object:
    raise LookupError("a bug")


def heavy(args: list[object], kwargs: dict[str, object]) -> object:
    return "x" * (9 << 20)


@pytest.fixture
def child() -> Iterator[LockedChild]:
    callbacks = {"echo": echo, "refuse": refuse, "fail": fail, "heavy": heavy}
    with LockedChild(callbacks, limits=Limits(calls=5)) as child:
        yield child


def test_the_last_expression_is_the_value_and_names_stay(child: LockedChild) -> None:
    assert child.run("x = 20\nprint('seen')\nx + 1") == StepResult(21, "seen\n", None, False)
    assert child.run("x * 2").value == 40


def test_variables_can_be_given(child: LockedChild) -> None:
    child.set_variables({"pages": ["é", None, 1.5]})
    assert child.run("pages").value == ["é", None, 1.5]


def test_a_call_carries_json_both_ways(child: LockedChild) -> None:
    assert child.run("echo('é', [1, None], k={'a': 2.5})").value == [["é", [1, None]], {"k": {"a": 2.5}}]


@pytest.mark.parametrize("argument", ["{1, 2}", "object()", "float('nan')"])
def test_an_argument_that_is_not_json_is_the_steps_error(child: LockedChild, argument: str) -> None:
    assert "echo() takes strings, numbers, lists and dicts only" in str(child.run(f"echo({argument})").error)


def test_an_error_names_the_line_of_the_step(child: LockedChild) -> None:
    assert child.run("def f():\n    return 1 / 0\n\nf()").error == "line 2: ZeroDivisionError: division by zero"
    assert "SyntaxError" in str(child.run("x =").error)


def test_what_was_printed_before_an_error_is_kept(child: LockedChild) -> None:
    result = child.run("print('first')\nnowhere")
    assert (result.printed, result.error) == ("first\n", "line 2: NameError: name 'nowhere' is not defined")


def test_final_answer_ends_the_step_even_under_a_bare_except(child: LockedChild) -> None:
    result = child.run("try:\n    final_answer({'a': 1})\nexcept:\n    print('caught')")
    assert (result.value, result.final) == ({"a": 1}, True)
    assert not child.run("1").final


def test_a_value_that_is_not_json_comes_as_its_repr(child: LockedChild) -> None:
    assert child.run("{1}").value == "{1}"
    assert child.run("class A:\n    def __repr__(self): raise SystemExit\nA()").value == "[a A that cannot be shown]"


def test_a_tool_error_can_be_caught_in_the_step(child: LockedChild) -> None:
    assert child.run("refuse()").error == "line 1: ToolError: no page 7; there are 3"
    assert child.run("try: refuse()\nexcept ToolError as e: print(e)").printed == "no page 7; there are 3\n"


def test_any_other_exception_of_a_callback_comes_out_and_ends_the_child(child: LockedChild) -> None:
    with pytest.raises(LookupError, match="a bug"):
        child.run("try: fail()\nexcept: pass")
    assert child.closed
    with pytest.raises(ChildDied):
        child.run("1")


def test_a_result_too_long_for_the_wire_asks_for_less(child: LockedChild) -> None:
    assert "ask for less" in str(child.run("heavy()").error)


def test_calls_beyond_the_ceiling_are_refused_and_the_next_step_has_its_own(child: LockedChild) -> None:
    assert "call 6 of this step; at most 5 are answered" in str(child.run("for _ in range(9): echo()").error)
    assert child.run("echo()").error is None


def test_the_time_of_callbacks_is_not_the_childs() -> None:
    limits = Limits(wall_seconds=0.4)
    with LockedChild({"slow": lambda args, kwargs: time.sleep(0.6)}, limits=limits) as child:
        assert child.run("slow()\n'alive'").value == "alive"


def test_the_absolute_limit_leaves_nothing_out() -> None:
    limits = Limits(wall_seconds=5, absolute_seconds=0.4)
    child = LockedChild({"slow": lambda args, kwargs: time.sleep(0.3)}, limits=limits)
    with child, pytest.raises(ChildDied, match="absolute time limit"):
        child.run("while True: slow()")


def test_processor_time_is_counted_step_by_step() -> None:
    spin = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    with LockedChild({}, limits=Limits(cpu_seconds=0.5)) as child:
        for _ in range(3):
            assert child.run(spin).error is None


def test_the_standard_library_is_there_and_nothing_else(child: LockedChild) -> None:
    ready = "import csv, datetime, decimal, sqlite3, statistics, zoneinfo\nstr(zoneinfo.ZoneInfo('UTC'))"
    assert child.run(ready).value == "UTC"
    assert "ModuleNotFoundError" in str(child.run("import numpy").error)
    assert "ModuleNotFoundError" in str(child.run("import ingest").error)


def test_closing_twice_is_no_error(child: LockedChild) -> None:
    child.close()
    child.close()
