"""What judges say, and how far they agree with people, as plain text tables; shares as per cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evals.agreement import ENOUGH, Agreement, Judged, Lacking, beside
from evals.coding import ModeCount
from evals.judge import Rubric
from evals.judge_pairs import Compared
from evals.tables import table


def judged_table(name: str, rows: Sequence[Judged], unfit: Mapping[Rubric, Mapping[str, int]]) -> str:
    """One line a rubric, its judge's agreement beside its number, then what is in none of the shares."""
    lines = [["rubric", "passed, 95 %", "of", "unjudged", "agreement with people"]]
    lines += [
        [row.rubric, share(row.share, row.interval), str(row.count), str(row.unjudged), row.beside] for row in rows
    ]
    left = [
        f"{row.rubric}: not judged are {', '.join(f'{count:,} {why}' for why, count in unfit[row.rubric].items())}"
        for row in rows
        if unfit[row.rubric]
    ]
    judges = dict.fromkeys(f"{row.judge} with {row.prompt}" for row in rows)
    return "\n".join([f"{name}, judged by {'; '.join(judges) or 'nobody'}", *table(lines), *left])


def agreement_table(name: str, found: Sequence[Agreement | Lacking]) -> str:
    """One line a rubric that has labels enough, and for the others how many are needed."""
    lines = [["rubric", "kappa, 95 %", "false pass, 95 %", "false fail, 95 %", "both pass", "both fail", "labels"]]
    measured = [each for each in found if isinstance(each, Agreement)]
    for each in measured:
        counts = each.confusion
        lines.append(
            [
                each.rubric,
                beside(each).removeprefix("kappa ").rpartition(",")[0],
                _rate(each.false_pass, each.false_pass_interval, counts.false_pass + counts.both_fail),
                _rate(each.false_fail, each.false_fail_interval, counts.false_fail + counts.both_pass),
                str(counts.both_pass),
                str(counts.both_fail),
                str(counts.count),
            ]
        )
    judges = dict.fromkeys(f"{each.judge} with {each.prompt}" for each in measured)
    said = [f"{name}: {'; '.join(judges)} beside a person"] if measured else [f"{name}: nothing is calibrated"]
    said += table(lines) if measured else []
    said += [
        f"{each.rubric}: {each.seen} of the labels were given with the verdict in view"
        for each in measured
        if each.seen
    ]
    said += [
        f"{each.rubric}: {each.labels} labels of judged answers, {each.needed} more are needed (of {ENOUGH})"
        for each in found
        if isinstance(each, Lacking)
    ]
    return "\n".join(said)


def pairs_line(done: Compared) -> str:
    """What judging pairs came to."""
    said = f"{done.decided} preferences, {done.ties} ties ({done.unsteady} where the order decided)"
    said += f", {done.unjudged} unjudged" if done.unjudged else ""
    return said + (f", {done.kept} kept from before" if done.kept else "")


def modes_table(counts: Sequence[ModeCount], read: int, chosen: int) -> str:
    """One line a failure mode, over the answers that were `read`; `chosen` of them were not drawn at random."""
    lines = [["failure mode", "answers", "of those read, 95 %"]]
    lines += [[each.mode, str(each.count), share(each.share, each.interval)] for each in counts]
    said = [f"{read} answers were read", *(table(lines) if counts else ["No failure mode is named yet."])]
    if chosen:
        said.append(f"{chosen} of them were not drawn at random: the shares are of what was read, not of the run.")
    return "\n".join(said)


def share(of: float, interval: tuple[float, float]) -> str:
    """Return a share as per cent with its interval: `62.5 (47.0 to 75.8)`."""
    low, high = interval
    return f"{100 * of:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _rate(of: float | None, interval: tuple[float, float] | None, count: int) -> str:
    return "none" if of is None or interval is None else f"{share(of, interval)} of {count}"
