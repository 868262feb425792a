"""The scores of one answer: every metric that its question's gold allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.citations import without_labels
from evals import metrics
from evals.datasets import Question, lines_of
from evals.types import RunAnswer

Similar = Callable[[str, Sequence[str]], float]
"""How alike in meaning an answer is to the likest of several, from 0 to 1."""

CUT = 10
"""Ranks that nDCG looks at."""

NAMES = (
    "f1",
    "em",
    "contains",
    "similarity",
    "citation_resolved",
    "citation_precision",
    "citation_recall",
    "cited_lines",
    "groundedness",
    "recall",
    "all_shown",
    "mrr",
    "ndcg",
    "context_precision",
    "context_recall",
    "plan_followed",
    "abstained",
)
"""The metrics of single answers, in the order of a report. docs/evaluation.md defines each."""


def score(question: Question, given: RunAnswer, similar: Similar | None = None) -> dict[str, float]:
    """Score one answer with every metric that the question's gold allows.

    The answer is compared without its labels. An abstention counts as an empty answer. An unanswerable question is
    right (f1, em, contains 1) when the answer abstains, as SQuAD 2.0 has it. `citation_precision` is the share of cited
    documents that are gold, 0 where an answer cites nothing, and is not scored for an abstention, as
    `citation_resolved` is not where there is no citation; `citation_recall` is the share of gold documents that are
    cited, `cited_lines` the share of gold places whose lines a citation meets, each 0 for an abstention.
    `context_precision` is not scored where nothing was shown.
    """
    scores = {"abstained": float(given.abstained)}
    scores |= _answer(question, given, similar)
    if given.citations:
        scores["citation_resolved"] = metrics.mean([float(cited.verified) for cited in given.citations])
    if question.supporting:
        scores |= _citations(question, given) | _shown(question, given)
    return scores


def _answer(question: Question, given: RunAnswer, similar: Similar | None) -> dict[str, float]:
    if question.unanswerable:
        return dict.fromkeys(("f1", "em", "contains"), float(given.abstained))
    if not question.answers:
        return {}
    text = "" if given.abstained else without_labels(given.answer)
    scores = {
        "f1": metrics.f1(text, question.answers),
        "em": metrics.exact_match(text, question.answers),
        "contains": metrics.contains(text, question.answers),
    }
    return scores | ({"similarity": similar(text, question.answers) if text else 0.0} if similar else {})


def _citations(question: Question, given: RunAnswer) -> dict[str, float]:
    gold, places = question.supporting, [place for text in question.places if (place := lines_of(text))]
    recall = 0.0 if given.abstained else metrics.recall_at(len(given.cited), given.cited, gold)
    scores = {"citation_recall": recall}
    if places:
        cited = [] if given.abstained else [(each.path, each.start_line, each.end_line) for each in given.citations]
        scores["cited_lines"] = metrics.overlapped(cited, places)
    if not given.abstained:
        scores["citation_precision"] = metrics.precision(given.cited, gold) if given.cited else 0.0
    return scores


def _shown(question: Question, given: RunAnswer) -> dict[str, float]:
    gold, shown = question.supporting, given.shown
    scores = {
        "recall": metrics.recall_at(len(shown), shown, gold),
        "all_shown": metrics.all_at(len(shown), shown, gold),
        "mrr": metrics.reciprocal_rank(shown, gold),
        "ndcg": metrics.ndcg_at(CUT, shown, gold),
        "context_recall": metrics.context_recall(shown, gold),
    }
    return scores | ({"context_precision": metrics.context_precision(shown, gold)} if shown else {})
