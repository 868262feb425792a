"""`hoplite eval compare`: runs over one set, question by question, and gates for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import UserError
from ui.commands.evaluate.shown import told
from ui.commands.options import json_option
from ui.render import block

if TYPE_CHECKING:
    from evals.compare import Comparison
    from evals.gate import Outcome
    from evals.scored_run import ScoredRun

GATE_FAILED = 5


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--gate", metavar="EXPR", help="What every RUN must reach: 'f1>=0.55, recall@5>=0.93'.")
@click.option(
    "--no-worse-than",
    "baseline",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Compare with this one, and fail where a metric is worse.",
)
@click.option("--gate-judged", is_flag=True, help="Let --gate and --no-worse-than count what a model judged.")
@click.option("--by", metavar="METRIC", help="What tells fixed from broken, and is shown by type and tag.")
@json_option
def compare(
    runs: tuple[Path, ...],
    gate: str | None,
    baseline: Path | None,
    gate_judged: bool,
    by: str | None,
    as_json: bool,
) -> int:
    """Compare runs, folders of `eval run --out`, question by question: each later one less the first, with intervals.

    A metric is better or worse only where chance, corrected for how many metrics there are, does not explain it.
    With --gate a single RUN will do. A gate that fails ends with exit code 5.
    """
    from evals import gate as gates
    from evals.compare import compare_runs
    from evals.compare_table import gate_lines
    from evals.scored_run import load

    conditions = gates.parse(gate) if gate is not None else []
    if baseline is not None:
        runs = (baseline, *(run for run in runs if run.resolve() != baseline.resolve()))
    if len(runs) == 1 and (gate is None or baseline is not None):
        raise UserError(f"{runs[0]} is one run. Give another to compare it with, or --gate.")
    loaded = load(runs)
    found = compare_runs(loaded, right_by=by)
    held = loaded[1:] if baseline is not None and len(loaded) > 1 else loaded
    outcomes = [out for run in held for out in gates.check(run.name, run.values, conditions, judged=gate_judged)]
    if baseline is not None:
        outcomes += [out for each in found for out in gates.no_worse(each, judged=gate_judged)]
    lines = gate_lines(outcomes) if outcomes else []
    told(_as_json(loaded, found, outcomes), block("\n".join([_table(loaded, found), *_apart(lines)])), as_json=as_json)
    if as_json:
        for line in lines[:-1]:
            click.echo(block(line), err=True)
    return 0 if all(out.met for out in outcomes) else GATE_FAILED


def _apart(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _table(runs: list[ScoredRun], found: list[Comparison]) -> str:
    from evals.compare import means_of_all
    from evals.compare_table import comparison_table, means_table, run_means_table

    if not found:
        return run_means_table(runs[0].name, runs[0].values, runs[0].judges)
    if len(found) == 1:
        return comparison_table(found[0])
    parts = [means_table([run.name for run in runs], means_of_all(runs))]
    parts += [f"{each.runs[1]} less {each.runs[0]}: {comparison_table(each)}" for each in found]
    return "\n\n".join(parts)


def _as_json(runs: list[ScoredRun], found: list[Comparison], outcomes: list[Outcome]) -> dict[str, Any]:
    """Of two runs their comparison; of more what all came to, and each comparison; of one what it came to."""
    from dataclasses import asdict

    from evals.compare import means_of_all

    if len(found) == 1:
        shown = found[0].as_json()
    elif found:
        shown = {
            "runs": [run.name for run in runs],
            "means": means_of_all(runs),
            "comparisons": [each.as_json() for each in found],
        }
    else:
        shown = {"runs": [runs[0].name], "values": runs[0].values, "judges": dict(runs[0].judges)}
    return shown | ({"gate": [asdict(out) for out in outcomes]} if outcomes else {})
