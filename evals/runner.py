"""Ask every question of a set, keep each answer the moment it is there, and go on after any interruption."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from agent.citations import without_labels
from agent.scores import score as score_trace
from agent.trace_session import session
from evals import metrics
from evals.dataset_store import Progress
from evals.datasets import Question
from evals.types import Finished, RunAnswer, finished_of
from ingest.errors import UserError, WorkspaceBusy
from ingest.ids import digest


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run as `hoplite eval run --json` prints it.

    `metrics` are means, from 0 to 1, over the questions that were answered and have what the metric needs; a metric
    that no question has is absent. `errors` counts the questions on which answering failed, which are in no mean.
    `usage` and the "answers" of `timings`, in seconds, are sums over all questions, whenever they were asked. A usage
    that an answer lacks, such as dollars where a price is not known, has no sum.
    """

    run: str
    questions: int
    errors: int
    metrics: Mapping[str, float]
    usage: Mapping[str, float]
    timings: Mapping[str, float]

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return asdict(self)


def run(
    questions: Sequence[Question],
    answer: Callable[[Question], RunAnswer],
    out: Path,
    *,
    fingerprint: Mapping[str, str],
    resume: bool = False,
    on_progress: Progress | None = None,
) -> RunReport:
    """Answer the questions that `out` has no answer to yet, and report over all of them.

    `out/answers.jsonl` gets one line a finished question, on disk before the next begins; `out/run.json` holds the
    fingerprint: what the caller gives (model, index, settings) and the questions' digest. Resuming asks what is
    missing and what failed; then the last line of a question counts.

    An exception while answering is an error of that question, and the run goes on, but for UserError (no weights, no
    endpoint), which would meet every question: it ends the run, to be resumed.
    Raises UserError when `out` holds a run and `resume` is not asked, holds one of another fingerprint, or is
    damaged; WorkspaceBusy when another process writes there.
    """
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    whole = {**fingerprint, "questions": _digest(questions)}
    with _held(out / "answers.jsonl") as file:
        _check(out / "run.json", whole, resume=resume, begun=file.seek(0, os.SEEK_END) > 0)
        finished = _read(file, out / "answers.jsonl")
        for done, question in enumerate(questions, start=1):
            if question.id not in finished or finished[question.id].error is not None:
                finished[question.id] = _ask(question, answer, out.name)
                _append(file, finished[question.id])
            if on_progress:
                on_progress(done, len(questions))
    return report(out.name, [finished[question.id] for question in questions])


def score(question: Question, given: RunAnswer) -> dict[str, float]:
    """Score one answer with every metric that the question's gold allows.

    The answer is compared without its labels. An abstention counts as an empty answer. An unanswerable question is
    right (f1, em, contains 1) when the answer abstains, as SQuAD 2.0 has it. `recall` is the share of gold documents
    among those shown, `all_shown` whether all are; `citation_precision` is the share of cited documents that are gold,
    0 where an answer cites nothing, and is not scored for an abstention; `citation_recall` is the share of gold
    documents that are cited, 0 for an abstention.
    """
    text = "" if given.abstained else without_labels(given.answer)
    scores = {"abstained": float(given.abstained)}
    if question.unanswerable:
        scores |= dict.fromkeys(("f1", "em", "contains"), float(given.abstained))
    elif question.answers:
        scores |= {
            "f1": metrics.f1(text, question.answers),
            "em": metrics.exact_match(text, question.answers),
            "contains": metrics.contains(text, question.answers),
        }
    if question.supporting:
        gold, shown = question.supporting, given.shown
        scores |= {
            "recall": metrics.recall_at(len(shown), shown, gold),
            "all_shown": metrics.all_at(len(shown), shown, gold),
            "citation_recall": 0.0 if given.abstained else metrics.recall_at(len(given.cited), given.cited, gold),
        }
        if not given.abstained:
            scores["citation_precision"] = metrics.precision(given.cited, gold) if given.cited else 0.0
    return scores


