"""Notes that say something alike, as a suggestion of failure modes. What is a mode, a person decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.terms import content
from evals.coding import Coding
from evals.types import Finished
from ingest.names import words

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

APART = 0.7
"""Mean cosine distance at which two groups are no longer one. Of 0.4 to 0.85, this is where the groups of the 27 notes
in the tests come nearest to those that a person makes of them: an adjusted Rand index of 0.62, and 0.49 at 0.6."""

MOST = 2_000
"""Notes that are grouped; the distances of more would take too much memory."""

_NAMED_BY = 3  # words


@dataclass(frozen=True, slots=True)
class Group:
    """Answers whose notes are alike, and a name made of their words."""

    name: str
    lines: tuple[tuple[Finished, str], ...]


def groups(notes: Sequence[tuple[Finished, str]], embed: Embed) -> list[Group]:
    """Return the notes in groups, the largest first, each note in one.

    Groups are merged while the mean distance of their notes is below `APART` (average linkage: Sokal and Michener
    1958). The same notes give the same groups.
    """
    notes = notes[:MOST]
    numbers = _clusters(embed([text for _, text in notes])) if len(notes) > 1 else [0] * len(notes)
    found: dict[int, list[tuple[Finished, str]]] = {}
    for number, note in zip(numbers, notes, strict=True):
        found.setdefault(number, []).append(note)
    ordered = sorted(found.values(), key=lambda group: -len(group))
    stems = [Counter(stem for _, text in group for stem in content(text)) for group in ordered]
    everywhere = sum(stems, Counter[str]())
    return [Group(_name(group, own, everywhere), tuple(group)) for group, own in zip(ordered, stems, strict=True)]


def suggested(coding: Coding) -> list[Group]:
    """Return groups of the notes whose answers have no failure mode yet, likened by the model that comes along."""
    from retrieval.embedders import embedder_named

    notes = [(line, note) for line, note in coding.notes if not coding.modes_of(line)]
    return groups(notes, embedder_named(None).embed)


def _clusters(vectors: NDArray[np.float32]) -> list[int]:
    """The number of each vector's group; rows are L2-normalised, or zero where a text has no known word."""
    from sklearn.cluster import AgglomerativeClustering

    distances = np.clip(1.0 - vectors @ vectors.T, 0.0, 2.0).astype(np.float64)
    grouping = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=APART
    )
    return [int(number) for number in grouping.fit_predict(distances)]


def _name(group: Sequence[tuple[Finished, str]], own: Counter[str], everywhere: Counter[str]) -> str:
    """The words that most of the group's notes have and others do not, as the notes spell them."""
    ranked = sorted(own, key=lambda word: (-own[word] * own[word] / everywhere[word], word))[:_NAMED_BY]
    spelt = {stem: word for _, text in reversed(group) for word in reversed(words(text)) for stem in content(word)}
    return " ".join(spelt[word] for word in ranked) or "unnamed"
