"""The flat copy of the vectors: what is put is found, what is removed is not, and nothing half written counts."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from retrieval.protocols import Vectors
from retrieval.rows import Rows
from retrieval.types import Scored

DIM = 8


def vectors(n: int, seed: int = 0) -> Vectors:
    made: Vectors = np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def test_any_history_of_writes_and_removals_reads_as_it_should_also_after_opening_again(tmp_path: Path) -> None:
    chance = random.Random(3)
    rows, held = Rows(tmp_path, DIM), dict[int, Vectors]()
    for turn in range(40):
        ids = [chance.randrange(6_000) for _ in range(chance.randrange(400))]
        if turn % 3 == 2:
            rows.remove(ids)
            for i in ids:
                held.pop(i, None)
        else:
            made = vectors(len(ids), turn)
            rows.put(ids, made)
            held.update(zip(ids, made, strict=True))
        if turn % 7 == 6:
            rows = Rows(tmp_path, DIM)
        asked = chance.sample(range(6_000), 300)
        found = rows.vectors(asked)
        assert found.keys() == held.keys() & set(asked)
        assert all(np.array_equal(found[i], held[i]) for i in found)
        assert len(rows) == len(held)


def test_the_nearest_are_those_of_a_full_comparison_ties_by_id_and_only_among_those_asked_for(tmp_path: Path) -> None:
    rows = Rows(tmp_path, DIM)
    made = vectors(500)
    made[400:] = made[:100]  # a hundred ties
    rows.put(range(500), made)
    rows.remove(range(50, 70))
    question = vectors(1, 9)[0]
    scores = dict(enumerate(np.vecdot(made, question).tolist()))
    for among in (None, np.arange(0, 500, 2), np.arange(30, 80), np.arange(900, 950)):
        allowed = set(range(500) if among is None else among.tolist()) - set(range(50, 70))
        want = sorted(allowed & scores.keys(), key=lambda i: (-scores[i], i))[:41]
        got = rows.nearest(question, limit=41, among=among)
        assert got == [Scored(i, scores[i]) for i in want]


def test_vectors_are_kept_in_unit_length_and_zeros_as_they_are(tmp_path: Path) -> None:
    rows = Rows(tmp_path, DIM)
    rows.put([1, 2], np.array([[3.0] + [0.0] * 7, [0.0] * 8], np.float32))
    assert rows.vectors([1])[1].tolist() == [1.0] + [0.0] * 7
    assert not rows.vectors([2])[2].any()


@pytest.mark.parametrize(("file", "cut"), [("ids.i64", 3), ("vectors.f32", 5)])
def test_a_row_half_written_is_none(tmp_path: Path, file: str, cut: int) -> None:
    Rows(tmp_path, DIM).put([1, 2, 3], vectors(3))
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[:-cut])
    rows = Rows(tmp_path, DIM)
    assert len(rows) == 2
    rows.put([4], vectors(1, 7))
    assert np.array_equal(Rows(tmp_path, DIM).vectors([4])[4], vectors(1, 7)[0])


def test_writing_anew_leaves_no_room_to_what_is_gone(tmp_path: Path) -> None:
    rows = Rows(tmp_path, DIM)
    rows.put(range(100), vectors(100))
    rows.remove(range(60))
    assert rows.wasteful
    rows.rewrite([(range(60, 100), vectors(100)[60:])])
    assert not rows.wasteful
    assert (tmp_path / "vectors.f32").stat().st_size == 40 * 4 * DIM
    assert np.array_equal(rows.vectors([99])[99], vectors(100)[99])
