"""Hops: scores flow from a chunk along names to the chunks that complete it.

One round looks at the best chunks so far (the frontier). From each, every edge carries a share of its score to the
chunk at the other end: more for a rarer name, more where the pair of both reads like the question, and more where the
target has the words of the question that the origin left open. A chunk keeps its own first-stage score plus the best
that one edge brought it, but never more than that edge's origin has; the next round starts from there.

The same walk serves twice: over the whole corpus with static vectors, which finds the candidates, then over the
candidates alone with a transformer's vectors, which orders them. Walking again, rather than sorting by likeness to the
question, is what keeps a bridge that is unlike the question where the hops put it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from opentelemetry import trace

from ingest import spans
from retrieval.protocols import Vectors

_tracer = trace.get_tracer("hoplite.retrieval")


@dataclass(frozen=True, slots=True)
class HopSettings:
    """How a walk weighs what it sees; one setting for every corpus.

    rounds: longest path. frontier: chunks that a round leaves from. defined, shared: what an edge keeps of its origin's
    score. rarity: the power to which that and the name's rarity are raised; below 1, the rest counts for more. lacking:
    worth of the open words beside likeness. keep: what an edge to an unlike chunk still carries. pair: how much of the
    likeness is that of origin and target together, the rest is the target's own. named: what a name in the question
    adds to a chunk that defines it. common: a name that more chunks have is no edge. edges: targets a chunk leads to at
    the most, strongest first. knee: share of its origin's score up to which a target keeps its gain as it is; above,
    the gain fills the room that is left and no more.
    """

    rounds: int = 3
    frontier: int = 8
    defined: float = 0.85
    shared: float = 0.6
    rarity: float = 1.0
    lacking: float = 0.8
    keep: float = 0.1
    pair: float = 0.7
    named: float = 1.0
    common: int = 30
    edges: int = 100
    knee: float = 0.8

    def with_rounds(self, rounds: int) -> HopSettings:
        """Return the same settings for another longest path."""
        return replace(self, rounds=rounds)

    def closer(self) -> HopSettings:
        """Return the settings for the second walk, whose likeness and open words are worth more beside rarity."""
        return replace(self, rarity=0.7 * self.rarity, lacking=1.5 * self.lacking)


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one chunk to another: the name they have in common and the share of the score it carries."""

    target: int
    name: str
    weight: float


Ahead = Callable[[Mapping[int, Sequence[str]]], Mapping[int, Mapping[str, Vectors]]]
"""For origins, each with names that lead on from it: the unit vector of what the question still asks once one has gone
there, by name, and under "" for the origin itself."""


class Graph(Protocol):
    """What a walk asks of the corpus."""

    def edges(self, origins: Sequence[int]) -> Mapping[int, Sequence[Edge]]:
        """Return the edges that leave each chunk, one a target, strongest first."""
        ...

    def open_words(self, origin: int) -> Mapping[int, float]:
        """Return, for chunks that have the words of the question which `origin` leaves open, how well, from 0 to 1."""
        ...


