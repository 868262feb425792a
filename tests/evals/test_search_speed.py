"""The stores that searching is measured on: as many chunks as asked for, all different, with vectors of unit length."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from evals.search_speed import made
from ingest.ids import chunk_id
from ingest.types import Chunk
from retrieval.store_edge import EdgeStore


def test_more_chunks_than_there_are_differ_in_id_words_and_vector(tmp_path: Path) -> None:
    texts = [f"def handle_response{i}(): return serializer" for i in range(7)]
    chunks = [
        Chunk(chunk_id("a.py", text, i), "a.py", "code", "python", "", "a.py", text, i, i, (f"handle_response{i}",), ())
        for i, text in enumerate(texts)
    ]
    with closing(EdgeStore(tmp_path, 8)) as store:
        store.write(chunks, np.eye(8, dtype=np.float32)[:7])
        batches = list(made(store, 40))
    all_made = [chunk for part, _ in batches for chunk in part]
    rows = np.concatenate([vectors for _, vectors in batches])
    assert len(all_made) == len({chunk.id for chunk in all_made}) == len(rows) == 40
    assert all_made[:7] == sorted(chunks, key=lambda chunk: chunk.id)
    assert len({chunk.text for chunk in all_made}) > 7
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert len(np.unique(rows, axis=0)) == 40
