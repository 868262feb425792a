"""The evidence of one run: every passage that was shown, under the label an answer cites, nothing shown twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.units import squeeze
from ingest.sentences import sentences
from retrieval.types import Passage

_REMEMBERED = 4  # passages that bore earlier answers: two notes of two hops
_LEADS = 2  # passages of later rounds that an answer is written from


@dataclass(frozen=True, slots=True)
class Added:
    """What adding a passage showed: its label, and the part of its excerpt that was not shown before ("" if none)."""

    label: str
    fresh: str


@dataclass(slots=True)
class Ledger:
    """Passages by label, in the order they were found. Labels count from 1 and are never reused.

    A resumed run `expects` passages under the labels that they had; `restore` enters those that nothing brought again.
    Passages for which `stands` is false are withdrawn: their labels are taken, and stand for nothing. `noted` is told
    of each passage that gets a label.
    """

    expects: dict[str, Passage] = field(default_factory=dict)
    stands: Callable[[Passage], bool] | None = None
    noted: Callable[[Passage], None] | None = None
    withdrawn: dict[str, Passage] = field(default_factory=dict)
    _passages: dict[str, Passage] = field(default_factory=dict)
    _rounds: list[list[str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Passage]:
        return iter(self._passages.values())

    def __len__(self) -> int:
        return len(self._passages)

    @property
    def next_label(self) -> int:
        """The number that the next new passage gets."""
        if self.expects:
            return min(map(int, self.expects))
        return len(self._passages) + len(self.withdrawn) + 1

    def get(self, label: str) -> Passage | None:
        """Return the passage shown under a label."""
        return self._passages.get(label)

    def add(self, passages: Iterable[Passage]) -> list[Added]:
        """Enter the passages of one search, read or look-up, best first.

        A passage inside one already held keeps that one's label, and adds to its excerpt what is new.
        """
        added = []
        for passage in passages:
            held = next((p for p in self if _inside(passage, p)), None)
            if held is None:
                if (label := self._enter(passage)) is not None:
                    added.append(Added(label, passage.excerpt))
                continue
            if self.stands is not None and not self.stands(passage):
                continue
            fresh = _unseen(passage.excerpt, held.excerpt)
            if fresh:
                self._passages[held.label] = replace(held, excerpt=f"{held.excerpt}\n{fresh}")
            added.append(Added(held.label, fresh))
        self._rounds.append([a.label for a in added])
        return added

    def restore(self) -> None:
        """Enter what is expected still, as one more round."""
        expected, self.expects = self.expects, {}
        labels = [self._under(label, passage) for label, passage in expected.items()]
        if found := [label for label in labels if label is not None]:
            self._rounds.append(found)

    def _enter(self, passage: Passage) -> str | None:
        """Enter a passage that is inside none, and return its label; None where it is withdrawn."""
        said = squeeze(passage.text)
        within = (p.label for p in self.withdrawn.values() if _inside(passage, p) and said in squeeze(p.text))
        known = (label for label, p in self.expects.items() if _inside(passage, p) and _inside(p, passage))
        label = next(within, None) or next(known, None)
        if label is None:
            label = str(len(self._passages) + len(self.withdrawn) + len(self.expects) + 1)
            if self.noted is not None:
                self.noted(replace(passage, label=label))
        self.expects.pop(label, None)
        return self._under(label, passage)

    def _under(self, label: str, passage: Passage) -> str | None:
        passage = replace(passage, label=label)
        if self.stands is not None and not self.stands(passage):
            self.withdrawn.setdefault(label, passage)
            return None
        self.withdrawn.pop(label, None)
        self._passages[label] = passage
        return label

    def best(
        self, limit: int, wanted: Sequence[str] = (), asked: int = 0, remembered: Sequence[str] = ()
    ) -> list[Passage]:
        """Return the passages to answer from, by label: the first `limit` of the first search, and the best new one
        of each of the last two rounds that found any, which went after what the first search lacked. `asked` rounds
        after the first were asked for by a person: each gives its best new one too. `remembered` are labels of passages
        that bore an earlier answer: the first few belong to them as well.

        Of the first search those come first that hold the `wanted` names, identifiers of the question to the letter.
        """
        if not self._rounds:
            return []
        first, *later = self._rounds
        first = self._holding(first, wanted)
        seen = set(first)
        leads: list[list[str]] = []
        for labels in later:
            leads.append([label for label in labels if label not in seen][:1])
            seen.update(labels)
        owed, rest = leads[:asked], [label for lead in leads[asked:] for label in lead]
        chosen = {
            *first[:limit],
            *remembered[:_REMEMBERED],
            *(label for lead in owed for label in lead),
            *rest[-_LEADS:],
        }
        return [self._passages[label] for label in sorted(chosen, key=int)]

    def others(self, limit: int, used: Collection[str], wanted: Sequence[str] = ()) -> list[Passage]:
        """Return up to `limit` passages that were not answered from, by label: those that hold wanted names first,
        then the newest round's before the rest."""
        newest = [label for labels in self._rounds[-1:] for label in labels]
        rest = [label for label in self._passages if label not in newest]
        labels = [label for label in dict.fromkeys([*newest, *rest]) if label not in used]
        chosen = self._holding(labels, wanted)[:limit]
        return [self._passages[label] for label in sorted(chosen, key=int)]

    def _holding(self, labels: Sequence[str], wanted: Sequence[str]) -> list[str]:
        """Sort by the wanted names that a passage holds; one that few passages hold says more than one in all."""
        holders = {name: sum(name in passage.text for passage in self) for name in wanted}

        def worth(label: str) -> float:
            return sum(1 / holders[name] for name in wanted if name in self._passages[label].text)

        return sorted(labels, key=worth, reverse=True)


def _inside(inner: Passage, outer: Passage) -> bool:
    return inner.path == outer.path and outer.start_line <= inner.start_line and inner.end_line <= outer.end_line


def _unseen(excerpt: str, shown: str) -> str:
    """Return the sentences of an excerpt, line by line, that do not stand in what was shown."""
    before = squeeze(shown)
    lines = (
        " ".join(s for s in sentences(line) if any(c.isalnum() for c in s) and squeeze(s) not in before)
        for line in excerpt.splitlines()
    )
    return "\n".join(line for line in lines if line)