def report(name: str, finished: Sequence[Finished]) -> RunReport:
    """Sum up finished questions."""
    scored = [line.scores for line in finished if line.error is None]
    names = ("f1", "em", "contains", "citation_precision", "citation_recall", "recall", "all_shown", "abstained")
    columns = {name: [scores[name] for scores in scored if name in scores] for name in names}
    used = [line.usage for line in finished if line.error is None]
    usage = {key: sum(each[key] for each in used) for key in (used[0] if used else ()) if all(key in u for u in used)}
    return RunReport(
        run=name,
        questions=len(finished),
        errors=sum(line.error is not None for line in finished),
        metrics={name: metrics.mean(values) for name, values in columns.items() if values},
        usage=usage,
        timings={"answers": sum(line.seconds for line in finished)},
    )


def answers(out: Path) -> list[Finished]:
    """Return the finished questions of a run, each once, in the order in which they were first asked.

    Raises UserError when there is no run or it is damaged.
    """
    path = out / "answers.jsonl"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Give the folder of an `eval run --out`.") from error
    return list(_parse(data, path)[0].values())


def _ask(question: Question, answer: Callable[[Question], RunAnswer], name: str) -> Finished:
    started = time.perf_counter()
    given, error = RunAnswer(""), None
    try:
        with session(name, evaluation=True):
            given = answer(question)
    except UserError:
        raise
    except Exception as caught:  # whatever a model or a tool did: recorded and counted, the others go on
        error = f"{type(caught).__name__}: {caught}"
    scores = {} if error else {**score(question, given), **given.scores}
    for name, value in scores.items():
        score_trace(given.trace_id, name, value)
    return Finished(
        id=question.id,
        question=question.question,
        answer=given.answer,
        abstained=given.abstained,
        shown=given.shown,
        cited=given.cited,
        usage=given.usage,
        seconds=time.perf_counter() - started,
        trace_id=given.trace_id,
        error=error,
        scores=scores,
        note=given.note,
        type=question.type,
        tags=question.tags,
        answers=question.answers,
        supporting=question.supporting,
        unanswerable=question.unanswerable,
        citations=given.citations,
        passages=given.passages,
    )


def _digest(questions: Sequence[Question]) -> str:
    return digest(json.dumps([asdict(question) for question in questions]).encode())


def _check(path: Path, fingerprint: Mapping[str, str], *, resume: bool, begun: bool) -> None:
    """Let a run begin, or go on where it is the same one; write its fingerprint before its first answer."""
    if begun and not resume:
        raise UserError(f"{path.parent} already holds a run. Add --resume to go on with it, or give another --out.")
    if begun:
        try:
            recorded = json.loads(path.read_bytes())["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is missing or damaged ({error}). Give another --out.") from error
        if changed := sorted(key for key in {*recorded, *fingerprint} if recorded.get(key) != fingerprint.get(key)):
            was = ", ".join(f"{key} {recorded.get(key)!r}, now {fingerprint.get(key)!r}" for key in changed)
            raise UserError(
                f"{path.parent} cannot be resumed, for its run had other inputs: {was}. Give another --out."
            )
        return
    # Replaced as one, so that no kill leaves half of it; it comes before any answer.
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump({"run": path.parent.name, "fingerprint": fingerprint}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO]:
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkspaceBusy(
                f"Another process is writing {path.parent}. Wait for it, or give another --out."
            ) from error
        yield file


def _read(file: BinaryIO, path: Path) -> dict[str, Finished]:
    """Read the finished questions, and cut off a last line that a kill left torn."""
    file.seek(0)
    finished, whole = _parse(file.read(), path)
    file.truncate(whole)
    return finished


def _parse(data: bytes, path: Path) -> tuple[dict[str, Finished], int]:
    """The finished questions, and how many bytes of whole lines there are."""
    finished: dict[str, Finished] = {}
    whole = data.rfind(b"\n") + 1
    for number, raw in enumerate(data[:whole].split(b"\n")[:-1], start=1):
        try:
            line = finished_of(json.loads(raw))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path}:{number} is not a finished question ({error}). Remove the line.") from error
        finished[line.id] = line
    return finished, whole


def _append(file: BinaryIO, line: Finished) -> None:
    file.write(json.dumps(asdict(line)).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
