"""The training learns what its pairs say, and keeps out what is measured on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from retrieval.training.static import Model, Settings, Side, is_known, telling_lines, train

TEXTS = 64


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Steps this small are made in one: two threads wait for each other, and where others work too, for minutes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_pairs_come_closer_than_strangers() -> None:
    draw = np.random.default_rng(0)
    # The left texts are of other tokens than the right ones: only training can bring them together.
    left = Side.of([np.array([i, TEXTS * 2], np.int32) for i in range(TEXTS)])
    right = Side.of([np.array([TEXTS + i, TEXTS * 2], np.int32) for i in range(TEXTS)])
    model = Model(draw.normal(size=(TEXTS * 2 + 1, 16)).astype(np.float32))
    losses: list[float] = []
    settings = Settings(steps=400, batch=32, rate=2e-2)
    train(model, {"pairs": (left, right)}, settings, lambda step, loss: losses.append(loss))
    assert losses[-1] < losses[0] / 4
    everything = np.arange(TEXTS)
    nearest = (model(*left.bag(everything)) @ model(*right.bag(everything)).T).argmax(dim=1).numpy()
    assert np.mean(nearest == everything) > 0.9


def test_what_every_text_has_weighs_less() -> None:
    common = TEXTS * 2
    left = Side.of([np.array([i, common, common], np.int32) for i in range(TEXTS)])
    right = Side.of([np.array([TEXTS + i, common, common], np.int32) for i in range(TEXTS)])
    model = Model(np.random.default_rng(0).normal(size=(common + 1, 16)).astype(np.float32))
    train(
        model,
        {"pairs": (left, right)},
        Settings(steps=300, batch=32, rate=2e-2, weight_rate=2e-2),
        lambda step, loss: None,
    )
    length = np.linalg.norm(model.merged(), axis=1)
    assert length[common] < length[:common].mean() / 2


def test_a_function_of_the_corpus_is_known_in_another_dress(tmp_path: Path) -> None:
    code = "def count(self):\n    found = self.reports_of_the_year(year)\n    return sum(r.herons for r in found)"
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": "1", "title": "", "text": code}) + "\n")
    known = telling_lines(tmp_path / "corpus.jsonl")
    body = "found = self.reports_of_the_year(year)\nreturn sum(r.herons for r in found)"
    assert is_known({"left": "count the herons", "right": body}, known)
    assert not is_known({"left": "count the herons", "right": "return self.counter.value_of('heron') or 0"}, known)
