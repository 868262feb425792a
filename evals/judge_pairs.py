"""A model as the judge of pairs: of two runs' answers to one question, the better one.

Each pair is shown in both orders, because judges favour a place; a preference counts only where both orders agree, and
is a tie else, which is the conservative way of Zheng et al. 2023 (arXiv 2306.05685, section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from agent.budget import BudgetSpent
from agent.citations import without_labels
from agent.guard import Marker
from agent.models import ChatModel
from agent.prompts import prompt, version
from evals.asked import answers_of
from evals.dataset_store import Progress
from evals.judge import LONGEST, LONGEST_REASON, Reply, reply, told
from evals.line_file import append, clean, read
from evals.preferences import Preference
from evals.types import Finished
from ingest.errors import UserError


@dataclass(frozen=True, slots=True)
class Compared:
    """What a call of `prefer` came to. `unsteady` of the ties are pairs of which the judge preferred the place, not the
    answer; `kept` preferences were there already; `stopped` says why it ended before the last pair, else "".
    """

    decided: int = 0
    ties: int = 0
    unsteady: int = 0
    unjudged: int = 0
    kept: int = 0
    stopped: str = ""

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return asdict(self)


class _Choice(Reply):
    verdict: Literal["first", "second", "neither"]


def prefer(
    runs: Sequence[Path],
    chat: ChatModel,
    out: Path,
    *,
    limit: int | None = None,
    resume: bool = False,
    on_progress: Progress | None = None,
) -> Compared:
    """Judge every two of the runs question by question, and write each preference to `out` before the next is asked.

    Of a question that was repeated the first answer is taken; one that failed in a run is no pair of it. Two answers
    with the same words are a tie that nobody is asked about. `limit` takes only the first so many questions.
    Raises UserError where a folder holds no run, where two have one name or no question in common, where `out` has
    preferences and `resume` is not asked, or has those of another judge, and where the model cannot be asked.
    """
    names = [run.resolve().name for run in runs]
    if len(runs) < 2 or len(set(names)) < len(names):
        raise UserError(
            f"Preferences are between runs with names of their own, not {', '.join(names)}. Name two or more."
        )
    answered = [{line.id: line for line in answers_of(run) if line.repeat == 0 and line.error is None} for run in runs]
    asked = list(dict.fromkeys(id_ for run in answered for id_ in run))[:limit]
    pairs = [
        (a, b, answered[a][id_], answered[b][id_])
        for id_ in asked
        for a, b in combinations(range(len(runs)), 2)
        if id_ in answered[a] and id_ in answered[b] and answered[a][id_].question == answered[b][id_].question
    ]
    if not pairs:
        raise UserError(f"{', '.join(map(str, runs))} have no questions in common. Compare runs over one set.")
    by = f"{chat.name} with {_version()}"
    known = _known(out, by, resume=resume)
    decided = ties = unsteady = unjudged = kept = 0
    stopped = ""
    for done, (a, b, one, other) in enumerate(pairs, start=1):
        if (one.id, frozenset((names[a], names[b]))) in known:
            kept += 1
            continue
        try:
            better, why = _better(chat, one, other)
        except BudgetSpent as spent:
            stopped = str(spent)
            break
        if better is None:
            unjudged += 1
        elif better in ("first", "second"):
            winner, loser = (names[a], names[b]) if better == "first" else (names[b], names[a])
            append(out, Preference(id=one.id, winner=winner, loser=loser, by=by, why=why))
            decided += 1
        else:
            append(out, Preference(id=one.id, tie=(names[a], names[b]), by=by, why=why))
            ties += 1
            unsteady += better == "unsteady"
        if on_progress:
            on_progress(done, len(pairs))
    return Compared(decided, ties, unsteady, unjudged, kept, stopped)


_Place = Literal["first", "second", "neither"]


def _better(chat: ChatModel, one: Finished, other: Finished) -> tuple[_Place | Literal["unsteady"] | None, str]:
    """Which answer is better in both orders, and why; None where the judge says nothing that counts in one of them."""
    texts = [without_labels(line.answer) for line in (one, other)]
    if texts[0].split() == texts[1].split():
        return "neither", "the same words"
    if max(len(text) for text in (one.question, *texts)) > LONGEST:
        return None, ""
    forth = _choice(chat, one, texts)
    back = _choice(chat, one, texts[::-1]) if forth else None
    if not forth or not back:
        return None, ""
    if forth.verdict != "neither" and forth.verdict == back.verdict:  # the same place, so the other answer
        return "unsteady", "the judge preferred a place"
    steady = "neither" not in (forth.verdict, back.verdict)
    return forth.verdict if steady else "neither", clean(forth.reason, LONGEST_REASON)


def _choice(chat: ChatModel, line: Finished, texts: Sequence[str]) -> _Choice | None:
    gold = {f"Gold answer {number}": text for number, text in enumerate(line.answers, start=1)}
    parts = {"The question": line.question, **gold, "The first answer": texts[0], "The second answer": texts[1]}
    return reply(chat, told(_prompt(), parts, Marker(tag="material")), _Choice, "preference")[0]


def _known(out: Path, by: str, *, resume: bool) -> set[tuple[str, frozenset[str]]]:
    """The pairs that are judged already."""
    there = read(out, Preference)
    if others := sorted({preference.by for preference in there} - {by}):
        raise UserError(f"{out} has preferences by {others[0] or 'a person'}, not by {by}. Give another --out.")
    if there and not resume:
        raise UserError(f"{out} has {len(there):,} preferences already. Add --resume to go on, or give another --out.")
    return {preference.of for preference in there}


def _prompt() -> str:
    return prompt("prefer", "evals.prompts")


def _version() -> str:
    found = version(_prompt())
    assert found is not None, "a prompt that was given out has a version"
    return found
