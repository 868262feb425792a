"""The plan: names, parts and the kind of question, by rules."""

from __future__ import annotations

import pytest

from agent.plan import make_plan


@pytest.mark.parametrize(
    ("question", "kind", "names"),
    [
        ("Which band was formed first, The Exies or Circus Diablo?", "comparison", {"The Exies", "Circus Diablo"}),
        ("Are Ada Quill and Tom Reeves both film directors?", "comparison", {"Ada Quill", "Tom Reeves"}),
        ("What does `load_settings()` return?", "simple", {"load_settings"}),
        ("For how many days does the store that Heron uses keep files?", "chain", {"Heron"}),
        ('Who wrote "Wonderland by Night"?', "simple", {"Wonderland by Night"}),
        ("what is the default time-out?", "simple", set()),
    ],
)
def test_kind_and_names(question: str, kind: str, names: set[str]) -> None:
    plan = make_plan(question)
    assert plan.kind == kind
    assert {n.removeprefix("The ") for n in plan.names} == {n.removeprefix("The ") for n in names}


def test_the_line_says_what_is_looked_for() -> None:
    assert make_plan("How many days is the retention of Heron?").line == "look it up: Heron → days retention"
