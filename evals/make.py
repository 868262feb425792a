"""Drafting questions from the name graph: chunks that a name joins make a question, for a person to keep or drop."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from evals.datasets import Question, drawn
from evals.make_model import NoQuestion
from evals.make_pairs import HOPS, Pair, Pairs, Shape
from evals.make_types import DRAFT, Draft, Evidence, Made, Written
from evals.make_words import states
from evals.metrics import normalised
from ingest.errors import ModelUnavailable
from ingest.ids import digest

Writer = Callable[[Pair], Iterator[Written]]
"""Yields the questions that can be made of a pair; NoQuestion says why there is none."""

ROUNDS = 3
"""How often the documents are gone through. Each gives one question of a type in a round, so that they are spread."""

CALLS = 5
"""Pairs that are shown to a writer for each draft wanted, where it is a model, which costs."""

_TRIED = 40  # pairs of one document, of one type, in one round
_LONGEST = 500  # characters of a question
_OF_A_FILE = 2  # drafts that one file answers


def make(
    pairs: Pairs,
    paths: Sequence[str],
    writer: Writer,
    *,
    shapes: Sequence[str],
    count: int,
    seed: int,
    calls: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Made:
    """Draft `count` questions, as many of each of the `shapes` as can be; `two-hop` stands for every direction.

    Documents are taken in an order drawn by the seed. `calls` bounds how many pairs the writer sees. Where the model
    fails, or a person stops it, the drafts so far are given all the same.
    """
    drafting = _Drafting(writer, calls)
    error: BaseException | None = None
    try:
        _fill(drafting, pairs, paths, shapes, count, seed, on_progress)
    except (ModelUnavailable, KeyboardInterrupt) as stopped:
        error = stopped
    return Made(count, tuple(drafting.drafts), drafting.candidates, dict(drafting.dropped), error)


def _fill(
    drafting: _Drafting,
    pairs: Pairs,
    paths: Sequence[str],
    shapes: Sequence[str],
    count: int,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> None:
    """Go through the documents until there is enough, or a round brings nothing."""
    room = {shape: count // len(shapes) + (i < count % len(shapes)) for i, shape in enumerate(shapes)}
    order = drawn(paths, len(paths), seed)
    for number in range(ROUNDS):
        before = len(drafting.drafts)
        for path in order:
            if len(drafting.drafts) == count or drafting.spent:
                return
            for shape in shapes:
                if room[shape] and drafting.one(_pairs(pairs, path, shape, seed + number)):
                    room[shape] -= 1
                    on_progress(len(drafting.drafts), count)
        if len(drafting.drafts) == before:
            break


def _pairs(pairs: Pairs, path: str, shape: str, seed: int) -> Iterator[Pair]:
    for one in _shapes(shape):
        yield from pairs.of(path, one, seed)


def _shapes(shape: str) -> tuple[Shape, ...]:
    return HOPS if shape == "two-hop" else (cast(Shape, shape),)


class _Drafting:
    """The drafts so far, and what came of the rest."""

    def __init__(self, writer: Writer, calls: int | None) -> None:
        self.drafts: list[Draft] = []
        self.dropped: Counter[str] = Counter()
        self.candidates = 0
        self._writer = writer
        self._calls = calls
        self._asked: set[frozenset[str]] = set()
        self._answering: Counter[str] = Counter()

    @property
    def spent(self) -> bool:
        """Whether the writer has seen as many pairs as it may."""
        return self._calls is not None and self.candidates >= self._calls

    def one(self, pairs: Iterator[Pair]) -> bool:
        """Make one draft of the first of these pairs that gives one; False where none does."""
        for _, pair in zip(range(_TRIED), pairs, strict=False):
            if self.spent:
                return False
            last = pair.chunks[-1].path
            if self._answering[last] >= _OF_A_FILE or _key(pair) in self._asked:
                continue
            self.candidates += 1
            if draft := self._drafted(pair):
                self.drafts.append(draft)
                self._answering[last] += 1
                self._asked.add(_key(pair))
                return True
        return False

    def _drafted(self, pair: Pair) -> Draft | None:
        try:
            found = False
            for written in self._writer(pair):
                found = True
                if not (reason := objection(pair, written)):
                    return drafted(pair, written)
                self.dropped[reason] += 1
            if not found:
                self.dropped["nothing to ask for"] += 1
        except NoQuestion as reason:
            self.dropped[str(reason)] += 1
        return None


def _key(pair: Pair) -> frozenset[str]:
    """What two questions have in common that ask the same thing, whatever leads to it."""
    return frozenset(name.rpartition(".")[2] or name for name in (pair.name, pair.other))


def objection(pair: Pair, written: Written) -> str:
    """Return why a question is no draft, "" where it is one."""
    question, first, last = written.question, pair.chunks[0].text, pair.chunks[-1].text
    if len(question) > _LONGEST:
        return "the question is too long"
    if not all(normalised(answer) for answer in written.answers):
        return "the answer has no word or number"
    if pair.shape == "comparison":
        named = any(normalised(answer) in {normalised(pair.name), normalised(pair.other)} for answer in written.answers)
        return "" if named else "the answer is neither of the two"
    if not any(stands(answer, last) for answer in written.answers):
        return "the answer is not in the passage that should answer"
    if any(stands(answer, question) for answer in written.answers):
        return "the question says its answer"
    if len(pair.chunks) == 2:
        if any(stands(answer, first) for answer in written.answers):
            return "the answer is in the first passage too"
        if states(question, pair.name):
            return "the question says the name that joins the two"
    return ""


def stands(answer: str, text: str) -> bool:
    """Whether an answer's words stand in a text in a row, whatever their case."""
    words = r"\s+".join(map(re.escape, answer.split()))
    return bool(re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE))


def drafted(pair: Pair, written: Written) -> Draft:
    """Return the draft: its id follows from what is asked and what of, its gold files are the chunks'."""
    paths = tuple(dict.fromkeys(chunk.path for chunk in pair.chunks))
    number = digest("\0".join((written.question, *written.answers, *paths)).encode())[:8]
    question = Question(f"{pair.shape}-{number}", written.question, written.answers, paths, pair.shape, (DRAFT,))
    passages = tuple(Evidence(c.path, c.start_line, c.end_line, c.text) for c in pair.chunks)
    return Draft(question, tuple(filter(None, (pair.name, pair.other))), passages)
