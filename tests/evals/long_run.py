"""A made-up run of any length: `python -m tests.evals.long_run DIR COUNT`, to look at its report and to time it."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import asdict
from pathlib import Path

from evals.types import LONGEST_SHOWN, Cited, Finished, Shown

TYPES = ("bridge", "comparison", "code-to-doc", "doc-to-code", "unanswerable")
TAGS = ("settings", "signing", "routing", "storage")
WORDS = "the store keeps each row under its name until the next sweep of the station at Heron which reads them".split()


def line(number: int, *, seed: int = 0) -> Finished:
    """Return one finished question, made by its number: every fiftieth failed, and the types differ in how often they
    are right."""
    drawn = random.Random(f"{seed} {number}")
    kind = TYPES[number % len(TYPES)]
    unanswerable = kind == "unanswerable"
    f1 = float(drawn.random() < 0.3 + 0.1 * (number % len(TYPES)))
    error = "TimeoutError: the model said nothing for 120 seconds" if number % 50 == 49 else None
    gold = tuple(f"docs/part{(number + n) % 40}.md" for n in range(2))
    passages = tuple(
        Shown(str(n + 1), gold[n] if n < 2 else f"src/other{n}.py", 10 * n + 1, 10 * n + 9, _text(drawn, LONGEST_SHOWN))
        for n in range(5)
    )
    cited = tuple(Cited(p.label, p.path, p.start_line, p.end_line, p.text[:90], f1 > 0) for p in passages[:2])
    recall = drawn.choice((0.5, 1.0))
    return Finished(
        id=f"q{number:05}",
        question=f"Where does {_text(drawn, 80)} ({number})?",
        answer="" if error else _text(drawn, 120),
        abstained=unanswerable and f1 > 0,
        shown=gold,
        cited=gold[:1],
        usage={} if error else {"calls": 2, "input_tokens": drawn.randint(600, 2400), "output_tokens": 30},
        seconds=drawn.lognormvariate(2, 0.5),
        trace_id=None,
        error=error,
        scores={}
        if error
        else {"f1": f1, "em": f1, "contains": f1, "recall": recall, "citation_recall": recall * f1, "abstained": 0.0},
        type=kind,
        tags=(TAGS[number % len(TAGS)],),
        answers=() if unanswerable else (_text(drawn, 20),),
        supporting=gold,
        unanswerable=unanswerable,
        citations=cited,
        passages=passages,
    )


def write(folder: Path, count: int, *, seed: int = 0) -> Path:
    """Write a run of so many questions and return its folder."""
    folder.mkdir(parents=True)
    made = {"run": folder.name, "fingerprint": {"model": "scripted", "index": "1f", "settings": '{"model": "none"}'}}
    (folder / "run.json").write_text(json.dumps(made))
    with (folder / "answers.jsonl").open("w") as file:
        for number in range(count):
            file.write(json.dumps(asdict(line(number, seed=seed))) + "\n")
    return folder


def _text(drawn: random.Random, length: int) -> str:
    return " ".join(drawn.choices(WORDS, k=1 + length // 4))[:length]


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
