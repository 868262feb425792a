"""Drift: how the questions that people ask now differ from those that Hoplite is measured with.

Three things are compared: how long questions are, how many of them have names, and what they are about. For the last,
the vectors of all questions are put into clusters without looking at which is from where, and the shares of both sets
in each cluster are compared. How much of a difference is chance is found by dealing the questions out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.errors import UserError
from ingest.names import identifiers, phrases, words
from retrieval.protocols import Vectors

LEAST = 10
"""Questions that each side needs: with fewer, chance alone makes any difference."""

SHUFFLES = 1_000
CLUSTERS = 8
CHANCE = 0.05
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is compared: what the recent questions have, what the others have, and `chance`, the share of
    random divisions of all questions that differ at least as much."""

    recent: float
    known: float
    chance: float

    @property
    def drifted(self) -> bool:
        """Whether chance does not explain it."""
        return self.chance < CHANCE


@dataclass(frozen=True, slots=True)
class Cluster:
    """Questions that are alike: the share of each side that lies in it, and some recent ones nearest to its middle."""

    recent: float
    known: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """How `recent` questions differ from `known` ones, both counted.

    `words` compares mean lengths in words, `names` the shares with a name. `topics.recent` is half the sum of the
    differences of shares over all clusters: 0 where both sides are about the same, 1 where they have nothing in common;
    `topics.known` is what it is on the average when the questions are dealt out anew. `clusters` are those of which the
    recent questions have more, most first. `unlike` are the recent questions that are least like any known one.
    """

    recent: int
    known: int
    words: Difference
    names: Difference
    topics: Difference
    clusters: tuple[Cluster, ...]
    unlike: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return asdict(self)


def drift(recent: Sequence[str], known: Sequence[str], embed: Callable[[Sequence[str]], Vectors]) -> Drift:
    """Compare the questions of two sets; `embed` returns unit vectors (n, d). The same questions give the same result.

    Raises UserError where a side has fewer than LEAST.
    """
    if min(len(recent), len(known)) < LEAST:
        raise UserError(
            f"There are {len(recent)} recent questions and {len(known)} to compare them with; drift needs {LEAST} of "
            "each. Take more days with --days, or another set with --against."
        )
    everything = [*recent, *known]
    sides = _dealt(len(recent), len(known))
    vectors = np.asarray(embed(everything), dtype=np.float64)
    length = np.array([len(words(question)) for question in everything], dtype=np.float64)
    named = np.array([bool(identifiers(question) or phrases(question)) for question in everything], dtype=np.float64)
    cluster = _clusters(vectors)
    topics, shares = _topics(cluster, sides)
    likest = (vectors[: len(recent)] @ vectors[len(recent) :].T).max(axis=1)
    return Drift(
        recent=len(recent),
        known=len(known),
        words=_means(length, sides),
        names=_means(named, sides),
        topics=topics,
        clusters=_told(recent, vectors, cluster, shares),
        unlike=tuple(recent[place] for place in np.argsort(likest, kind="stable")[:SHOWN]),
    )


def _dealt(recent: int, known: int) -> NDArray[np.bool_]:
    """(1 + SHUFFLES, questions): True where a question is on the recent side, as it is first, then dealt out anew."""
    real = np.arange(recent + known) < recent
    random = np.random.default_rng(0)
    return np.stack([real, *(random.permutation(real) for _ in range(SHUFFLES))])


def _means(values: NDArray[np.float64], sides: NDArray[np.bool_]) -> Difference:
    recent = sides @ values / sides.sum(axis=1)
    known = ~sides @ values / (~sides).sum(axis=1)
    return Difference(float(recent[0]), float(known[0]), _chance(np.abs(recent - known)))


def _clusters(vectors: NDArray[np.float64]) -> NDArray[np.int64]:
    from sklearn.cluster import KMeans  # a second, which only this needs

    count = min(CLUSTERS, len(np.unique(vectors, axis=0)))
    found = KMeans(count, n_init=4, random_state=0).fit_predict(vectors)
    return np.asarray(found, dtype=np.int64)


def _topics(
    cluster: NDArray[np.int64], sides: NDArray[np.bool_]
) -> tuple[Difference, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """How far apart the shares in the clusters are, and these shares (clusters,) of both sides as they are."""
    within = np.eye(cluster.max() + 1)[cluster]
    recent = sides @ within / sides.sum(axis=1, keepdims=True)
    known = ~sides @ within / (~sides).sum(axis=1, keepdims=True)
    apart = np.abs(recent - known).sum(axis=1) / 2
    return Difference(float(apart[0]), float(apart[1:].mean()), _chance(apart)), (recent[0], known[0])


def _chance(differences: NDArray[np.float64]) -> float:
    """The share of divisions that differ at least as much as the first, which is one of them."""
    return float((differences >= differences[0] - 1e-12).mean())


def _told(
    recent: Sequence[str],
    vectors: NDArray[np.float64],
    cluster: NDArray[np.int64],
    shares: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[Cluster, ...]:
    found = []
    for number in np.argsort(shares[1] - shares[0], kind="stable"):
        if shares[0][number] <= shares[1][number]:
            break
        middle = vectors[cluster == number].mean(axis=0)
        members = np.flatnonzero(cluster[: len(recent)] == number)
        nearest = members[np.argsort(-(vectors[members] @ middle), kind="stable")][:SHOWN]
        examples = tuple(recent[place] for place in nearest)
        found.append(Cluster(float(shares[0][number]), float(shares[1][number]), examples))
    return tuple(found)
