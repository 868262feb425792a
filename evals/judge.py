"""A model as the judge of answers: one binary criterion at a time, told before anything that is judged is shown.

What it says must be one JSON object of the right shape. Anything else is asked for once more, and then the answer is
*unjudged*, which is counted and is in no rate. How far a judge can be believed is measured by `evals.agreement`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, get_args

from opentelemetry import trace
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.budget import BudgetSpent
from agent.citations import without_labels
from agent.guard import Marker
from agent.models import ChatModel, Message
from agent.prompts import prompt, version
from agent.retries import TooLong
from agent.trace_session import session_attributes
from evals.asked import answers_of
from evals.dataset_store import Progress
from evals.line_file import Key, Line, append, clean, read
from evals.types import Finished
from ingest import spans
from ingest.errors import UserError

Rubric = Literal["correct", "grounded", "relevant"]
RUBRICS: tuple[Rubric, ...] = get_args(Rubric)
"""`correct`: agrees with a gold answer. `grounded`: every claim is in the passages that were shown. `relevant`: answers
what was asked."""

FILE = "judged.jsonl"
MAX_TOKENS = 400
LONGEST = 20_000
"""Characters of an answer or of all passages that are shown to the judge. What is longer is not judged."""

LONGEST_REASON = 1_000
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n\s*```\s*", re.DOTALL)
_AGAIN = (
    "That was not the JSON object that was asked for. Write that object alone, with these two keys, and nothing before "
    "or after it."
)


class Verdict(Line):
    """A line of `judged.jsonl`: what a judge said of one answer by one rubric. `prompt` is the prompt's version."""

    rubric: Rubric
    verdict: Literal["pass", "fail", "unjudged"]
    reason: str
    judge: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Graded:
    """What a call of `grade` came to: verdicts that were asked for, those that were there already, and why it ended
    before the last one, "" where it did not."""

    asked: int
    kept: int
    stopped: str = ""


