"""Passages: hits merged where they touch, and trimmed to the part that matters for the question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest import names
from ingest.sentences import blocks, sentences
from ingest.types import Chunk
from retrieval.tokens import tokens
from retrieval.types import Hit, Passage

SENTENCES = 3
"""Sentences of prose in an excerpt: a small model answered best with three good passages of three sentences each."""

EXCERPT_LIMIT = 700
"""Characters of an excerpt; code is cut at lines, prose at sentences."""

GAP = 1
"""Lines, blank ones as a rule, that may lie between two chunks that are shown as one passage."""

WHOLE = 450
"""Characters up to which a text is its own excerpt: less would save few tokens and lose the thread."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Chunks of one document that follow one another."""

    hits: tuple[Hit, ...]

    @property
    def first(self) -> Chunk:
        return self.hits[0].chunk

    @property
    def end_line(self) -> int:
        return max(hit.chunk.end_line for hit in self.hits)


def passages(
    hits: Sequence[Hit],
    *,
    query: str,
    limit: int,
    idf: Callable[[Sequence[str]], Mapping[str, float]],
    first_label: int = 1,
) -> list[Passage]:
    """Return the best `limit` passages, best first, labelled from `first_label` on.

    Hits of one document that touch become one passage at the place of the better one. `idf` weighs the query's words
    when the excerpt is chosen; words that lead to another of these passages count as the query's own, so that the
    sentence that names the bridge is kept.
    """
    runs = _merged(hits)[:limit]
    asked = set(tokens(query))
    bridges = {
        id(run): {
            word
            for other in runs
            if other is not run
            for hit in other.hits
            for name in hit.chunk.defines
            if len(name) >= names.SHORTEST_NAME
            for word in tokens(name)
        }
        for run in runs
    }
    weights = idf(sorted(asked.union(*bridges.values())))
    made = []
    for label, run in enumerate(runs, first_label):
        text = _text(run)
        wanted = {word: weights.get(word, 0.0) for word in asked}
        wanted |= {word: weights.get(word, 0.0) / 2 for word in bridges[id(run)] - asked}
        made.append(
            Passage(
                label=str(label),
                path=run.first.path,
                header=run.first.header,
                start_line=run.first.start_line,
                end_line=run.end_line,
                text=text,
                excerpt=excerpt(text, wanted, code=run.first.kind == "code"),
                via=max(run.hits, key=lambda hit: hit.score).via,
                score=max(hit.score for hit in run.hits),
                names=names.unique(name for hit in run.hits for name in hit.chunk.defines),
                page=run.first.page,
            )
        )
    return made


def excerpt(text: str, wanted: Mapping[str, float], *, code: bool, limit: int = EXCERPT_LIMIT) -> str:
    """Return the part of a text that has most of the wanted words, in the text's own order, "…" where it leaves out.

    Prose keeps its `SENTENCES` best sentences, code its first line (the signature, as a rule) and the best lines with
    their neighbours. A short text comes back whole.
    """
    if code:
        return _code_excerpt(text, wanted, limit)
    lines = text.splitlines()
    parts = [
        sentence
        for start, end in blocks(lines)
        for sentence in sentences(" ".join(" ".join(lines[start:end]).split()))
        if any(c.isalnum() for c in sentence)
    ]
    if len(text) <= WHOLE or (len(parts) <= SENTENCES and len(text) <= limit):
        return " ".join(parts)
    best = sorted(range(len(parts)), key=lambda i: (-_worth(parts[i], wanted), i))[:SENTENCES]
    kept: list[int] = []
    size = 0
    for i in best:
        if kept and size + len(parts[i]) > limit:
            continue
        kept.append(i)
        size += len(parts[i])
    return _joined([part[:limit] for part in parts], sorted(kept), " ")


def _code_excerpt(text: str, wanted: Mapping[str, float], limit: int) -> str:
    if len(text) <= limit:
        return text.rstrip()
    lines = [line.rstrip()[:limit] for line in text.splitlines()]
    worth = [_worth(line, wanted) for line in lines]
    order = [0, *sorted(range(1, len(lines)), key=lambda i: (-worth[i], i))]
    kept: set[int] = set()
    size = 0
    for i in order:
        for near in (i, i + 1, i - 1):
            if 0 <= near < len(lines) and near not in kept and size + len(lines[near]) <= limit:
                kept.add(near)
                size += len(lines[near]) + 1
        if size > limit * 0.9:
            break
    return _joined(lines, sorted(kept), "\n")


def _joined(parts: Sequence[str], kept: Sequence[int], glue: str) -> str:
    shown: list[str] = []
    last = -1
    for i in kept:
        if i > last + 1:
            shown.append("…")
        shown.append(parts[i])
        last = i
    if last < len(parts) - 1:
        shown.append("…")
    return glue.join(shown)


def _worth(text: str, wanted: Mapping[str, float]) -> float:
    return sum(wanted[word] for word in set(tokens(text)) if word in wanted)


def _merged(hits: Sequence[Hit]) -> list[_Run]:
    runs: list[_Run] = []
    for hit in hits:
        for at, run in enumerate(runs):
            if _touch(run, hit.chunk):
                joined = {h.chunk.id: h for h in (*run.hits, hit)}.values()
                runs[at] = _Run(tuple(sorted(joined, key=lambda h: (h.chunk.start_line, h.chunk.id))))
                break
        else:
            runs.append(_Run((hit,)))
    return runs


def _touch(run: _Run, chunk: Chunk) -> bool:
    return (
        run.first.path == chunk.path
        and chunk.start_line <= run.end_line + GAP + 1
        and chunk.end_line >= run.first.start_line - GAP - 1
    )


def _text(run: _Run) -> str:
    """The chunks' lines with the blank lines that lay between them.

    Where a chunk is a part of one long line, or of a page whose lines loading rewrote, lines do not add up: then the
    texts follow one another.
    """
    chunks = [hit.chunk for hit in run.hits]
    if any(chunk.text.count("\n") != chunk.end_line - chunk.start_line for chunk in chunks) or any(
        after.start_line <= before.end_line for before, after in pairwise(chunks)
    ):
        return "\n".join(chunk.text for chunk in chunks)
    text = chunks[0].text
    for before, after in pairwise(chunks):
        text += "\n" * (after.start_line - before.end_line) + after.text
    return text
