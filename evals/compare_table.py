"""Comparisons and gates as plain text, numbers as per cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evals.bradley_terry import Strength
from evals.compare import Changed, Comparison
from evals.gate import Outcome
from evals.slices import Part, Reversal
from evals.tables import percent, table

LONGEST_LIST = 10
LONGEST_TEXT = 160


def comparison_table(comparison: Comparison) -> str:
    """One line a metric, the second run's less the first's, with a verdict; what a question took; then whatever else a
    reader should know before believing it."""
    first, second = comparison.runs
    floors = any(each.floor is not None for each in comparison.metrics.values())
    rows = [["metric", first, second, "difference, 95 %", "p, corrected", *(["noise"] if floors else []), ""]]
    for name, each in comparison.metrics.items():
        low, high = percent(each.difference.low), percent(each.difference.high)
        floor = ["" if each.floor is None else percent(each.floor)] if floors else []
        difference = f"{percent(each.difference.mean)} ({low} to {high})"
        rows.append(
            [name, percent(each.first), percent(each.second), difference, _p(each.corrected), *floor, each.verdict]
        )
    width = len(rows[0]) - 3
    rows.append(["seconds, median", *(f"{seconds:.1f}" for seconds in comparison.seconds), *[""] * width])
    rows.append(["tokens, mean", *(f"{tokens:,.0f}" for tokens in comparison.tokens), *[""] * width])
    return "\n".join(
        [
            f"{comparison.questions} questions that both answered",
            *_aligned(rows),
            *before_believing(comparison, floors=floors),
            *_slices(comparison),
            *_changed(f"fixed, by {comparison.right_by}", comparison.fixed, comparison.runs),
            *_changed(f"broken, by {comparison.right_by}", comparison.broken, comparison.runs),
        ]
    )


def means_table(runs: Sequence[str], means: Mapping[str, Sequence[float]]) -> str:
    """One line a metric, one column a run, over the questions that all have."""
    rows = [["metric", *runs], *([name, *map(percent, values)] for name, values in means.items())]
    return "\n".join(_aligned(rows))


def run_means_table(run: str, values: Mapping[str, float], judges: Mapping[str, str]) -> str:
    """One line a metric of one run, and beside what a model judged how far to believe it."""
    counted = {"questions": "{:.0f}", "seconds": "{:.1f}", "tokens": "{:,.0f}"}
    rows = [["metric", run, ""]]
    rows += [
        [name, counted[name].format(value) if name in counted else percent(value), judges.get(name, "")]
        for name, value in values.items()
    ]
    return "\n".join(_aligned(rows))


def gate_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each condition that failed, then how many were met."""
    failed = [each for each in outcomes if not each.met]
    lines = [f"gate failed: {each.run}: {each.condition}, and it is {each.value:.6g}" for each in failed]
    return [*lines, f"gate: {len(outcomes) - len(failed)} of {len(outcomes)} conditions met"]


def strength_table(strengths: Sequence[Strength]) -> str:
    """One line a run, the strongest first."""
    rows = [["run", "won", "tied", "lost", "strength, 95 %", "preferred to the average, %"]]
    rows += [
        [
            each.run,
            str(each.won),
            str(each.tied),
            str(each.lost),
            f"{each.strength:+.2f} ({each.low:+.2f} to {each.high:+.2f})",
            percent(each.share),
        ]
        for each in strengths
    ]
    return "\n".join(_aligned(rows))


def before_believing(comparison: Comparison, *, floors: bool) -> list[str]:
    """Return what a reader should know before believing a comparison. `floors`: questions were asked several times."""
    lines = []
    if not floors:
        lines.append("No question was repeated, so that what asking again changes is unknown: `eval run --repeat`.")
    if comparison.other:
        lines.append(f"Not made alike: {', '.join(comparison.other)}.")
    for name, (one, other) in comparison.judges.items():
        same = one == other
        lines.append(
            f"{name}: {one}" if same else f"{name}: judged apart, {comparison.runs[0]} by {one}; the other by {other}"
        )
    for run, failed, alone in zip(comparison.runs, comparison.failed, comparison.alone, strict=True):
        if failed:
            lines.append(f"{run} failed on {len(failed)}, which are in no mean: {_some(failed)}")
        if alone:
            lines.append(f"{run} was asked {alone} that the other was not, which are left out.")
    return [*lines, *(_reversed(each, comparison.runs) for each in comparison.reversals)]


def _reversed(found: Reversal, runs: tuple[str, str]) -> str:
    types = ", ".join(f"{name or 'no type'} {_points(each)}" for name, each in found.types.items())
    return (
        f"Simpson's paradox in {found.metric}: over all that each run scored, {runs[1]} lies {_points(found.whole)} "
        f"from {runs[0]}, and in every type the other way ({types}), because they scored other mixtures of types."
    )


def _slices(comparison: Comparison) -> list[str]:
    metric = comparison.right_by
    parts = [(each.by, each.name, each.metrics[metric]) for each in comparison.slices if metric in each.metrics]
    if not parts:
        return []
    rows = [[f"{metric} by slice", "n", *comparison.runs, "difference, 95 %"]]
    rows += [
        [f"{by} {name or '(none)'}", str(part.questions), percent(part.first), percent(part.second), _apart(part)]
        for by, name, part in parts
    ]
    return ["", *_aligned(rows)]


def _apart(part: Part) -> str:
    if part.interval is None:
        return f"{percent(part.difference)} (too few)"
    low, high = part.interval
    return f"{percent(part.difference)} ({percent(low)} to {percent(high)})"


def _changed(what: str, changed: Sequence[Changed], runs: tuple[str, str]) -> list[str]:
    if not changed:
        return []
    lines = ["", f"{what}: {len(changed)}"]
    for each in changed[:LONGEST_LIST]:
        lines.append(f"  {_short(each.id)}  {_short(each.question)}")
        lines += [f"    {run}: {_short(text)}" for run, text in zip(runs, (each.first, each.second), strict=True)]
    if len(changed) > LONGEST_LIST:
        lines.append(f"  and {len(changed) - LONGEST_LIST} more; --json has all")
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LONGEST_LIST} more" if len(names) > LONGEST_LIST else ""
    return ", ".join(map(_short, names[:LONGEST_LIST])) + more


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose last cells may be empty."""
    return [line.rstrip() for line in table(rows)]


def _points(difference: float) -> str:
    return f"{round(100 * difference, 1) + 0.0:+.1f}"


def _p(chance: float) -> str:
    return "< 0.001" if chance < 0.001 else f"{chance:.3f}"
