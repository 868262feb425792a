"""Drift is told from chance."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evals.drift import LEAST, drift
from ingest.errors import UserError
from retrieval.protocols import Vectors
from tests.retrieval.made import HashEmbedder

KEPT = "letters boats readings nets maps keys books lamps ropes bells sails logs".split()
BIRDS = [f"Which heron keeps the {thing} of the harbour?" for thing in KEPT]
TAXED = "houses cars land wages gifts wine tea rent shares bonds fuel salt".split()
TAXES = [f"How much tax is due on {thing} in the second year?" for thing in TAXED]


def embed(texts: Sequence[str]) -> Vectors:
    return HashEmbedder().embed(texts)


def test_questions_of_one_kind_have_not_drifted() -> None:
    found = drift(BIRDS[::2] + TAXES[::2], BIRDS[1::2] + TAXES[1::2], embed)
    assert (found.recent, found.known) == (12, 12)
    assert [each.drifted for each in (found.words, found.names, found.topics)] == [False] * 3


def test_other_topics_have_drifted_and_are_shown() -> None:
    found = drift([*TAXES, BIRDS[0]], BIRDS[1:], embed)
    assert found.topics.drifted
    assert found.topics.recent > 0.8 > 0.5 > found.topics.known
    assert all("tax" in example for example in found.clusters[0].examples)
    assert all("tax" in question for question in found.unlike)


def test_longer_questions_and_those_with_names_have_drifted() -> None:
    longer = [f"{question} And `load_settings` of it, if there is one at all?" for question in BIRDS]
    found = drift(longer, BIRDS, embed)
    assert (found.words.drifted, found.words.recent - found.words.known) == (True, 11)
    assert (found.names.recent, found.names.known, found.names.drifted) == (1.0, 0.0, True)


def test_the_same_questions_give_the_same_result() -> None:
    assert drift(TAXES, BIRDS, embed) == drift(TAXES, BIRDS, embed)


def test_too_few_questions_say_so() -> None:
    with pytest.raises(UserError, match=f"needs {LEAST} of each"):
        drift(BIRDS[: LEAST - 1], TAXES, embed)