def follow(
    start: Mapping[int, float],
    graph: Graph,
    question: Vectors,
    vectors: Callable[[Sequence[int]], Mapping[int, Vectors]],
    settings: HopSettings,
    within: Collection[int] | None = None,
    ahead: Ahead | None = None,
) -> tuple[dict[int, float], dict[int, str]]:
    """Walk from the first stage's scores along names.

    `question` is a unit vector (d,); `vectors` returns unit vectors (d,) of the chunks it knows. With `within`, only
    those chunks take part. With `ahead`, a target is compared with what the question still asks at its origin, and
    without it with the question. Returns the scores after the last round, and for each chunk that owes more than half
    of its score to an edge, the name of that edge.
    """
    base = {chunk: score for chunk, score in start.items() if within is None or chunk in within}
    current = base
    carried: dict[int, str] = {}
    known: dict[int, Vectors] = {}
    for number in range(1, settings.rounds + 1):
        span = _tracer.start_span(f"hop {number}", attributes={spans.KIND: "RETRIEVER"})
        frontier = heapq.nsmallest(settings.frontier, current, key=lambda chunk: (-current[chunk], chunk))
        edges = {
            origin: [edge for edge in leaving if within is None or edge.target in within]
            for origin, leaving in graph.edges(frontier).items()
        }
        wanted = {*frontier, *(edge.target for leaving in edges.values() for edge in leaving)} - known.keys()
        if wanted:
            known.update(vectors(sorted(wanted)))
        asked = ahead({origin: [edge.name for edge in leaving] for origin, leaving in edges.items()}) if ahead else {}
        gained: dict[int, float] = {}
        bound: dict[int, float] = {}
        carried = {}
        for origin in frontier:
            leaving = edges.get(origin, ())
            for edge, share in gains(origin, leaving, graph, question, known, settings, asked.get(origin)):
                gain = current[origin] * share
                if gain > gained.get(edge.target, 0.0):
                    gained[edge.target] = gain
                    carried[edge.target] = edge.name
                    bound[edge.target] = current[origin]
        current = dict(base)
        for chunk, gain in gained.items():
            own = base.get(chunk, 0.0)
            # The second half of an answer comes after the first: a gain fills the room below the origin, and no more.
            current[chunk] = _below(bound[chunk], own, own + gain, settings.knee)
        span.set_attributes({"hoplite.edges": sum(map(len, edges.values())), "hoplite.reached": len(gained)})
        span.end()
    via = {chunk: name for chunk, name in carried.items() if current[chunk] > 2 * base.get(chunk, 0.0)}
    return current, via


def gains(
    origin: int,
    leaving: Sequence[Edge],
    graph: Graph,
    question: Vectors,
    known: Mapping[int, Vectors],
    settings: HopSettings,
    asked: Mapping[str, Vectors] | None = None,
) -> list[tuple[Edge, float]]:
    """Return the edges whose two ends have vectors, each with the share of the origin's score that it carries."""
    leaving = [edge for edge in leaving if edge.target in known]
    if not leaving or origin not in known:
        return []
    targets = np.concatenate([known[edge.target] for edge in leaving]).reshape(len(leaving), -1)
    if asked:
        likeness = _likeness_ahead(asked, [edge.name for edge in leaving], targets).tolist()
    else:
        likeness = _likeness(question, known[origin], targets, settings.pair).tolist()
    still = graph.open_words(origin)
    keep, liked, lacking, rarity = settings.keep, 1 - settings.keep, settings.lacking, settings.rarity
    return [
        (edge, edge.weight**rarity * (keep + liked * like + lacking * still.get(edge.target, 0.0)))
        for edge, like in zip(leaving, likeness, strict=True)
    ]


def _below(origin: float, own: float, total: float, knee: float) -> float:
    """Return `total`, bent so that what an edge brought lifts no chunk above that edge's origin.

    The second half of an answer comes after the first. Without this a question that one chunk answers is answered by
    its neighbours: MRR on 150 CoSQA questions 41 instead of 48, recall@5 on three multi-hop sets the same.
    """
    straight = max(own, knee * origin)
    room = origin - straight
    if room <= 0:
        return max(own, min(total, origin))
    return total if total <= straight else straight - room * math.expm1(-(total - straight) / room)


def _likeness(question: Vectors, origin: Vectors, targets: Vectors, pair: float) -> Vectors:
    """Return float (n,): how much each target (n, d), alone and together with its origin (d,), is like the question."""
    own = np.maximum(np.vecdot(targets, question), 0.0)
    together = targets + origin
    norms = np.maximum(np.sqrt(np.vecdot(together, together)), 1e-9)
    both = np.maximum(np.vecdot(together, question) / norms, 0.0)
    return np.asarray((1 - pair) * own + pair * both, dtype=np.float32)


def _likeness_ahead(asked: Mapping[str, Vectors], names: Sequence[str], targets: Vectors) -> Vectors:
    """Return float (n,): how much each target (n, d) is like what is still asked, at its origin and by its name.

    The question itself is like the wrong targets, too: the right one has nothing of the half that its origin answered.
    """
    origin = np.maximum(np.vecdot(targets, asked[""]), 0.0)
    by_name = np.stack([asked.get(name, asked[""]) for name in names])
    return np.asarray((origin + np.maximum(np.vecdot(targets, by_name), 0.0)) / 2, dtype=np.float32)
