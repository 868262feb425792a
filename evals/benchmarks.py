"""The page of benchmarks: `python -m evals.benchmarks > docs/benchmarks.md`, from the results in `evals/results/`.

`python -m evals.benchmarks record --section S --label L --set NAME --command '…' SOURCE` adds one: SOURCE is a run
folder of `hoplite eval run --out`, or a file with what `eval retrieval --json`, `evals.peer_llamaindex --json`,
`evals.code_search --json` or `evals.speed --json` printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import click

from evals.benchmark_results import Ahead, Result, Row, Section, Value, load, recorded
from evals.datasets import load_questions
from evals.report_markdown import code
from ingest.errors import UserError

RESULTS = Path(__file__).parent / "results"
SETS = Path(__file__).parent / "sets"

_HEAD = """# Benchmarks

Written by `python -m evals.benchmarks` from the results in `evals/results/`; a test compares it with them. Each result
was recorded from what the command beside it left, on the machine and the day that stand there. Numbers in per cent are
means over questions, with the 95 % interval where the measurement has one (`docs/evaluation.md`). *Hoplite ahead* is
the difference on the same questions, with its own 95 % interval: where that holds 0, the two are not told apart."""

_SECTIONS: Mapping[Section, tuple[str, str, tuple[str, ...]]] = {
    "retrieval": (
        "Retrieval, by stage and beside others",
        "Which documents are found for a question of several hops: recall@5 is the share of its gold documents among "
        "the first five, all@5 whether all are there. *hoplite* is what a search returns, the lines below it its "
        "earlier stages. These sets were at hand while Hoplite was developed; LlamaIndex is as it comes, with nothing "
        "tuned.",
        ("recall@5", "all@5", "mrr"),
    ),
    "code": (
        "Code search, beside others",
        "Which files are found for a question about code: nDCG@10, and whether a gold file is among the first five.",
        ("ndcg@10", "in first 5"),
    ),
    "answers": (
        "Answers, beside others",
        "The same questions, the same corpus and the same model. Questions that failed are in no mean.",
        ("f1", "em", "contains", "citation_precision", "citation_recall", "abstained", "seconds p50", "tokens"),
    ),
    "speed": ("Speed", "What indexing and searching take.", ()),
    "sets": (
        "The shipped sets",
        "Questions of our own (`evals/sets/README.md`), asked with `hoplite eval run`.",
        ("f1", "contains", "recall", "citation_precision", "citation_recall", "abstained", "seconds p50", "tokens"),
    ),
}


def page(results: Sequence[Result], sets: Path = SETS) -> str:
    """Return the page, as Markdown."""
    parts = [_HEAD]
    for section, (title, said, columns) in _SECTIONS.items():
        here = [result for result in results if result.section == section]
        shipped = [_shipped(sets)] if section == "sets" else []
        if here or shipped:
            parts += [f"## {title}", said, *shipped]
        for name in dict.fromkeys(result.set for result in here):
            of_set = [result for result in here if result.set == name]
            parts += [f"### {name}", _table(of_set, columns), _how(of_set)]
    return "\n\n".join(parts) + "\n"


def _table(results: Sequence[Result], columns: Sequence[str]) -> str:
    """The rows of results over one set, Hoplite's first, with the metrics that any of them has."""
    ordered = sorted(results, key=lambda result: (not result.label.lower().startswith("hoplite"), result.file))
    rows = [row for result in ordered for row in result.rows]
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    shown = [name for name in columns if name in names] if columns else list(names)
    ahead = [name for name in shown if any(name in row.ahead for row in rows)]
    head = ["", *shown, *(f"Hoplite ahead, {name}" for name in ahead)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [_cell(row.metrics.get(name)) for name in shown] + [_ahead(row, name) for name in ahead]
        lines.append(f"| {' | '.join([row.label, *cells])} |")
    return "\n".join(lines)


def _how(results: Sequence[Result]) -> str:
    return "\n".join(
        f"- {result.label}: {code(result.command, 300)}. {result.n:,} questions"
        + (f", {result.failed:,} failed" if result.failed else "")
        + f", {result.date}, {result.machine}; "
        + ", ".join(f"{name} {value}" for name, value in result.versions.items())
        + "."
        for result in results
    )


def _cell(value: Value | None) -> str:
    if value is None:
        return ""
    if value.unit != "%":
        shown = f"{value.mean:,.0f}" if value.unit == "tokens" or value.mean >= 100 else f"{value.mean:.2f}"
        return shown if value.unit == "tokens" else f"{shown} {value.unit}"
    interval = "" if value.low is None or value.high is None else f" [{100 * value.low:.1f}, {100 * value.high:.1f}]"
    return f"{100 * value.mean:.1f}{interval}"


def _ahead(row: Row, name: str) -> str:
    found = row.ahead.get(name)
    if found is None or found == Ahead(mean=0, low=0, high=0):  # Hoplite beside itself
        return ""
    return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def _shipped(sets: Path) -> str:
    return "\n".join(["| set | questions | of which |", "|---|---|---|", *_counted(sets)])


def _counted(sets: Path) -> Iterator[str]:
    for path in sorted(sets.rglob("*.jsonl")):
        questions = load_questions(path)
        kinds = Counter(question.type or "of no type" for question in questions)
        of_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        yield f"| `{path.relative_to(sets).as_posix()}` | {len(questions)} | {of_kind} |"


@click.group(invoke_without_command=True)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Print the page of benchmarks."""
    if ctx.invoked_subcommand is None:
        click.echo(page(load(RESULTS)), nl=False)


@main.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--section", type=click.Choice(get_args(Section)), required=True)
@click.option("--label", required=True, help="What was measured: 'Hoplite, embedded model'.")
@click.option("--set", "set_", required=True, help="Over which questions: 'hotpotqa_train100'.")
@click.option("--command", "said", required=True, help="What somebody else would type to measure it again.")
@click.option("--beside", type=click.Path(exists=True, path_type=Path), help="Hoplite's run over the same questions.")
@click.option("--into", type=click.Path(path_type=Path), default=RESULTS, help="Where results are kept.")
def record(source: Path, section: Section, label: str, set_: str, said: str, beside: Path | None, into: Path) -> None:
    """Keep what SOURCE came to as a result, in the place of an earlier one of the same."""
    try:
        result = recorded(source, section, label, set_, said, beside)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    target = into / f"{result.file}.json"
    target.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    click.echo(f"Wrote {target.name}.")


if __name__ == "__main__":
    main()
