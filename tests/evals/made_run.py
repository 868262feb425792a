"""A run's folder as `eval run --out` leaves it, made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.types import Finished, Shown

ANSWERED_BY = "openai/answerer"


def finished(id_: str, **more: Any) -> Finished:
    """A right answer to the question `id_`, but for what is said otherwise."""
    values: dict[str, Any] = {
        "question": f"Who is {id_}?",
        "answer": f"It is Ada [1], says {id_}.",
        "abstained": False,
        "shown": ("a.md",),
        "cited": ("a.md",),
        "usage": {},
        "seconds": 1.0,
        "trace_id": None,
        "error": None,
        "scores": {"f1": 1.0, "contains": 1.0},
        "answers": ("Ada",),
        "supporting": ("a.md",),
        "passages": (Shown("1", "a.md", 3, 4, f"Ada is {id_}."),),
    }
    return Finished(id=id_, **{**values, **more})


def write_run(folder: Path, lines: Sequence[Finished], *, model: str = ANSWERED_BY, **settings: str) -> Path:
    """Write the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    said = json.dumps({"model": model, **settings, "a_key_of_another_version": 1})
    (folder / "run.json").write_text(json.dumps({"run": folder.name, "fingerprint": {"settings": said}}))
    (folder / "answers.jsonl").write_text("".join(json.dumps(asdict(line)) + "\n" for line in lines))
    return folder
