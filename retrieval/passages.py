"""Passages: hits merged where they touch, and trimmed to the part that matters for the question."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from ingest import names
from ingest.sentences import blocks, sentences
from ingest.types import Chunk
from retrieval.duplicates import distinct
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

SHORT = 200
"""Characters below which a passage is shown with what stands around it, in its class or section."""

CHARACTERS = 4
"""Characters that count as one token of a budget."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Chunks of one document that follow one another: those that were hit, and those shown around them."""

    hits: tuple[Hit, ...]
    around: tuple[Chunk, ...] = ()

    @property
    def first(self) -> Chunk:
        return self.hits[0].chunk

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """All of them, in the order of their lines."""
        return tuple(sorted((*(hit.chunk for hit in self.hits), *self.around), key=lambda c: (c.start_line, c.id)))

    @property
    def start_line(self) -> int:
        return min(chunk.start_line for chunk in self.chunks)

    @property
    def end_line(self) -> int:
        return max(chunk.end_line for chunk in self.chunks)


def passages(
    hits: Sequence[Hit],
    *,
    query: str,
    limit: int,
    idf: Callable[[Sequence[str]], Mapping[str, float]],
    first_label: int = 1,
    budget: int | None = None,
    best: Literal["first", "last"] = "first",
    in_document: Callable[[str], Sequence[Chunk]] | None = None,
) -> list[Passage]:
    """Return the best `limit` passages, labelled from `first_label` on in the order in which they are returned.

    What says the same is one passage; hits of one document that touch become one, at the place of the better one.
    `idf` weighs the query's words when the excerpt is chosen; words that lead to another of these passages count as the
    query's own, so that the sentence that names the bridge is kept.

    Args:
        hits: Best first.
        query: What was searched for.
        limit: Passages at the most.
        idf: The inverse document frequency of each known word.
        first_label: The number of the first label.
        budget: Tokens, at `CHARACTERS` each, that headers and excerpts may take together. It is filled with those of
            the passages that are worth most a token; one that does not fit any more is left out, be it the best.
        best: Where the best passage stands; models that read long contexts attend most to the end.
        in_document: A document's chunks in the order of their lines. With it, a passage of few characters takes in
            what is beside it in its class or section, as much as is shown whole.
    """
    runs = _grown(_merged(distinct(hits))[:limit], in_document)
    weights, bridges = _weights(runs, query, idf)
    made = [_passage(run, {**weights, **bridges[at]}) for at, run in enumerate(runs)]
    if budget is not None:
        made = _affordable(made, budget)
    if best == "last":
        made.reverse()
    return [replace(passage, label=str(label)) for label, passage in enumerate(made, first_label)]


def _weights(
    runs: Sequence[_Run], query: str, idf: Callable[[Sequence[str]], Mapping[str, float]]
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """What the query's words are worth, and for each run the words of names that the other runs define."""
    asked = set(tokens(query))
    defined = [
        {
            word
            for hit in run.hits
            for name in hit.chunk.defines
            if len(name) >= names.SHORTEST_NAME
            for word in tokens(name)
        }
        for run in runs
    ]
    known = idf(sorted(asked.union(*defined)))
    bridges = [
        {word: known.get(word, 0.0) / 2 for other, words in enumerate(defined) if other != at for word in words - asked}
        for at in range(len(runs))
    ]
    return {word: known.get(word, 0.0) for word in asked}, bridges


def _passage(run: _Run, wanted: Mapping[str, float]) -> Passage:
    text = _text(run.chunks)
    hit = max(run.hits, key=lambda hit: hit.score)
    return Passage(
        label="",
        path=run.first.path,
        header=run.first.header,
        start_line=run.start_line,
        end_line=run.end_line,
        text=text,
        excerpt=excerpt(text, wanted, code=run.first.kind == "code"),
        via=hit.via,
        score=hit.score,
        names=names.unique(name for chunk in run.chunks for name in chunk.defines),
        page=run.chunks[0].page,
        copies=tuple(dict.fromkeys(f"{c.path}:{c.start_line}-{c.end_line}" for hit in run.hits for c in hit.copies)),
    )


def _affordable(made: Sequence[Passage], budget: int) -> list[Passage]:
    """Take what is worth most a token while it fits; return it in the order that it had."""
    cost = {at: -(-len(p.header + p.excerpt) // CHARACTERS) for at, p in enumerate(made)}
    taken: list[int] = []
    for at in sorted(cost, key=lambda at: (-made[at].score / max(1, cost[at]), at)):
        if cost[at] <= budget:
            budget -= cost[at]
            taken.append(at)
    return [made[at] for at in sorted(taken)]


def _grown(runs: Sequence[_Run], in_document: Callable[[str], Sequence[Chunk]] | None) -> list[_Run]:
    """Give short runs the chunks beside them, none of which two runs have."""
    if in_document is None:
        return list(runs)
    taken = {hit.chunk.id for run in runs for hit in run.hits}
    grown = []
    for run in runs:
        if len(_text(run.chunks)) < SHORT:
            run = _with_neighbours(run, in_document(run.first.path), taken)
            taken |= {chunk.id for chunk in run.around}
        grown.append(run)
    return grown


def _with_neighbours(run: _Run, document: Sequence[Chunk], taken: Collection[int]) -> _Run:
    """Add what stands above in the same class or section, then what stands below, while all is shown whole."""
    room = EXCERPT_LIMIT if run.first.kind == "code" else WHOLE
    above = run.first.header.rpartition(" > ")[0]
    inside = run.first.header if above in ("", run.first.path) else above
    own = {hit.chunk.id for hit in run.hits}
    places = [at for at, chunk in enumerate(document) if chunk.id in own]
    for beside in (document[: min(places, default=0)][::-1], document[max(places, default=len(document)) + 1 :]):
        for chunk in beside:
            larger = replace(run, around=(*run.around, chunk))
            within = chunk.header == inside or chunk.header.startswith(f"{inside} > ")
            overlaps = chunk.start_line <= run.end_line and chunk.end_line >= run.start_line  # parts of a long line
            if chunk.id in taken or not within or overlaps or not _touch(run, chunk):
                break
            if len(_text(larger.chunks)) > room:
                break
            run = larger
    return run


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
    # Exact, so that the order of a set, which is another one in each process, decides nothing.
    return math.fsum(wanted[word] for word in set(tokens(text)) if word in wanted)


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
        and chunk.end_line >= run.start_line - GAP - 1
    )


def _text(chunks: Sequence[Chunk]) -> str:
    """The chunks' lines with the blank lines that lay between them.

    Where a chunk is a part of one long line, or of a page whose lines loading rewrote, lines do not add up: then the
    texts follow one another.
    """
    if any(chunk.text.count("\n") != chunk.end_line - chunk.start_line for chunk in chunks) or any(
        after.start_line <= before.end_line for before, after in pairwise(chunks)
    ):
        return "\n".join(chunk.text for chunk in chunks)
    text = chunks[0].text
    for before, after in pairwise(chunks):
        text += "\n" * (after.start_line - before.end_line) + after.text
    return text
