"""Reports as plain text tables, numbers as per cent."""

from __future__ import annotations

from collections.abc import Sequence

from evals.ablation import AblationReport
from evals.injection import NO_ATTACK
from evals.injection_run import InjectionReport
from evals.retrieval_eval import RetrievalReport
from evals.run_report import PERCENTILES, RunReport
from evals.statistics import Difference


def retrieval_table(report: RetrievalReport) -> str:
    """One line a stage, the last being what a search returns, then the time it took."""
    columns = list(next(iter(report.stages.values()), {}))
    rows = [["stage", *columns, "recall@5, 95 %"]]
    for stage, scores in report.stages.items():
        low, high = report.intervals[stage]
        rows.append([stage, *(percent(scores[column]) for column in columns), f"{percent(low)} to {percent(high)}"])
    skipped = f", {report.skipped} without gold skipped" if report.skipped else ""
    timings = report.timings
    return "\n".join(
        [
            f"{report.dataset}: {report.questions} questions{skipped}",
            *table(rows),
            f"index {timings['index']:.1f} s, questions {timings['search']:.1f} s, "
            f"{1000 * timings.get('query_median', 0.0):.0f} ms each (median)",
        ]
    )


def ablation_table(report: AblationReport) -> str:
    """One line a search: the whole, then each earlier stage, then the search without each part."""
    columns = ("recall@5", "all@5", "mrr")
    compared = ("recall@5", "mrr")
    rows = [["", *columns, *(f"{name} lost, 95 %" for name in compared)]]
    rows.append(
        [f"everything ({report.last})", *(percent(report.scores[name]) for name in columns), *("" for _ in compared)]
    )
    for lead, lines in (("ended at", report.stages), ("without", report.parts)):
        rows += [
            [
                f"{lead} {line.label}",
                *(percent(line.scores[name]) for name in columns),
                *(_lost(line.lost[name]) for name in compared),
            ]
            for line in lines
        ]
    head = f"{report.dataset}: {report.questions} questions, {1 + len(report.parts)} searches, {report.seconds:.1f} s"
    return "\n".join([head, *table(rows)])


def run_table(report: RunReport) -> str:
    """One line a metric with how many answers it is over, then errors, usage and time."""
    rows = [["metric", "%", "n"]]
    rows += [[name, percent(value), str(report.counts[name])] for name, value in report.metrics.items()]
    parts = [_used(name, amount) for name, amount in report.usage.items()]
    usage = ", ".join([*parts, *(["dollars unknown"] if parts and "dollars" not in report.usage else [])])
    times = f" {report.answers} times" if report.answers > report.questions else ""
    errors = f", {report.errors} failed and in no metric" if report.errors else ""
    each = ", ".join(f"{name} {report.timings[name]:.1f}" for name in PERCENTILES if name in report.timings)
    lines = [
        f"{report.run}: {report.questions} questions{times}{errors}",
        *table(rows),
        f"{report.timings['answers']:.1f} s" + (f" ({each} each)" if each else "") + (f"; {usage}" if usage else ""),
    ]
    if report.missing:
        lines.append(f"{report.ended} ended the run: {report.missing} not asked. --resume with a higher one goes on.")
    return "\n".join(lines)


def _used(name: str, amount: float) -> str:
    if name == "dollars":
        return f"{amount:,.4f} dollars"
    if name.endswith("seconds"):
        return f"{amount:,.1f} {name.removesuffix('seconds').replace('_', ' ')}seconds of models"
    return f"{amount:,.0f} {name.replace('_', ' ')}"


def injection_table(report: InjectionReport) -> str:
    """One line a place, then the consequences and where the answers are."""
    rows = [["planted in", "runs", "obeyed, 95 %", "in the draft", "still right, 95 %"]]
    rows += [
        [
            place,
            str(row.cases),
            "" if place == NO_ATTACK else _share(row.obeyed, row.obeyed_interval),
            "" if place == NO_ATTACK else percent(row.drafted),
            _share(row.useful, row.useful_interval),
        ]
        for place, row in report.rows.items()
    ]
    attacked = report.rows["all"].cases if "all" in report.rows else 0
    errors = f", {report.errors} failed and in no line" if report.errors else ""
    counted = ", ".join(f"{what} {count}" for what, count in report.consequences.items())
    return "\n".join(
        [
            f"{report.run}: sandbox {report.sandbox}{errors}",
            *table(rows),
            f"consequences, of {attacked} runs: {counted}",
            f"{report.ran_code} runs came to code steps; {report.noted} left a note with what was planted",
            *report.seen,
        ]
    )


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def percent(share: float) -> str:
    """Return a share as per cent, with one digit."""
    return f"{round(100 * share, 1) + 0.0:.1f}"  # + 0.0: no "-0.0"


def _share(share: float, interval: tuple[float, float]) -> str:
    return f"{percent(share)} ({percent(interval[0])} to {percent(interval[1])})"


def _lost(difference: Difference) -> str:
    return f"{percent(difference.mean)} ({percent(difference.low)} to {percent(difference.high)})"