class Reply(BaseModel):
    """What every judge says: a reason first, so that what follows rests on it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(min_length=1)
    verdict: str


class _Grade(Reply):
    verdict: Literal["pass", "fail"]


Said = TypeVar("Said", bound=Reply)


def grade(
    folder: Path,
    chat: ChatModel,
    rubrics: Sequence[Rubric] = RUBRICS,
    *,
    limit: int | None = None,
    resume: bool = False,
    on_progress: Progress | None = None,
) -> Graded:
    """Judge the answers of a run by each rubric that applies to them; each verdict is on disk before the next is asked.

    `limit` takes only the first so many questions. Resuming asks what this judge has not said with these prompts, and
    what it left unjudged. Where the money is spent, it ends with what is done.
    Raises UserError where there is no run, where this judge has begun already and `resume` is not asked, and where the
    model cannot be asked.
    """
    lines = answers_of(folder)
    wanted = set(list(dict.fromkeys(line.id for line in lines))[:limit])
    todo = [(line, rubric) for line in lines if line.id in wanted for rubric in rubrics if not unfit(rubric, line)]
    known = {
        (verdict.key, verdict.rubric)
        for verdict in _all(folder)
        if verdict.verdict != "unjudged" and (verdict.judge, verdict.prompt) == (chat.name, _version(verdict.rubric))
    }
    new = [(line, rubric) for line, rubric in todo if ((line.id, line.repeat), rubric) not in known]
    if len(new) < len(todo) and not resume:
        raise UserError(
            f"{folder / FILE} has {len(todo) - len(new):,} of these verdicts of {chat.name} already. Add --resume to "
            "ask for the others alone."
        )
    for done, (line, rubric) in enumerate(new, start=1):
        try:
            verdict = judged(chat, rubric, line)
        except BudgetSpent as spent:
            return Graded(done - 1, len(todo) - len(new), str(spent))
        append(folder / FILE, verdict)
        if on_progress:
            on_progress(done, len(new))
    return Graded(len(new), len(todo) - len(new))


def judged(chat: ChatModel, rubric: Rubric, line: Finished) -> Verdict:
    """Ask for one verdict. Raises what `chat.complete` does, but for what is too long to be read."""
    messages = grading(rubric, line, Marker(tag="material"))
    said, why = reply(chat, messages, _Grade, rubric)
    return Verdict(
        id=line.id,
        repeat=line.repeat,
        rubric=rubric,
        verdict=said.verdict if said else "unjudged",
        reason=clean(said.reason, LONGEST_REASON) if said else why,
        judge=chat.name,
        prompt=_version(rubric),
    )


def unfit(rubric: Rubric, line: Finished) -> str:
    """Return why an answer is not judged by a rubric, "" where it is.

    That a question got no answer is known without a judge: those that declined and those that failed are counted apart.
    """
    if line.error is not None:
        return "failed"
    if line.abstained or not line.answer.strip():
        return "declined"
    if rubric == "correct" and not line.answers:
        return "without a gold answer"
    if rubric == "grounded" and not line.passages:
        return "without passages"
    shown = sum(len(passage.text) for passage in line.passages) if rubric == "grounded" else 0
    return "too long" if max(len(line.answer), len(line.question), shown) > LONGEST else ""


def verdicts(folder: Path) -> dict[Rubric, list[Verdict]]:
    """Return the verdicts of a run by rubric, each answer's last one, in the order in which they were first given.

    Of several judges, and of several versions of a prompt, only the one that wrote last counts: two make no rate.
    Raises UserError, with the line, where the file is damaged.
    """
    every = _all(folder)
    last = {verdict.rubric: (verdict.judge, verdict.prompt) for verdict in every}
    found: dict[Rubric, dict[Key, Verdict]] = {}
    for verdict in every:
        if (verdict.judge, verdict.prompt) == last[verdict.rubric]:
            found.setdefault(verdict.rubric, {})[verdict.key] = verdict
    return {rubric: list(found[rubric].values()) for rubric in RUBRICS if rubric in found}


def grading(rubric: Rubric, line: Finished, marker: Marker) -> list[Message]:
    """Return the conversation that asks for a verdict: the criterion, then each part in a fence of its own, so that no
    answer can add a gold answer or a passage."""
    parts = {"The question": line.question}
    if rubric == "correct":
        parts |= {f"Gold answer {number}": gold for number, gold in enumerate(line.answers, start=1)}
    if rubric == "grounded":
        parts |= {f"Passage [{p.label}], {p.path}": p.text for p in line.passages}
    parts["The answer"] = line.answer if rubric == "grounded" else without_labels(line.answer)
    return told(_prompt(rubric), parts, marker)


def told(system: str, parts: dict[str, str], marker: Marker) -> list[Message]:
    """Return a conversation that shows the parts, each behind what it is and in a fence of its own."""
    shown = "\n\n".join(marker.wrap(f"{what}:\n{text}") for what, text in parts.items())
    return [{"role": "system", "content": system}, {"role": "user", "content": f"{shown}\n\nThe JSON object:"}]


def reply(chat: ChatModel, messages: Sequence[Message], shape: type[Said], what: str) -> tuple[Said | None, str]:
    """Return what the judge says, and "" or why it said nothing that counts; `what` it judges names the span.

    What is no such object is asked for once more. Raises what `chat.complete` does, but for what is too long to read.
    """
    attributes = {**session_attributes(), spans.KIND: "EVALUATOR", "gen_ai.evaluation.name": what}
    with trace.get_tracer("hoplite.evals").start_as_current_span(f"judge {what}", attributes=attributes) as span:
        said, why = _reply(chat, messages, shape)
        span.set_attribute("gen_ai.evaluation.score.label", said.verdict if said else "unjudged")
        span.set_attribute("gen_ai.evaluation.explanation", clean(said.reason, LONGEST_REASON) if said else why)
    return said, why


def _reply(chat: ChatModel, messages: Sequence[Message], shape: type[Said]) -> tuple[Said | None, str]:
    asked = list(messages)
    wrong = ""
    for _ in range(2):
        try:
            text = chat.complete(asked, max_tokens=MAX_TOKENS).text
        except TooLong:
            return None, "longer than what the judge can read"
        fenced = _FENCE.fullmatch(text)
        try:
            return shape.model_validate_json(fenced[1] if fenced else text.strip()), ""
        except ValidationError:
            wrong = clean(text, 200)
            asked = [*messages, {"role": "assistant", "content": wrong or "…"}, {"role": "user", "content": _AGAIN}]
    return None, f"no verdict: {wrong}"


def _prompt(rubric: Rubric) -> str:
    return prompt(f"grade_{rubric}", "evals.prompts")


def _version(rubric: Rubric) -> str:
    found = version(_prompt(rubric))
    assert found is not None, "a prompt that was given out has a version"
    return found


def _all(folder: Path) -> list[Verdict]:
    return read(folder / FILE, Verdict)
