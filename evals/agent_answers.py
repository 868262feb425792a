"""What an answer of the agent is in a run: its texts and places cut to size, what it took, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from agent.citations import UNSUPPORTED, labels_inside, labels_of, supporting, unlabelled
from agent.entailment import entailing
from agent.plan import make_plan
from agent.reflect import reflect
from agent.types import Answer
from agent.units import Unit, squeeze
from evals.types import LONGEST_SHOWN, Cited, RunAnswer, Shown
from ingest.sentences import sentences


def run_answer(given: Answer, names: Mapping[str, str]) -> RunAnswer:
    """Return an answer of the agent as a run keeps it. `names` are the records that paths stand for, where they do."""

    def named(path: str) -> str:
        return names.get(path, path)

    usage = {name: amount for name, amount in asdict(given.usage).items() if amount is not None}
    scores = {"groundedness": groundedness(given), "plan_followed": plan_followed(given)}
    return RunAnswer(
        answer=given.answer,
        abstained=given.abstained,
        shown=tuple(dict.fromkeys(named(passage.path) for passage in given.passages)),
        cited=tuple(dict.fromkeys(named(cited.path) for cited in given.citations)),
        usage=usage
        | {
            "steps": len(given.steps),
            "searches": sum(step.kind == "search" for step in given.steps),
            "tool_errors": sum(step.error is not None for step in given.steps),
        },
        trace_id=given.trace_id,
        scores={name: value for name, value in scores.items() if value is not None},
        citations=tuple(
            Cited(c.label, named(c.path), c.start_line, c.end_line, c.quote, c.verified) for c in given.citations
        ),
        passages=tuple(
            Shown(p.label, named(p.path), p.start_line, p.end_line, p.excerpt[:LONGEST_SHOWN]) for p in given.passages
        ),
    )


def groundedness(given: Answer) -> float | None:
    """Return the share of the answer's sentences that their own cited quotes support; None for an abstention, for a
    table, and where there is no sentence.

    A sentence counts where it has a label, and the verified quotes under its labels alone bear it out: in a short
    answer by the words that it adds to its question (`agent.citations.supporting`), in a longer one because it follows
    from them (`agent.entailment.entailing`), or because a model judged so. It is Ragas' faithfulness (Es et al. 2024,
    arXiv 2309.15217: supported statements of all statements) with sentences for statements and rules for the model.
    """
    if given.abstained or given.form == "table":
        return None
    shown = {passage.label: passage for passage in given.passages}
    judged = {(c.label, c.quote) for c in given.citations if c.judged}
    quotes = [Unit(shown[c.label], squeeze(c.quote), 0, 0) for c in given.citations if c.verified and c.label in shown]
    prose = "\n".join(line for line in given.answer.split("\n") if not line.lstrip().startswith("#"))
    marked = labels_inside(prose.replace(UNSUPPORTED, ""))
    borne: list[bool] = []
    for sentence in sentences(squeeze(marked)):
        text, labels = unlabelled(sentence), labels_of(sentence)
        if not any(c.isalnum() for c in text):
            continue
        own = [unit for unit in quotes if unit.passage.label in labels]
        by_words = supporting(given.question, text, labels, own) if given.form == "short" else entailing(text, own)
        borne.append(bool(by_words) or any((u.passage.label, u.text) in judged for u in own))
    return sum(borne) / len(borne) if borne else None


def plan_followed(given: Answer) -> float | None:
    """Return the share of the plan's sub-questions that a passage covers which some step brought; None for a question
    without sub-questions. Our own: `agent.reflect` says what covers one, half of its words in one passage, and what
    answers it (a number where one is sought)."""
    plan = make_plan(given.question)
    if not plan.parts:
        return None
    brought = {label for step in given.steps for label in step.labels}
    passages = [passage for passage in given.passages if passage.label in brought]
    seen = reflect(given.question, plan, passages).parts
    return sum(bool(part.labels) for part in seen) / len(seen)
