"""The stock agent answers with the same search, and what it took counts where it is given up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.testing import ScriptedModel
from evals.datasets import Question
from evals.stock_agent import stock_agent
from retrieval.library import Library
from tests.evals import marsh

ASKED = Question("q", "For how many days are readings of herons kept?", ("45",), (), "")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with marsh.library(tmp_path / "marsh", monkeypatch) as made:
        yield made


def code(*lines: str) -> str:
    return "Thought: on.\n<code>\n" + "\n".join(lines) + "\n</code>"


def test_it_searches_and_says_its_final_answer(library: Library) -> None:
    model = ScriptedModel([code("print(search('HERON_RETENTION'))"), code("final_answer('45')")])
    given = stock_agent(library, model, ASKED, seconds=60)
    assert (given.answer, given.abstained, given.usage["calls"]) == ("45", False, 2)
    assert "src/settings.py" in given.shown
    assert "HERON_RETENTION = 45" in str(model.calls[1])


def test_what_it_took_counts_where_it_is_given_up(library: Library) -> None:
    def slow(_: object) -> str:
        time.sleep(1.5)
        return code("print(1)")

    given = stock_agent(library, ScriptedModel([slow, slow]), ASKED, seconds=1)
    assert (given.answer, given.abstained) == ("", True)
    assert given.usage["calls"] == 1
    assert given.note == "given up after 1 seconds: its tokens are those until then"
