"""Metrics: pure functions from rankings and answers to numbers from 0 to 1."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def recall_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """Return |gold in the first k| / |gold|: HippoRAG's passage recall (Gutiérrez et al. 2024, arXiv 2405.14831)."""
    return len(set(ranking[:k]) & set(gold)) / len(set(gold))


def all_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """Return 1 when every gold document is in the first k, else 0. HippoRAG's all-recall (same paper)."""
    return float(set(gold) <= set(ranking[:k]))


def reciprocal_rank(ranking: Sequence[str], gold: Collection[str]) -> float:
    """Return 1 / the rank of the first gold document, 0 without one; its mean is MRR (Voorhees 1999, TREC-8 QA)."""
    return next((1 / rank for rank, document in enumerate(ranking, start=1) if document in gold), 0.0)


def ndcg_at(k: int, ranking: Sequence[str], gold: Collection[str]) -> float:
    """Return DCG@k over the best possible DCG@k, a document's gain being 1 if gold, discounted by log2(rank + 1).

    Järvelin and Kekäläinen 2002 (TOIS 20:4), in the form of trec_eval's ndcg_cut with binary relevance.
    """
    discounts = [1 / math.log2(rank + 1) for rank in range(1, k + 1)]
    found = sum(discount for discount, document in zip(discounts, ranking, strict=False) if document in gold)
    return found / sum(discounts[: len(set(gold))])


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Return 1 when the prediction equals a gold answer after `normalised` (SQuAD: Rajpurkar et al. 2016)."""
    return _best(lambda guess, gold: float(guess == gold), prediction, answers)


def f1(prediction: str, answers: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall over the bag of words, best over the gold answers.

    SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250). Where a side has no words, 1 if neither has, as in SQuAD 2.0.
    """
    return _best(_overlap, prediction, answers)


def contains(prediction: str, answers: Sequence[str]) -> float:
    """Return 1 when the prediction has a gold answer's words in a row, after `normalised`.

    The accuracy of Mallen et al. 2023 (PopQA, arXiv 2212.10511), here on whole words. It is what tells whether
    an answer in full sentences is right, where EM cannot be 1; and it forgives a wrong sentence beside a right one.
    """
    return _best(lambda guess, gold: float(bool(gold) and f" {gold} " in f" {guess} "), prediction, answers)


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation, without the articles a, an, the, white space collapsed (SQuAD's order)."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION)).split())


def precision(found: Collection[str], gold: Collection[str]) -> float:
    """Return |found and gold| / |found|; the caller decides what nothing found means."""
    return len(set(found) & set(gold)) / len(set(found))


def context_precision(shown: Collection[str], gold: Collection[str]) -> float:
    """Return |shown and gold| / |shown|, each document once; ValueError where nothing was shown.

    Ragas' ID-based context precision (docs.ragas.io, "Context Precision", `IDBasedContextPrecision`), which asks no
    model: an id is a document's path. Order does not matter, unlike in Ragas' variants that a model judges.
    """
    if not shown:
        raise ValueError("nothing was shown")
    return precision(shown, gold)


def context_recall(shown: Collection[str], gold: Collection[str]) -> float:
    """Return |shown and gold| / |gold|: Ragas' ID-based context recall (docs.ragas.io, "Context Recall",
    `IDBasedContextRecall`). Over all that was shown it equals `recall_at`."""
    return len(set(shown) & set(gold)) / len(set(gold))


Lines = tuple[str, int, int]
"""A document and its first and last line that are meant, counted from 1."""


def overlapped(found: Sequence[Lines], gold: Sequence[Lines]) -> float:
    """Return the share of gold places that some found place meets: the same document, and a line in common. Our own:
    citing the right file at another place counts for `citation_recall` and not here."""
    met = [any(a[0] == b[0] and a[1] <= b[2] and b[1] <= a[2] for a in found) for b in gold]
    return mean([float(each) for each in met])


@dataclass(frozen=True, slots=True)
class Declined:
    """How well a system declines: `precision` of those it declined that nothing could answer, `recall` of those that
    nothing could answer that it declined; None where there is none of them."""

    declined: int
    unanswerable: int
    precision: float | None
    recall: float | None

    @property
    def f1(self) -> float | None:
        """The harmonic mean; 0 where either is 0, None without an unanswerable question."""
        if self.recall is None:
            return None
        if not self.precision or not self.recall:
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)


def declined(pairs: Iterable[tuple[bool, bool]]) -> Declined:
    """Return how well it was declined, of pairs (unanswerable, abstained): the class "no answer" as one to be found.

    Precision and recall of a class (van Rijsbergen 1979, ch. 7), the class being SQuAD 2.0's unanswerable questions
    (Rajpurkar et al. 2018, arXiv 1806.03822).
    """
    seen = list(pairs)
    both = sum(unanswerable and abstained for unanswerable, abstained in seen)
    abstained, unanswerable = sum(pair[1] for pair in seen), sum(pair[0] for pair in seen)
    return Declined(
        abstained,
        unanswerable,
        both / abstained if abstained else None,
        both / unanswerable if unanswerable else None,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, between two of them by a straight line; 0 of nothing.

    Definition 7 of Hyndman and Fan 1996 (The American Statistician 50:361), which NumPy and R use.
    """
    if not values:
        return 0.0
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, hits of count, by Wilson's score (1927, JASA 22:158); (0, 1) of nothing."""
    if not count:
        return 0.0, 1.0
    z = 1.959964
    share, room = hits / count, z * z / count
    middle = (share + room / 2) / (1 + room)
    half = z * math.sqrt(share * (1 - share) / count + room / (4 * count)) / (1 + room)
    return max(0.0, middle - half), min(1.0, middle + half)


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean, exactly rounded so that the order of questions cannot matter; 0 of nothing."""
    return math.fsum(values) / len(values) if values else 0.0


def _overlap(guess: str, gold: str) -> float:
    guess_words, gold_words = guess.split(), gold.split()
    if not guess_words or not gold_words:
        return float(guess_words == gold_words)
    common = sum((Counter(guess_words) & Counter(gold_words)).values())
    return 2 * common / (len(guess_words) + len(gold_words))


def _best(compare: Callable[[str, str], float], prediction: str, answers: Sequence[str]) -> float:
    guess = normalised(prediction)
    return max((compare(guess, normalised(answer)) for answer in answers), default=0.0)
