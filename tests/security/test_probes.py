"""What a code step can be written in at each level, and that what a level lacks is an error of the step's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from probes import PROBES, Probe

from ingest.errors import ToolError
from ingest.locked.process import LockedChild


def refuse(args: list[object], kwargs: dict[str, object]) -> object:
    raise ToolError("search(query) needs some text")


@pytest.fixture(scope="module", params=["strong", "interpreter"])
def child(request: pytest.FixtureRequest) -> Iterator[LockedChild]:
    """One child for all probes: what one leaves behind is no matter to the next."""
    with LockedChild({"search": refuse}, level=request.param) as child:
        yield child


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_the_language_of_a_step(probe: Probe, child: LockedChild) -> None:
    result = child.run(probe.code)
    if probe.lacking and child.report.level == "interpreter":
        assert probe.lacking in str(result.error)
        assert child.run("6 * 7").value == 42
    else:
        assert result.error is None
        assert result.value == json.loads(json.dumps(probe.expect))


def test_how_much_of_the_language_the_interpreter_lacks_is_known() -> None:
    assert [probe.name for probe in PROBES if probe.lacking] == [
        "a generator",
        "del",
        "inheritance",
        "statistics",
        "textwrap",
        "heapq",
        "string",
    ]


def test_a_tools_error_and_a_steps_line_are_told_alike(child: LockedChild) -> None:
    assert child.run("\nsearch()").error == "line 2: ToolError: search(query) needs some text"
    assert child.run("x = 1\nx / 0").error == "line 2: ZeroDivisionError: division by zero"


def test_an_answer_ends_the_step_and_names_stay(child: LockedChild) -> None:
    result = child.run("kept = 5\nfinal_answer({'a': [kept]})\nkept = 6")
    assert (result.value, result.final, result.error) == ({"a": [5]}, True, None)
    assert child.run("kept").value == 5
